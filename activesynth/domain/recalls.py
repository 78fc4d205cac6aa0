"""Taking back a batch: which samples are meant, and what is kept on record of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal, Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from activesynth.domain.records import Bundle, CampaignRecord

BatchKind = Literal["iteration", "generator", "weakness", "annotator", "samples"]
KINDS: tuple[BatchKind, ...] = ("iteration", "generator", "weakness", "annotator", "samples")
MAX_SAMPLES = 1000
"""Most ids in one selection; more is an iteration, a generator, a weakness or an annotator."""
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00]+$")]


class Selection(BaseModel):
    """A batch of one campaign, by exactly one of five.

    Attributes:
        campaign: The campaign.
        iteration: The synthetic samples that this committed iteration made.
        generator: The synthetic samples of this generator, by the digest of its card.
        weakness: The synthetic samples made for this weakness.
        annotator: The samples whose standing answer this person gave.
        samples: Synthetic samples, and real ones about which people answered, by their ids.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    campaign: Name
    iteration: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    generator: Name | None = None
    weakness: Name | None = None
    annotator: Name | None = None
    samples: Annotated[tuple[Name, ...], Field(min_length=1, max_length=MAX_SAMPLES)] | None = None

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        given = [kind for kind in KINDS if getattr(self, kind) is not None]
        if len(given) != 1:
            found = " and ".join(given) or "none of them"
            raise ValueError(f"name the batch by exactly one of {', '.join(KINDS)}, not by {found}")
        return self

    @property
    def kind(self) -> BatchKind:
        """Return by what the batch is named."""
        return next(kind for kind in KINDS if getattr(self, kind) is not None)

    @property
    def value(self) -> Any:
        """Return the number, digest, id, name or ids that name the batch."""
        return getattr(self, self.kind)

    def document(self) -> dict[str, Any]:
        """Return the selection within its campaign, as it is kept on record."""
        return self.model_dump(mode="json", exclude={"campaign"}, exclude_none=True)


@dataclass(frozen=True, slots=True)
class Answered:
    """The newest standing answer about a sample in one committed iteration.

    ``proposed`` is the label that the row had before, of a synthetic one that it was made for, and
    None for a pool row; ``shard`` is where the row lay then.
    """

    sample: str
    iteration: int
    kind: Literal["label", "review", "recheck"]
    proposed: int | None
    shard: str
    action: Literal["accept", "reject", "relabel", "skip"]
    label: int | None
    annotator: str

    @property
    def changes(self) -> bool:
        """Tell whether the data set is another by this answer."""
        if self.kind == "label":
            return self.action in ("accept", "relabel") and self.label is not None
        if self.kind == "recheck":
            is_other = self.action == "relabel" and self.label != self.proposed
            return is_other or self.action == "reject"
        return self.action in ("accept", "relabel")


@dataclass(frozen=True, slots=True)
class LinedVersion:
    """A dataset version in its line; ``at`` is the last iteration that had committed by then."""

    digest: str
    iteration: int | None
    origin: str
    at: int


@dataclass(frozen=True, slots=True)
class Interval:
    """A real sample that an answer changed, in the versions from ``first`` to ``last``.

    Both are places in the line of versions, the root's being 0.
    """

    sample: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class RecallRecord:
    """A recall as it stands on record.

    ``selection`` is that of the batch without its campaign, ``samples`` how many were taken back,
    ``iterations`` how many were committed by then, and ``branches`` what took the place of arms'
    synthetic branches.
    """

    campaign: str
    version: str
    samples: int
    selection: Mapping[str, Any]
    reason: str
    recalled_by: str
    iterations: int
    branches: Mapping[str, str]
    recorded_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RecallCommit:
    """All that changes by one recall, in one transaction.

    ``seen`` is the campaign as it was looked at, ``gone`` are the synthetic samples that leave the
    version or a branch, and ``keeps_model`` tells that the head's model did not learn from them.
    """

    record: RecallRecord
    seen: CampaignRecord
    bundle: Bundle
    gone: Collection[str]
    keeps_model: bool


class RecallStore(Protocol):
    """A part of :class:`activesynth.domain.ports.LineageStore`."""

    def commit_recall(self, commit: RecallCommit) -> bool:
        """Commit a version without a batch, and why; return False where it is the head already.

        Head, head model and branches move together, by compare-and-swap on what was seen.

        Raises:
            ConflictError: ``campaign_moved`` or ``iteration_open`` if work went on since the look.
        """
        ...


class RecallReader(Protocol):
    """A part of :class:`activesynth.domain.ports.LineageReader`; ``selection`` names a batch.

    Where answers decide what a batch is, its synthetic samples are handed over as ``samples``.
    """

    def recalls(self, campaign: str) -> list[RecallRecord]:
        """Return what was taken back, oldest first."""
        ...

    def has_batch(self, selection: Selection) -> bool:
        """Tell whether anything on record has the name of the batch."""
        ...

    def batch_names(self, campaign: str, kind: BatchKind, limit: int, after: str = "") -> list[str]:
        """Return names of batches in order: generators, weaknesses, annotators or iterations.

        Iterations are ordered by number, and none is named for ``samples``.
        """
        ...

    def batch_ids(self, selection: Selection) -> frozenset[str]:
        """Return the ids of all synthetic samples of the batch, those never accepted as well."""
        ...

    def answers_about(self, selection: Selection) -> list[Answered]:
        """Return all answers about the samples of an annotator or of a list, by sample, in order.

        Those of other annotators as well, and none for any other kind of batch.
        """
        ...

    def version_line(self, campaign: str) -> list[LinedVersion]:
        """Return all dataset versions of the campaign, the root first."""
        ...

    def batch_members(
        self, selection: Selection, samples: Sequence[str]
    ) -> dict[str, tuple[int, int | None]]:
        """Count the synthetic samples of the batch in every manifest on record that has any.

        Beside the count stands the iteration that committed the manifest, None where none did.
        """
        ...

    def batch_sizes(self, selection: Selection, samples: Sequence[str]) -> tuple[int, int]:
        """Count the synthetic samples of the batch, and those that any manifest ever had."""
        ...

    def train_members(
        self, campaign: str, intervals: Sequence[Interval], line: Sequence[LinedVersion]
    ) -> dict[str, int]:
        """Count the real samples that stand in train of a version within one of their intervals."""
        ...

    def models_on(
        self, campaign: str, manifests: Sequence[str], versions: Sequence[str]
    ) -> list[dict[str, Any]]:
        """Return the models trained on one of the manifests, or on the real rows of a version.

        The arms of an iteration share the real rows of the version that it committed, or, where it
        committed none, of the one that it started from. Rows have iteration, role, arm, replicate,
        digest and trained_on.
        """
        ...

    def moved_metrics(
        self, campaign: str, arms: Sequence[tuple[int, str]], limit: int
    ) -> tuple[int, list[dict[str, Any]]]:
        """Return how many numbers on guide and gate tell of an (iteration, arm), and the first.

        Differences from an arm count as well. Rows have iteration, arm, split, name, value, low,
        high and n.
        """
        ...
