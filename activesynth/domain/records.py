"""What the lineage database is told and what it answers, as frozen values."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from activesynth.domain.documents import Split, Weakness
from activesynth.errors import ConfigurationError

Decision = Literal["promoted", "refused", "not_gated"]
"""``not_gated`` where the campaign's gate is off: nothing was compared and nothing promoted."""
IterationState = Literal["open", "waiting", "committed", "failed"]
Json = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True, slots=True, order=True)
class IterationRef:
    """Names one attempt at one iteration; ``str(ref)`` crosses XCom.

    ``fence`` grows when another run takes the iteration over; a commit under an older fence
    is refused, so a paused old attempt cannot overwrite.
    """

    campaign: str
    number: int
    fence: int

    def __str__(self) -> str:
        """Return ``campaign:number:fence``."""
        return f"{self.campaign}:{self.number}:{self.fence}"

    @classmethod
    def parse(cls, text: str) -> IterationRef:
        """Read what ``str`` wrote.

        Raises:
            ConfigurationError: If the text is not ``campaign:number:fence``.
        """
        campaign, _, rest = text.partition(":")
        number, _, fence = rest.partition(":")
        if not (campaign and number.isdigit() and fence.isdigit()):
            raise ConfigurationError(
                f"iteration id {text!r} is not of the form campaign:number:fence; "
                "take it from the output of `begin`.",
                reason="bad_iteration_id",
                field="iteration",
            )
        return cls(campaign, int(number), int(fence))


@dataclass(frozen=True, slots=True)
class CampaignRecord:
    """A campaign as committed: its head, and what the next iteration builds on.

    ``head`` is the digest of the head dataset version's manifest, ``head_model`` the digest of
    the promoted model card or None, ``branches`` maps an arm to the digest of its own cumulative
    synthetic branch, ``iterations`` counts committed iterations.
    """

    name: str
    config: Json
    config_version: int
    epoch: int
    head: str | None
    head_model: str | None
    branches: Mapping[str, str]
    iterations: int


@dataclass(frozen=True, slots=True)
class IterationRecord:
    """One iteration; ``parent`` is the head version it started from."""

    ref: IterationRef
    run_key: str
    state: IterationState
    config: Json
    config_version: int
    overrides: Json
    parent: str
    parent_model: str | None
    branches: Mapping[str, str]
    decision: Decision | None = None
    reason: str | None = None
    version: str | None = None
    next_run: str | None = None


@dataclass(frozen=True, slots=True)
class StepRecord:
    """A step's result: named artifacts (blob digests), small facts, and what it cost.

    ``derivation_key`` says what the result depends on; equal keys mean the result is reused.
    Seconds, host and attempt are recorded here and never enter hashed bytes.
    """

    name: str
    shard: int
    derivation_key: str
    artifacts: Mapping[str, str]
    facts: Mapping[str, Any]
    inputs: tuple[str, ...] = ()
    seconds: float = 0.0
    device: str = "cpu"
    peak_memory_mb: float = 0.0
    host: str = ""
    is_reused: bool = False


@dataclass(frozen=True, slots=True)
class SampleRow:
    """One sample for the ``samples`` table; scores are raw, in nats or as named."""

    id: str
    origin: Literal["real", "synthetic"]
    shard: str
    row: int
    label: int | None
    generator: str | None = None
    weakness: str | None = None
    seed: int | None = None
    scores: Mapping[str, float] = field(default_factory=dict)
    verdict: str | None = None
    verdict_reason: str | None = None
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MemberRow:
    """One sample's place in one manifest (a version or an arm's candidate)."""

    manifest: str
    sample: str
    split: str
    weight: float


