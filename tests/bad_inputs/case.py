"""One bad input: what it is, where it is given, and the answer that is promised."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from fakes import make_pictures

NAME = "toy"


@dataclass
class Place:
    """A project folder, what is set in the environment, and servers by what is wrong with them."""

    folder: Path
    environment: dict[str, str] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)

    @property
    def campaigns(self) -> Path:
        return self.folder / "campaigns"

    def text(self, content: str | bytes, name: str = NAME) -> None:
        """Write a campaign file as it is."""
        data = content.encode() if isinstance(content, str) else content
        (self.campaigns / f"{name}.yaml").write_bytes(data)

    def campaign(self, **changes: Any) -> None:
        """Write a campaign file over digits, changed."""
        document = {"name": NAME, "source": {"name": "digits"}, **changes}
        self.text(yaml.safe_dump(document))

    def source(self, name: str, path: Path | str, **parameters: Any) -> None:
        """Write a campaign file over data at ``path``."""
        self.campaign(source={"name": name, "parameters": {"path": str(path), **parameters}})

    def npz(self, *, of: Mapping[str, Any] | None = None, **parameters: Any) -> Path:
        """Write a campaign file over an archive of 60 pictures in two classes, changed."""
        path = self.folder / "d.npz"
        arrays: dict[str, Any] = {"x": make_pictures(60), "y": np.arange(60) % 2, **(of or {})}
        np.savez(path, **arrays)
        self.source("npz", path, **parameters)
        return path


Words = Sequence[str]
Doorway = Callable[[], object]


@dataclass(frozen=True)
class Case:
    """A bad input.

    Attributes:
        kind: What sort of input.
        title: What is bad about it.
        where: Where it is given.
        code: The exit code.
        reason: The reason code.
        field: What the message names.
        give: Prepares the place, and returns the words of the command that meets the input; or,
            for a task in Airflow, the parameters of the trigger.
    """

    kind: str
    title: str
    where: str
    code: int
    reason: str
    field: str
    give: Callable[[Place], Any]

    @property
    def id(self) -> str:
        return f"{self.kind}: {self.title}".replace(" ", "_").replace("/", "|")


CHECK = ("config", "check", f"campaigns/{NAME}.yaml")
RUN = ("run", NAME)


def written(kind: str, title: str, reason: str, field: str, content: str | bytes) -> Case:
    """Return a campaign file with this content, which ``config check`` refuses."""

    def give(place: Place) -> Words:
        place.text(content)
        return CHECK

    return Case(kind, title, "campaign file", 2, reason, field, give)


def changed(kind: str, title: str, reason: str, field: str, **changes: Any) -> Case:
    """Return a campaign file with these sections, which ``config check`` refuses."""

    def give(place: Place) -> Words:
        place.campaign(**changes)
        return CHECK

    return Case(kind, title, "campaign file", 2, reason, field, give)


def setting(title: str, reason: str, field: str, code: int = 2, **variables: str) -> Case:
    """Return settings that ``show campaigns`` meets first."""

    def give(place: Place) -> Words:
        place.environment.update({f"ACTIVESYNTH_{key}": text for key, text in variables.items()})
        return ("show", "campaigns")

    return Case("environment", title, "environment", code, reason, field, give)


def trigger(title: str, reason: str, field: str, **conf: Any) -> Case:
    """Return parameters that a run in Airflow is triggered with."""

    def give(place: Place) -> dict[str, Any]:
        place.campaign()
        return {"campaign": NAME, **conf}

    return Case("trigger", title, "Airflow trigger", 2, reason, field, give)


def data(
    kind: str, title: str, reason: str, field: str, prepare: Callable[[Place], object]
) -> Case:
    """Return data that the first run of a campaign reads."""

    def give(place: Place) -> Words:
        prepare(place)
        return RUN

    return Case(kind, title, "source", 3, reason, field, give)
