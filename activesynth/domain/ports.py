"""Every swappable part of the loop on one page.

A part is a class that satisfies one of these protocols and is one row in its room's registry, or
a third party's entry point. ``tests/contract`` holds each to what its docstring here promises.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol, runtime_checkable

from activesynth.domain.canonical import Array
from activesynth.domain.collection import CollectionStore, StoredBlob
from activesynth.domain.erasure import ErasureStore
from activesynth.domain.exchange import (
    AnnotationTask,
    ArmContext,
    ArmRows,
    GenerationRequest,
    GeneratorData,
    SelectionContext,
    SourceData,
    State,
    SyntheticBatch,
    TrainingSet,
)
from activesynth.domain.experiments import ExperimentStore
from activesynth.domain.integrity import IntegrityReader
from activesynth.domain.on_demand import OnDemandReader, OnDemandStore
from activesynth.domain.pages import PageReader
from activesynth.domain.recalls import RecallStore
from activesynth.domain.records import (
    Annotation,
    Bundle,
    CampaignRecord,
    IterationCommit,
    IterationRecord,
    IterationRef,
    OutboxEvent,
    QueueItem,
    SplitRead,
    StepRecord,
)
from activesynth.domain.samples import SampleSet
from activesynth.domain.sharing import SharedQueue
from activesynth.domain.standing import StandingReader

Progress = Callable[[int, int], None]
"""Called with (done, total) while long work runs; cheap, and safe to ignore."""


def silent(done: int, total: int) -> None:
    """Report progress to nobody."""


@runtime_checkable
class Predictor(Protocol):
    """A fitted classifier ensemble."""

    def predict_proba(self, x: Array) -> Array:
        """Return calibrated mean class probabilities, ``(n, classes)`` float64, rows sum to 1."""

    def draws(self, x: Array, *, passes: int, seed: int) -> Array:
        """Return class probabilities of every member and dropout pass.

        Shape ``(members * passes, n, classes)``, member-major: rows ``m * passes`` to
        ``(m + 1) * passes - 1`` belong to member ``m``. Equal seeds give equal draws.
        """


@runtime_checkable
class DifferentiablePredictor(Predictor, Protocol):
    """A predictor that also tells how its scores change with its input (guidance, attacks)."""

    def score_and_gradient(
        self, x: Array, score: str, y: Array | None = None
    ) -> tuple[Array, Array]:
        """Return a score per row ``(n,)`` float64 and its gradient by ``x``, like ``x`` float32.

        ``x`` holds inputs as floats, images in ``[0, 1]`` of shape ``(n, h, w, c)``. ``score`` is
        ``cross_entropy`` (of the mean calibrated prediction at label ``y``), ``entropy`` (nats, of
        the mean prediction) or ``variance`` (of the members' probabilities, averaged over classes).
        Rows do not influence one another.
        """


@runtime_checkable
class Trainer(Protocol):
    """Fits encoders and classifier ensembles for one kind of data."""

    def check(self, x: Array) -> None:
        """Refuse inputs it cannot learn from, before any work: ``InputError`` names the limit."""

    def pretrain(self, x: Array, *, seed: int, progress: Progress = silent) -> State:
        """Fit an encoder without labels (contrastive). ``x`` as in :class:`SampleSet`."""

    def fit(
        self,
        data: TrainingSet,
        encoder: State | None,
        *,
        seed: int,
        progress: Progress = silent,
    ) -> State:
        """Fit the cross-fitted ensemble, starting from ``encoder`` where given.

        ``state.tensors["out_of_fold"]`` holds, for each real row of ``data``, the class
        probabilities of members that did not train on its group, ``(n, classes)`` (rows of
        synthetic samples are zero). Equal arguments give bit-equal states on one machine.
        """

    def load(self, state: State) -> Predictor:
        """Rebuild the fitted ensemble."""

    def embed(self, encoder: State, x: Array) -> Array:
        """Return L2-normalised embeddings by a pretrained encoder, ``(n, d)`` float32.

        The encoder is frozen for a campaign, so embeddings, clusters and the numbers computed
        from them can be compared over iterations. A row's embedding does not depend on the others.
        """


@runtime_checkable
class SampleGenerator(Protocol):
    """Makes samples; trained on real data only."""

    def fit(self, data: GeneratorData, *, seed: int, progress: Progress = silent) -> State:
        """Learn from real rows. Equal arguments give equal states on one machine."""

    def generate(
        self, state: State, request: GenerationRequest, *, progress: Progress = silent
    ) -> SyntheticBatch:
        """Return exactly ``request.count`` samples; equal row seeds give equal samples.

        Raises:
            InputError: If the request carries a guide or a strength that this part cannot follow;
                one that only transforms anchors does not look at them.
        """

    def confidence(self, state: State, x: Array, y: Array) -> Array:
        """Score how much ``x`` looks like what was learnt, ``(n,)`` in [0, 1]; higher is better.

        Used to calibrate the threshold on held-out real rows.
        """


@runtime_checkable
class Corruption(Protocol):
    """A perturbation that keeps the label."""

    name: str

    def apply(self, x: Array, *, severity: float, seed: int) -> Array:
        """Return a corrupted copy of ``x``, same shape and dtype; ``severity`` in [0, 1].

        Severity 0 is the identity. Each row's randomness depends on ``seed`` and its position.
        """


@runtime_checkable
class QueryStrategy(Protocol):
    """Chooses which candidates people are asked about."""

    def select(self, context: SelectionContext, count: int, *, seed: int) -> Array:
        """Return ``min(count, n)`` distinct row indices, most wanted first, int64."""


@runtime_checkable
class Metric(Protocol):
    """A number about predictions."""

    name: str
    higher_is_better: bool

    def __call__(self, y: Array, probs: Array) -> float:
        """Return the value for labels ``(n,)`` and probabilities ``(n, classes)``."""


@runtime_checkable
class Arm(Protocol):
    """One way to build the training set for the same budget."""

    name: str

    def build(self, context: ArmContext) -> ArmRows:
        """Return the rows this arm trains on; the real rows come first and are all there."""


@runtime_checkable
class Annotator(Protocol):
    """Answers annotation tasks."""

    needs_people: bool

    def annotate(self, tasks: Sequence[AnnotationTask], *, seed: int) -> list[Annotation]:
        """Answer at once what can be answered; people's annotator answers nothing here."""


@runtime_checkable
class DatasetSource(Protocol):
    """Reads labelled or unlabelled rows from somewhere."""

    def read(self) -> SourceData:
        """Return everything, in an order that depends on the content alone.

        Raises:
            InputError: If something cannot be read; the reason code says what.
        """


@runtime_checkable
class VectorIndex(Protocol):
    """Nearest neighbours over embeddings, and a codebook."""

    def build(self, vectors: Array) -> bytes:
        """Return the serialised index over ``(n, d)`` float32 vectors; rows are the ids."""

    def search(self, index: bytes, queries: Array, k: int) -> tuple[Array, Array]:
        """Return squared Euclidean distances and row ids, both ``(m, k)``, nearest first.

        ``index`` must come from :meth:`build` and its digest must have been verified.
        """

    def codebook(self, vectors: Array, count: int, *, seed: int) -> Array:
        """Return ``(count, d)`` float32 centroids of a seeded k-means, in a canonical order."""

    def assign(self, centroids: Array, vectors: Array) -> Array:
        """Return the nearest centroid of each vector, ``(n,)`` int64."""


class Modality(Protocol):
    """Which parts serve one kind of data, and what binds them."""

    name: str

    def check(self, samples: SampleSet) -> None:
        """Refuse rows it cannot work on: ``InputError`` with field, value and limit."""

    def generator_for(self, weakness_kind: str, chosen: str) -> str:
        """Return the generator's name for a kind of weakness, ``chosen`` being the campaign's."""

    def as_pixels(self, x: Array) -> Array | None:
        """Return ``(n, height, width, 3)`` uint8 pictures for pages, or None."""


class ObjectStore(Protocol):
    """Immutable blobs addressed by the SHA-256 of their bytes."""

    def put(self, data: bytes) -> str:
        """Store ``data`` and return its digest; storing twice is harmless."""

    def get(self, digest: str) -> bytes:
        """Return the bytes, verified against ``digest`` before they are handed out.

        Raises:
            MissingArtifactError: If there is no such blob.
            CorruptArtifactError: If the stored bytes have another digest.
            TransientError: If the store did not answer.
        """

    def has(self, digest: str) -> bool:
        """Tell whether the blob is there, without reading it."""

    def digests(self) -> Iterable[str]:
        """List every blob in the store, in no particular order, without holding all names."""

    def size(self, digest: str) -> int:
        """Return the size in bytes.

        Raises:
            MissingArtifactError: If there is no such blob.
        """

    def check(self, digest: str) -> int:
        """Return the size after comparing the bytes with ``digest`` piece by piece.

        Raises as :meth:`get` does, and needs no more memory for a large blob than for a small one.
        """

    def listed(self) -> Iterable[StoredBlob]:
        """List as :meth:`digests` does, with size and time of last writing."""

    def delete(self, digest: str, *, before: datetime) -> None:
        """Remove a blob; one that is not there is no error. Only the collector may.

        Raises :class:`TransientError`, and removes nothing, once ``before`` has passed.
        """


class LineageStore(
    OnDemandStore, ExperimentStore, CollectionStore, ErasureStore, RecallStore, Protocol
):
    """The side of Postgres that the loop writes and that decides every race.

    Every method is one transaction. All methods raise :class:`TransientError` when the server
    does not answer. Times come from the store's clock and never decide anything.
    """

    def register_campaign(self, name: str, config: Mapping[str, Any]) -> CampaignRecord:
        """Create the campaign, or record an edited config as its next version."""

    def campaign(self, name: str) -> CampaignRecord:
        """Return the campaign as committed.

        Raises:
            ConfigurationError: If there is no such campaign; the message names those there are.
        """

    def commit_version(self, campaign: str, bundle: Bundle, *, expected_head: str | None) -> bool:
        """Commit a root or refreshed version outside an iteration, moving the head.

        Compare-and-swap on the head; the head model and branches stay. Returns False when exactly
        this version is already the head (nothing to do).

        Raises:
            ConflictError: If the head is neither ``expected_head`` nor this version, or an
                iteration is open.
        """

    def open_iteration(
        self, campaign: str, run_key: str, overrides: Mapping[str, Any]
    ) -> IterationRecord:
        """Open the campaign's next iteration for a run, or rejoin the one the run already has.

        Takes the campaign's row lock. A failed iteration is taken over under a higher fence.

        Raises:
            ConflictError: If another run has an iteration open.
        """

    def iteration(self, ref: IterationRef) -> IterationRecord:
        """Return the iteration.

        Raises:
            ConflictError: If the iteration has been taken over under another fence.
            ConfigurationError: If there is none.
        """

    def last_iterations(self) -> list[IterationRecord]:
        """Return the last iteration of every campaign that has one, by campaign."""

    def fail_iteration(self, ref: IterationRef, reason: str) -> None:
        """Mark an open iteration failed, so that another run may take it over.

        Until one does, the next result or question of its own run reopens it.
        """

    def find_step(self, derivation_key: str) -> StepRecord | None:
        """Return any recorded result with this derivation key."""

    def step(self, ref: IterationRef, name: str, shard: int = 0) -> StepRecord:
        """Return the iteration's own result of a step.

        Raises:
            ConfigurationError: If the step has not run in this iteration.
            ConflictError: If there is none because the iteration has been taken over.
        """

    def steps(self, ref: IterationRef, name: str) -> list[StepRecord]:
        """Return all shards' results of a step, by shard; raises as `step` for one taken over."""

    def record_step(self, ref: IterationRef, record: StepRecord) -> StepRecord:
        """Stage a step's result with its artifacts and their edges; return the one that stands.

        Under one fence the first result with a derivation key stands, because later steps may
        have read it already: what is returned can be another delivery's. A result with another
        key, or of an earlier fence, is replaced.

        Raises:
            ConflictError: If the iteration has been taken over, is committed with another result,
                or failed and the head has moved since.
        """

    def commit_iteration(self, commit: IterationCommit) -> bool:
        """Make everything of the iteration visible at once; return False if it already was.

        One short transaction, head moved by compare-and-swap under the fence.

        Raises:
            ConflictError: If the head moved, the fence is old, or the iteration was committed
                with other content.
        """

    def count_split_read(
        self, campaign: str, split: str, purpose: str, iteration: int | None
    ) -> int:
        """Count a read of a guarded split, once for a purpose; return the reads in this epoch."""

    def split_reads(self, campaign: str) -> list[SplitRead]:
        """Return the counted reads per split and purpose of this epoch."""

    def benefit_history(self, campaign: str) -> list[tuple[int, str, float]]:
        """Return (iteration, weakness, measured benefit) of committed iterations, oldest first.

        The benefit is the metric ``benefit`` of slice = weakness id, arm ``targeted``.
        """

    def weakness_states(self, campaign: str) -> dict[str, str]:
        """Return the latest committed state of each weakness ever seen."""

    def metric_history(self, campaign: str, name: str, arm: str) -> list[tuple[int, float]]:
        """Return (iteration, value) of a committed metric on guide, slice ``all``, oldest first."""

    def pending_events(self) -> list[OutboxEvent]:
        """Return outbox events that have not been sent, oldest first."""

    def mark_sent(self, key: str) -> None:
        """Record that an event left."""


class AnnotationQueue(SharedQueue, Protocol):
    """Items waiting for people, and the append-only answers."""

    def enqueue(self, ref: IterationRef, items: Sequence[QueueItem]) -> None:
        """Offer items once; repeating is harmless. The iteration waits, also one that failed."""

    def pending(self, campaign: str, limit: int = 100) -> list[QueueItem]:
        """Return items of open iterations that have no answer yet, in queue order."""

    def waiting_since(self, ref: IterationRef) -> datetime | None:
        """Return when the iteration's items were offered, or None."""

    def answer(self, annotation: Annotation, *, holder: IterationRef | None = None) -> None:
        """Append one answer.

        Args:
            annotation: The answer.
            holder: For answers that a task gives by itself: the iteration as it holds it.

        Raises:
            ConflictError: If ``item_version`` is stale: somebody answered in between; or if another
                run has taken the iteration over from ``holder``.
        """

    def answers(self, ref: IterationRef) -> list[Annotation]:
        """Return the latest answer of each item of the iteration, in queue order."""

    def undo(self, item: str, annotator: str, version: int | None = None) -> None:
        """Take back the annotator's answer to a version of an item, or the latest one."""


class LineageReader(OnDemandReader, StandingReader, IntegrityReader, PageReader, Protocol):
    """What pages, reports and ``activesynth show`` read: committed facts as plain rows."""

    def campaigns(self) -> list[dict[str, Any]]:
        """Return one row per campaign: head, iterations, state, last lift with its interval."""

    def iterations(
        self, campaign: str, *, after: int = -1, limit: int | None = None
    ) -> list[dict[str, Any]]:
        """Return committed iterations by number: decision, reason, version, seconds."""

    def metrics(self, campaign: str, iteration: int | None = None) -> list[dict[str, Any]]:
        """Return metric rows with iteration, arm, split, slice, name, value, low, high, n, seed."""

    def samples(
        self, campaign: str, *, iteration: int | None = None, limit: int = 100, after: str = ""
    ) -> list[dict[str, Any]]:
        """Return synthetic samples by key order, each with verdict, weakness, scores and shard."""

    def sample(self, sample_id: str) -> list[dict[str, Any]]:
        """Return everything known about a sample: one row per manifest and model it reached."""

    def retrieved(self, campaign: str) -> list[dict[str, Any]]:
        """Return pool rows asked about for a weakness, with distance, label and answer."""

    def rechecks(self, campaign: str) -> list[dict[str, Any]]:
        """Return the answers about doubted labels of train rows: label before, action, label."""

    def ancestry(self, version: str) -> list[dict[str, Any]]:
        """Return the version and its ancestors up to the root."""

    def models(self, campaign: str) -> list[dict[str, Any]]:
        """Return the models of committed iterations: iteration, role, arm, replicate, digest."""

    def step_costs(self, campaign: str) -> list[dict[str, Any]]:
        """Return seconds, device and peak memory per iteration and step."""


class EventSink(Protocol):
    """Where outbox events go."""

    def send(self, event: OutboxEvent) -> None:
        """Deliver an event; delivering the same key twice must be harmless.

        Raises:
            TransientError: If it could not be delivered now; it is sent again later.
            ConfigurationError: If the receiver refuses it.
        """


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """Return the present moment with its time zone (UTC)."""