@dataclass(frozen=True, slots=True)
class MetricRow:
    """One number with its interval; ``slice`` is ``all``, ``class:3`` or a weakness id.

    ``seed`` is the replicate, or -1 for the value over all replicates.
    """

    arm: str
    split: str
    slice: str
    name: str
    value: float
    low: float | None = None
    high: float | None = None
    n: int = 0
    seed: int = -1


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One trained model: its card, role (``base``, ``arm``, ``judge``) and training manifest."""

    digest: str
    role: str
    arm: str
    replicate: int
    trained_on: str | None


@dataclass(frozen=True, slots=True)
class PlanRow:
    """One plan item as it is kept for people."""

    weakness: str
    count: int
    expected_gain: float
    evidence: str


@dataclass(frozen=True, slots=True)
class Event:
    """A hint for the outside, sent after commit; ``key`` is unique for ever."""

    key: str
    kind: str
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class OutboxEvent(Event):
    """An event as it waits in the outbox, with what is on record about its commit.

    ``recorded_at`` is when it was committed. ``run_key``, ``decision`` and ``reason`` are those of
    its iteration, None for a refresh; ``parent`` is the version that the work started from, and
    ``rows`` counts those of the version it made, per split, empty where it made none.
    """

    recorded_at: datetime
    run_key: str | None = None
    parent: str | None = None
    decision: Decision | None = None
    reason: str | None = None
    rows: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class VersionRow:
    """A dataset version to insert: manifest digest, its parent, why it exists, rows per split."""

    digest: str
    parent: str | None
    origin: Literal["root", "promoted", "labels_only", "refresh", "erased", "recalled"]
    rows: Mapping[str, int]


@dataclass(frozen=True)
class Streamed(Generic[T]):
    """Rows that are made anew, one after the other, each time they are gone through."""

    make: Callable[[], Iterator[T]]

    def __iter__(self) -> Iterator[T]:
        """Begin with the first."""
        return self.make()


@dataclass(frozen=True, slots=True)
class Bundle:
    """Rows that become visible together in one transaction.

    There may be more samples and members than fit into memory: they are gone through, twice or
    more often, and never held.
    """

    version: VersionRow | None = None
    samples: Iterable[SampleRow] = ()
    members: Iterable[MemberRow] = ()
    weaknesses: tuple[Weakness, ...] = ()
    plan: tuple[PlanRow, ...] = ()
    models: tuple[ModelRow, ...] = ()
    metrics: tuple[MetricRow, ...] = ()
    events: tuple[Event, ...] = ()


@dataclass(frozen=True, slots=True)
class IterationCommit:
    """All that a decided iteration leaves, promoted or refused.

    ``version`` in the bundle is None when neither labels nor samples were added. ``head_model``
    and ``branches`` become the campaign's; None as ``head_model`` means that the next iteration
    trains its base model anew on the head version.
    """

    ref: IterationRef
    parent: str
    decision: Decision
    reason: str
    head_model: str | None
    branches: Mapping[str, str]
    next_run: str | None
    bundle: Bundle


@dataclass(frozen=True, slots=True)
class QueueItem:
    """One sample somebody is asked about; ``version`` guards against stale answers.

    ``label`` asks for a pool row's label, ``review`` whether a synthetic sample is what it was
    made to be, ``recheck`` whether the label that a train row has is right. ``second`` says that
    somebody else is to be asked too, once it was answered.
    """

    id: str
    sample: str
    kind: Literal["label", "review", "recheck"]
    shard: str
    row: int
    proposed: int | None
    version: int = 0
    second: bool = False


@dataclass(frozen=True, slots=True)
class Annotation:
    """One answer: ``label`` for accept and relabel, None for reject and skip."""

    item: str
    sample: str
    action: Literal["accept", "reject", "relabel", "skip"]
    label: int | None
    annotator: str
    item_version: int
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SplitRead:
    """How often a guarded split was read, and by what."""

    split: Split
    purpose: str
    count: int


@dataclass(frozen=True, slots=True)
class DiagnosisRecord:
    """A diagnosis made on demand, outside of any iteration.

    ``run_key`` is the run that asked for it, ``version`` the manifest and ``model`` the card it is
    about; ``profile`` is the digest of the weakness profile and ``document`` its content.
    """

    campaign: str
    run_key: str
    version: str
    model: str
    profile: str
    document: Json


@dataclass(frozen=True, slots=True)
class RecordedBlob:
    """A digest that rows point at, and whether they use it as a dataset manifest or model card."""

    digest: str
    is_manifest: bool
    is_card: bool


@dataclass(frozen=True, slots=True)
class BlobUse:
    """One reason why a blob matters.

    ``relation`` is ``artifact`` (``name`` is ``step/kind``, ``shard`` its part), ``read_by`` (a
    step), ``version`` or ``descendant`` (``name`` is its digest), ``head``, ``head_model``,
    ``branch``, ``model`` or ``trained`` (``name`` is the card's digest), ``diagnosis`` (the run
    that asked), ``samples`` (``name`` is one of ``count``) or ``members``. ``reaches_version``,
    ``reaches_model`` and ``reaches_samples`` name what was made from it, by however many steps in
    between. ``is_open`` tells of an iteration that is not committed.
    """

    digest: str
    campaign: str
    iteration: int | None
    relation: str
    name: str
    shard: int = 0
    count: int = 1
    is_open: bool = False


@dataclass(frozen=True, slots=True)
class BlobMention:
    """Rows of one campaign that refer to a blob which an artifact or a manifest must know.

    ``place`` is ``table.column``, ``example`` names one of the rows; where a row stands in a shard,
    ``row`` is the highest of them and ``example`` the sample there.
    """

    digest: str
    campaign: str
    place: str
    example: str
    row: int | None = None


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that points at something that is not on record."""

    campaign: str
    table: str
    row: str
    problem: str
