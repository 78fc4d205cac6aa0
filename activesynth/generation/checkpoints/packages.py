"""Packages that only some generators need, and what to type when one is missing."""

from __future__ import annotations

from importlib.util import find_spec

from activesynth.errors import ConfigurationError

COMMAND = "pip install -r requirements-generators.txt -c constraints.txt"


def require(*names: str) -> None:
    """Check that packages are installed, importing none of them.

    Raises:
        ConfigurationError: Naming what is missing and the command that installs it.
    """
    missing = [name for name in names if find_spec(name) is None]
    if missing:
        raise ConfigurationError(
            f"this generator needs {', '.join(missing)}, which is not installed; run `{COMMAND}` "
            "in the environment of the workers.",
            reason="missing_package",
            field="generator.name",
        )
