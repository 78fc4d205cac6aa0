"""Which parts the suites in ``tests/contract`` hold to their promises, and on which rows.

Ours stand here. Whoever offers parts in another package names a module in the environment variable
``ACTIVESYNTH_CONTRACT`` and has the suites run over theirs as well; it holds, as far as wanted,
``GENERATORS``, ``TRAINERS`` and ``CORRUPTIONS`` (name to parameters of a quick fit),
``PERTURBATIONS`` (names that its generators take), ``TRANSFORMING`` (generators that invent
nothing) and ``rows()``, which returns labelled ``GeneratorData``.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from importlib import import_module
from typing import Any

from activesynth.bootstrap import catalog
from activesynth.domain.exchange import GeneratorData
from activesynth.domain.registry import Row
from activesynth.generation.registry import GENERATORS
from activesynth.models.registry import TRAINERS
from activesynth.perturbations.registry import CORRUPTIONS
from digit_sets import ENCODERS, TINY
from generation_rows import digit_data
from tiny_checkpoints import CHECKPOINTS, PREPARED

CATALOG = catalog()


@dataclass(frozen=True)
class Case:
    """A part by name with parameters of a quick fit, and the rows it works on.

    ``prepare`` makes what a part needs on disk, when a test first asks, and returns the parameters
    that name it. What ``only_transforms`` real rows has nothing to steer.
    """

    kind: str
    name: str
    rows: Callable[[], GeneratorData]
    parameters: dict[str, Any] = field(default_factory=dict)
    perturbations: tuple[str, ...] = ("noise", "rotation", "occlusion")
    prepare: Callable[[], dict[str, Any]] = dict
    only_transforms: bool = False

    def create(self) -> Any:
        """Build the part."""
        return CATALOG.create(self.kind, self.name, self.parameters | self.prepare())

    def __str__(self) -> str:
        return self.name


def digits() -> GeneratorData:
    return digit_data()[0]


def cases(kind: str) -> list[Case]:
    """Return every part of a kind, by name."""
    return sorted([*_ours(kind), *_theirs(kind)], key=str)


def _ours(kind: str) -> list[Case]:
    if kind == "trainer":
        return [Case(kind, name, digits, TINY | ENCODERS[name]) for name in TRAINERS]
    if kind == "corruption":
        return [Case(kind, name, digits) for name in CORRUPTIONS]
    return [
        Case(
            kind,
            name,
            digits,
            _quick(row) | CHECKPOINTS.get(name, {}),
            prepare=PREPARED.get(name, dict),
            only_transforms=name == "corruption",
        )
        for name, row in GENERATORS.items()
    ]


def _quick(row: Row) -> dict[str, Any]:
    """Return few steps where a part has a number of steps."""
    module, _, model = (row.parameters or ":").partition(":")
    fields = getattr(import_module(module), model).model_fields if module else {}
    return {"steps": 40} if "steps" in fields else {}


def _theirs(kind: str) -> list[Case]:
    module = os.environ.get("ACTIVESYNTH_CONTRACT")
    if not module:
        return []
    found = import_module(module)
    return [
        Case(
            kind,
            name,
            cache(found.rows),
            parameters,
            getattr(found, "PERTURBATIONS", ("",)),
            only_transforms=name in getattr(found, "TRANSFORMING", ()),
        )
        for name, parameters in getattr(found, f"{kind.upper()}S", {}).items()
    ]
