"""Python environments with packages of other people installed beside ours."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
EXAMPLE = ROOT / "examples" / "plane"


@dataclass(frozen=True)
class Environment:
    """A virtual environment that sees everything of ours, and what is installed into it alone."""

    folder: Path

    @property
    def python(self) -> Path:
        return self.folder / "bin" / "python"

    @property
    def site_packages(self) -> Path:
        return next((self.folder / "lib").glob("python3.*/site-packages"))

    def install(self, project: Path) -> None:
        """Install a project as anybody would, without a network."""
        copy = self.folder / "sources" / project.name  # building leaves files beside the source
        shutil.copytree(project, copy)
        pip = [sys.executable, "-m", "pip", "--python", str(self.python), "install", "--quiet"]
        offline = ["--no-index", "--no-deps", "--no-build-isolation", "--disable-pip-version-check"]
        subprocess.run([*pip, *offline, str(copy)], check=True, capture_output=True, text=True)

    def add(self, name: str, source: str, **entry_points: str) -> None:
        """Add a package of one file; see :func:`lay_out`."""
        lay_out(self.site_packages, name, source, **entry_points)

    def run(
        self, *words: str, variables: dict[str, str], code: int = 0
    ) -> subprocess.CompletedProcess[str]:
        """Run ``python -m ...`` in our project's folder; it must end with ``code``."""
        kept = {name: value for name, value in os.environ.items() if "ACTIVESYNTH" not in name}
        done = subprocess.run(
            [str(self.python), "-m", *words],
            cwd=ROOT,
            env={**kept, **variables},
            capture_output=True,
            text=True,
        )
        assert done.returncode == code, (
            f"{words} ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr}"
        )
        return done

    def json(self, *words: str, variables: dict[str, str]) -> Any:
        return json.loads(self.run(*words, "--json", variables=variables).stdout)


def make_environment(folder: Path) -> Environment:
    """Make an environment whose Python finds the packages of the one that runs the tests."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    made = Environment(folder)
    ours = sysconfig.get_paths()["purelib"]
    # Not a mere path: editable installs are found by files that only a site folder's are read.
    (made.site_packages / "ours.pth").write_text(f"import site; site.addsitedir({ours!r})\n")
    return made


def lay_out(site: Path, name: str, source: str, **entry_points: str) -> None:
    """Lay a module of one file and its entry points (group without prefix) where pip would."""
    (site / f"{name}.py").write_text(source)
    info = site / f"{name}-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    groups = [f"[activesynth.{group}]\n{entry}\n" for group, entry in entry_points.items()]
    (info / "entry_points.txt").write_text("\n".join(groups))
