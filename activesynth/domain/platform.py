"""The ports together: what a step is handed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from activesynth.domain.effects import Effects, Unwatched
from activesynth.domain.ports import (
    AnnotationQueue,
    Clock,
    EventSink,
    LineageReader,
    LineageStore,
    ObjectStore,
    VectorIndex,
)
from activesynth.domain.registry import Catalog

Report = Callable[[str, int, int], None]
"""Called with (what, done, total) while a step works."""


def unheard(what: str, done: int, total: int) -> None:
    """Report progress to nobody."""


@dataclass(frozen=True, slots=True)
class Platform:
    """Everything a step may reach outside of its own arguments."""

    objects: ObjectStore
    lineage: LineageStore
    queue: AnnotationQueue
    reader: LineageReader
    index: VectorIndex
    parts: Catalog
    sink: EventSink
    clock: Clock
    profile: str
    device: str = "cpu"
    effects: Effects = field(default_factory=Unwatched)
    report: Report = unheard
