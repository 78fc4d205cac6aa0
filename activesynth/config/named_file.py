"""Files that describe one thing by name: parsed by a strict model, called as the thing is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

from pydantic import BaseModel, ValidationError

from activesynth.config.yaml_file import read_yaml
from activesynth.domain.registry import invalid
from activesynth.errors import ConfigurationError


class Named(Protocol):
    """What such a file holds."""

    @property
    def name(self) -> str:
        """Return the name, which is the file's as well."""
        ...


Model = TypeVar("Model", bound=BaseModel)
Thing = TypeVar("Thing", bound=Named)


def parse_as(model: type[Model], document: Any, origin: str, called: str) -> Model:
    """Check a parsed document; ``origin`` names it in messages, ``called`` is "a campaign".

    Raises:
        ConfigurationError: Naming every wrong field with its value and what it should be.
    """
    if not isinstance(document, dict):
        raise ConfigurationError(
            f"{origin}: {called} is a mapping of keys to values.",
            reason="not_a_mapping",
            field="file",
        )
    try:
        return model.model_validate(document)
    except ValidationError as error:
        raise invalid(origin, error) from error


def read_by_name(
    path: Path, parse: Callable[[Any, str], Thing], *, kind: str, missing: str
) -> Thing:
    """Read and check a file that is called as what it describes.

    Args:
        path: The file.
        parse: Checks the document; told what to call it in messages.
        kind: What it describes, "campaign".
        missing: Reason code where there is no such file.

    Raises:
        ConfigurationError: If the file is missing, cannot be read, is not valid, or describes
            something of another name.
    """
    try:
        document = read_yaml(path)
    except FileNotFoundError:
        there = sorted(p.stem for p in path.parent.glob("*.yaml"))
        raise ConfigurationError(
            f"no {kind} file {path}; there are: {', '.join(there) or 'none'}.",
            reason=missing,
            field=kind,
        ) from None
    found = parse(document, str(path))
    if found.name != path.stem:
        raise ConfigurationError(
            f"{path}: `name` is {found.name!r}, but the file is called {path.stem!r}; "
            "make them equal.",
            reason="name_mismatch",
            field="name",
        )
    return found
