"""What is kept on record of an erasure: enough to recognise a person, and nothing of the person."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, Protocol

from activesynth.domain.records import VersionRow

NameKind = Literal["sample", "group"]


def name_hash(salt: str, kind: NameKind, name: str) -> str:
    """Return the hash under which an erasure knows a sample's id or a group's value."""
    return hashlib.sha256(f"{salt}|{kind}|{name}".encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Erasure:
    """One act of erasing, as recorded; ``names`` are (kind, hash)."""

    id: str
    campaigns: tuple[str, ...]
    reason: str
    salt: str
    certificate: Mapping[str, Any]
    recorded_at: datetime
    finished_at: datetime | None
    names: frozenset[tuple[str, str]] = frozenset()

    def knows(self, kind: NameKind, name: str) -> bool:
        """Tell whether a sample or a group was erased by this act."""
        return (kind, name_hash(self.salt, kind, name)) in self.names


@dataclass(frozen=True, slots=True)
class ErasedBlob:
    """A blob that was removed on purpose; ``replacement`` has its other rows, where it has any."""

    digest: str
    erasure: str
    kind: str
    replacement: str | None
    recorded_at: datetime
    is_removed: bool


def standing(digest: str, erased: Mapping[str, ErasedBlob]) -> str | None:
    """Return what stands in the place of a blob by now: itself, where it was not erased."""
    present: str | None = digest
    while present is not None and present in erased:
        present = erased[present].replacement
    return present


@dataclass(frozen=True, slots=True)
class Moved:
    """A sample that lay in ``shard`` and lies in ``row`` of ``to`` now."""

    sample: str
    shard: str
    to: str
    row: int


@dataclass(frozen=True, slots=True)
class CampaignSeen:
    """How a campaign stood before it was looked through; where it moved on, the look missed some.

    ``newest`` is the last iteration by number, fence and state; ``artifacts`` are all digests that
    steps recorded, since an iteration may be taken up and fail again as it was.
    """

    head: str | None
    head_model: str | None
    branches: Mapping[str, str]
    iterations: int
    newest: tuple[int, int, str] | None
    artifacts: frozenset[str]


@dataclass(frozen=True, slots=True)
class CampaignErasure:
    """How one campaign goes on: the new head, None where the head held nothing of the person.

    ``seen`` is how it stood; ``branches`` are those that change, before and after;
    ``keeps_model`` tells that the head's model did not train on the person.
    """

    campaign: str
    seen: CampaignSeen
    head: str
    version: VersionRow | None
    branches: Mapping[str, tuple[str, str]]
    keeps_model: bool


@dataclass(frozen=True, slots=True)
class ErasureCommit:
    """All that changes in the records by one erasure, in one transaction.

    ``people`` are ids of the person's real samples, ``gone`` those of all samples that go: copies
    of them as well. ``blobs`` are (digest, what it was, replacement).
    """

    id: str
    salt: str
    reason: str
    names: frozenset[tuple[str, str]]
    certificate: Mapping[str, Any]
    campaigns: Sequence[CampaignErasure]
    people: Collection[str]
    gone: Collection[str]
    blobs: Sequence[tuple[str, str, str | None]]
    moved: Iterable[Moved]


@dataclass(frozen=True, slots=True)
class ArtifactPlace:
    """Where an artifact comes from; ``parent`` is the version that its iteration started from."""

    digest: str
    iteration: int
    step: str
    kind: str
    parent: str
    is_committed: bool


@dataclass(frozen=True, slots=True)
class TrainedModel:
    """A model on record and the manifest that it was trained on, None for the judge."""

    digest: str
    iteration: int
    role: str
    arm: str
    replicate: int
    trained_on: str | None


class ErasureStore(Protocol):
    """A part of :class:`activesynth.domain.ports.LineageStore`."""

    def erasures(self, campaign: str | None = None) -> list[Erasure]:
        """Return what was erased, of one campaign or at all, oldest first."""
        ...

    def erased_blobs(self) -> dict[str, ErasedBlob]:
        """Return every blob that was erased, by digest."""
        ...

    def erased_blob(self, digest: str) -> ErasedBlob | None:
        """Return what is on record about a blob that was erased, None where it was not."""
        ...

    def personal_rows(self, campaigns: Sequence[str], samples: Collection[str]) -> dict[str, int]:
        """Count the rows about these samples, by table; tables without any are left out."""
        ...

    def children(self, campaigns: Sequence[str], samples: Collection[str]) -> list[str]:
        """Return the ids of the samples made from these, or nearest to one of them."""
        ...

    def also_in(self, campaigns: Sequence[str], samples: Collection[str]) -> list[str]:
        """Return the other campaigns that hold one of these samples."""
        ...

    def artifact_places(self, campaign: str) -> list[ArtifactPlace]:
        """Return where all artifacts of a campaign come from."""
        ...

    def trained_models(self, campaign: str) -> list[TrainedModel]:
        """Return the models of committed iterations with what they trained on."""
        ...

    def commit_erasure(self, commit: ErasureCommit) -> None:
        """Part the records from the person, and note which blobs are to go: all or nothing.

        Raises:
            ConflictError: ``campaign_moved`` or ``iteration_open`` if work went on since the look.
        """
        ...

    def condemn_erased(
        self, digests: Collection[str], collector: str, limit: timedelta
    ) -> list[str]:
        """Allow ``collector`` to remove erased blobs now; return those that nobody holds.

        Holders who took no lease within ``limit`` are dead: they lose all leases.
        """
        ...

    def note_removed(self, digests: Collection[str], collector: str) -> None:
        """Note that erased blobs are gone."""
        ...

    def finish_erasure(self, id: str, certificate: Mapping[str, Any]) -> None:
        """Keep the final certificate."""
        ...
