"""What is installed is named exactly, wherever something is installed."""

from __future__ import annotations

import re
import tomllib
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text().replace("\\\n", " ")
LISTS = sorted(
    [*ROOT.glob("requirements*.txt"), ROOT / "constraints.txt", *(ROOT / "docker").glob("*.txt")]
)
EXACT = re.compile(r"[A-Za-z0-9._-]+(\[[a-z,]+\])?==[0-9][^\s*,;]*")


def floating(text: str) -> list[str]:
    """Return the lines of a list of requirements that leave a version open."""
    lines = [line.partition("#")[0].strip() for line in text.splitlines()]
    return [
        line
        for line in lines
        if line and not EXACT.fullmatch(line) and not re.fullmatch(r"-r [\w.-]+\.txt", line)
    ]


def loose_installs(dockerfile: str) -> list[str]:
    """Return the commands that install what no digest names: only our own source may be that."""
    commands = re.findall(r"pip install[^\n&|;]*", dockerfile)
    return [
        command
        for command in commands
        if "--no-deps" not in command
        or ("--require-hashes" not in command and not command.strip().endswith(" /src"))
    ]


def pins(path: Path) -> dict[str, str]:
    lines = [line.split("==") for line in path.read_text().splitlines() if "==" in line]
    return {canonical(name.partition("[")[0]): version for name, version in lines}


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize("path", LISTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_requirement_is_pinned_exactly(path: Path) -> None:
    assert floating(path.read_text()) == []


def test_the_build_itself_is_pinned() -> None:
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]

    assert floating("\n".join(told)) == []


def brought_along(names: set[str]) -> set[str]:
    """Return the distributions with these names and all that they ask for, down to the last."""
    found: set[tuple[str, str]] = set()
    waiting = {(name, "") for name in names}
    while waiting:
        name, extra = waiting.pop()
        found.add((name, extra))
        for line in metadata.requires(name) or []:
            asked = Requirement(line)
            if asked.marker is None or asked.marker.evaluate({"extra": extra}):
                new = {(canonical(asked.name), wanted) for wanted in ("", *asked.extras)}
                waiting |= new - found
    return {name for name, _ in found}


def test_all_that_the_requirements_bring_along_is_pinned_and_what_runs_here() -> None:
    asked = {name for path in LISTS if path.parent == ROOT for name in pins(path)}
    named = pins(ROOT / "constraints.txt")
    running = {name: metadata.version(name).partition("+")[0] for name in brought_along(asked)}

    assert len(running) > 200
    assert {name: pin for name, pin in running.items() if named.get(name) != pin} == {}


def test_images_install_by_digest_and_fetch_nothing_else() -> None:
    assert loose_installs(DOCKERFILE) == []
    assert len(re.findall("pip install", DOCKERFILE)) == 3
    assert not re.search(r"^\s*ADD\b", DOCKERFILE, re.MULTILINE)
    assert not re.search(r"\b(curl|wget|git clone|apt-get|apk)\b", DOCKERFILE)


def test_images_start_from_a_base_that_is_named_with_version_and_distribution() -> None:
    default = re.search(r"^ARG PYTHON_IMAGE=(\S+)$", DOCKERFILE, re.MULTILINE)
    stages = re.findall(r"^FROM (\S+) AS (\S+)$", DOCKERFILE, re.MULTILINE)
    every = re.findall(r"^FROM .*$", DOCKERFILE, re.MULTILINE)

    assert default is not None
    assert re.fullmatch(r"python:3\.\d+(\.\d+)?-slim-\w+", default[1])
    assert len(every) == len(stages)
    known = {"${PYTHON_IMAGE}"}
    for base, name in stages:
        assert base in known
        known.add(name)


def test_make_installs_from_lists_alone() -> None:
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    installs = re.findall(r"pip install[^\n;&]*", text)

    assert installs
    for command in installs:
        is_from_list = "-r requirements" in command and "-c constraints.txt" in command
        is_ours = "--no-deps" in command and command.rstrip().endswith("--editable .")
        is_torch = "grep ^torch== requirements.txt" in command
        is_one_pinned_tool = not floating(command.split()[-1])
        assert is_from_list or is_ours or is_torch or is_one_pinned_tool, command


def test_these_checks_can_fail() -> None:
    lines = "numpy>=2\nnumpy==2.*\nnumpy\ngit+https://x/y\nhttps://x/y.whl\nnumpy==2.1 ; python < 4"
    hashed = "pip install --require-hashes --no-deps -r a.lock"

    assert floating(lines) == lines.splitlines()
    assert floating("numpy==2.1  # why\n# note\n-r requirements.txt\ncelery[redis]==5.6.3") == []
    assert loose_installs(f"RUN {hashed}") == []
    assert loose_installs(f"RUN {hashed} && pip install six") == ["pip install six"]
    assert loose_installs("RUN pip install --no-deps six") == ["pip install --no-deps six"]
