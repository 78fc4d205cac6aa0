"""Small fakes that keep the promises of the ports they stand for, in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import numpy as np

from activesynth.annotation.registry import ANNOTATORS
from activesynth.datasets.registry import SOURCES
from activesynth.domain.canonical import Array
from activesynth.domain.collection import StoredBlob
from activesynth.domain.effects import Effects, Unwatched
from activesynth.domain.erasure import Erasure
from activesynth.domain.platform import Platform
from activesynth.domain.ports import (
    AnnotationQueue,
    EventSink,
    LineageReader,
    LineageStore,
    VectorIndex,
)
from activesynth.domain.records import (
    Annotation,
    Bundle,
    CampaignRecord,
    Event,
    IterationRef,
    QueueItem,
)
from activesynth.domain.registry import Catalog
from activesynth.errors import ConfigurationError, ConflictError, MissingArtifactError
from activesynth.modalities.registry import MODALITIES
from activesynth.models.registry import TRAINERS


class MemoryObjects:
    """An object store in a dict."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}

    def put(self, data: bytes) -> str:
        digest = hashlib.sha256(data).hexdigest()
        self.blobs[digest] = data
        return digest

    def get(self, digest: str) -> bytes:
        if digest not in self.blobs:
            raise MissingArtifactError(f"no blob {digest}")
        return self.blobs[digest]

    def has(self, digest: str) -> bool:
        return digest in self.blobs

    def digests(self) -> Iterable[str]:
        return list(self.blobs)

    def listed(self) -> Iterable[StoredBlob]:
        long_ago = datetime(2026, 1, 1, tzinfo=UTC)
        return [StoredBlob(digest, len(data), long_ago) for digest, data in self.blobs.items()]

    def delete(self, digest: str, *, before: datetime) -> None:
        self.blobs.pop(digest, None)

    def size(self, digest: str) -> int:
        return len(self.get(digest))

    def check(self, digest: str) -> int:
        return len(self.get(digest))


class MemoryLineage:
    """The part of the lineage store that operations use."""

    def __init__(self) -> None:
        self.records: dict[str, CampaignRecord] = {}
        self.bundles: list[Bundle] = []
        self.sent: list[str] = []

    def register_campaign(self, name: str, config: Mapping[str, Any]) -> CampaignRecord:
        old = self.records.get(name)
        if old is None:
            old = CampaignRecord(name, dict(config), 1, 1, None, None, {}, 0)
        elif old.config != config:
            old = replace(old, config=dict(config), config_version=old.config_version + 1)
        self.records[name] = old
        return old

    def erasures(self, campaign: str | None = None) -> list[Erasure]:
        return []

    def campaign(self, name: str) -> CampaignRecord:
        if name not in self.records:
            raise ConfigurationError(f"no campaign {name!r}")
        return self.records[name]

    def commit_version(self, campaign: str, bundle: Bundle, *, expected_head: str | None) -> bool:
        record = self.records[campaign]
        assert bundle.version is not None
        if record.head == bundle.version.digest:
            return False
        if record.head != expected_head:
            raise ConflictError(f"the head is {record.head}, not {expected_head}")
        self.records[campaign] = replace(record, head=bundle.version.digest)
        samples, members = tuple(bundle.samples), tuple(bundle.members)
        self.bundles.append(replace(bundle, samples=samples, members=members))
        return True

    def pending_events(self) -> list[Event]:
        events = [event for bundle in self.bundles for event in bundle.events]
        return [event for event in events if event.key not in self.sent]

    def mark_sent(self, key: str) -> None:
        self.sent.append(key)


@dataclass(slots=True)
class MemoryQueue:
    """An annotation queue whose items are offered by the test."""

    items: list[QueueItem]
    given: dict[str, Annotation] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)

    def pending(self, campaign: str, limit: int = 100) -> list[QueueItem]:
        return [item for item in self.items if item.id not in self.given][:limit]

    def next_items(self, campaign: str, annotator: str, limit: int) -> list[QueueItem]:
        back = [item for item in self.pending(campaign) if item.id in self.held]
        rest = [item for item in self.pending(campaign) if item.id not in self.held]
        taken = [*back, *rest][:limit]
        self.held |= {item.id for item in taken}
        return taken

    def release(self, annotator: str) -> None:
        self.held.clear()

    def answer(self, annotation: Annotation, *, holder: IterationRef | None = None) -> None:
        item = next(item for item in self.items if item.id == annotation.item)
        if item.version != annotation.item_version or item.id in self.given:
            raise ConflictError(f"item {item.id} has moved on")
        self.given[item.id] = annotation
        self.held.discard(item.id)

    def undo(self, item: str, annotator: str) -> None:
        if self.given.pop(item).annotator != annotator:
            raise ConflictError("somebody else answered")
        self.held.add(item)
        self.items = [
            replace(old, version=old.version + 1) if old.id == item else old for old in self.items
        ]


@dataclass(slots=True)
class MemoryReader:
    """Answers ``metrics`` with the rows it was given, and knows of no iteration."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    def metrics(self, campaign: str, iteration: int | None = None) -> list[dict[str, Any]]:
        return self.rows

    def iterations(self, campaign: str) -> list[dict[str, Any]]:
        return []


class MemorySink:
    """Remembers what was delivered; may refuse."""

    def __init__(self) -> None:
        self.delivered: list[Event] = []

    def send(self, event: Event) -> None:
        self.delivered.append(event)


class FixedClock:
    """Always the same moment."""

    def now(self) -> datetime:
        return datetime(2026, 9, 1, tzinfo=UTC)


def make_platform(
    *,
    objects: MemoryObjects | None = None,
    lineage: MemoryLineage | LineageStore | None = None,
    sink: EventSink | None = None,
    reader: MemoryReader | None = None,
    effects: Effects | None = None,
) -> Platform:
    """Return a platform for operations, with real sources, annotators and modalities."""
    return Platform(
        objects=objects or MemoryObjects(),
        lineage=cast(LineageStore, lineage or MemoryLineage()),
        queue=cast(AnnotationQueue, MemoryQueue([])),
        reader=cast(LineageReader, reader or MemoryReader()),
        index=cast(VectorIndex, None),
        parts=Catalog(
            {
                "source": SOURCES,
                "annotator": ANNOTATORS,
                "modality": MODALITIES,
                "trainer": TRAINERS,
            }
        ),
        sink=sink or MemorySink(),
        clock=FixedClock(),
        profile="test",
        effects=effects or Unwatched(),
    )


def make_pictures(count: int, *, seed: int = 0, side: int = 8) -> Array:
    """Return random grey pictures that no two of which resemble each other, uint8."""
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, side, side, 1), dtype=np.uint8)


def write_npz(path: Path, x: Array, y: Array, **others: Array) -> None:
    """Write an archive that the npz source reads."""
    named: dict[str, Any] = {"x": x, "y": y, **others}
    np.savez(path, **named)
