"""Documents that are stored as canonical JSON and addressed by their content."""

from __future__ import annotations

from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from activesynth.domain.canonical import canonical_json, sha256
from activesynth.errors import CorruptArtifactError

SPLITS = ("train", "pool", "guide", "judge", "gate", "test")
Split = Literal["train", "pool", "guide", "judge", "gate", "test"]
Verdict = Literal["accepted", "rejected"]
WeaknessKind = Literal["class", "cluster", "uncertain", "corruption", "slice", "declared"]
WeaknessState = Literal["open", "closed", "regressed"]
EVERYWHERE = "everywhere"
"""Stands in a plan, and for its samples, where a weakness would: all classes alike."""
MAX_WEAKNESS_ID = 200
"""Most characters of a weakness's id; samples carry the id of the weakness they were made for."""


class Document(BaseModel):
    """A frozen document with strict keys; its digest is that of its canonical JSON."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def encode(self) -> bytes:
        """Return canonical JSON bytes."""
        return canonical_json(self.model_dump(mode="json"))

    @property
    def digest(self) -> str:
        """Return the SHA-256 of the canonical JSON: the document's address."""
        return sha256(self.encode())

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Parse bytes written by :meth:`encode`.

        Raises:
            CorruptArtifactError: If the bytes are not such a document.
        """
        try:
            return cls.model_validate_json(data)
        except ValidationError as error:
            place = ".".join(map(str, error.errors(include_url=False)[0]["loc"]))
            raise CorruptArtifactError(
                f"not a readable {cls.__name__}: {error}", field=place or cls.__name__
            ) from error


class ShardRef(Document):
    """Where some rows lie: blob digest, number of rows, size in bytes."""

    blob: str
    rows: int
    bytes: int


class DatasetManifest(Document):
    """An immutable listing of shards: a dataset version, or a candidate for one.

    ``splits`` holds real rows. A pool row that was labelled stands in ``train`` as well; readers
    leave it out of the pool. ``synthetic`` holds accepted synthetic rows with the columns
    ``weight``, ``weakness``, ``generator``, ``seed`` and ``parents``. ``oracle`` holds the
    hidden labels of the pool where an experiment has them, and is read by annotators only.
    ``quarantine`` holds the ids of rows that were read and kept out, with the column ``reason``,
    and in shards of their own the items that could not be read, with ``name`` and ``detail`` too;
    ``refreshed`` is the logical date of the refresh that made this manifest.
    """

    format: Literal[1] = 1
    modality: str
    classes: tuple[str, ...]
    parent: str | None
    splits: dict[str, tuple[ShardRef, ...]]
    synthetic: tuple[ShardRef, ...] = ()
    oracle: tuple[ShardRef, ...] = ()
    quarantine: tuple[ShardRef, ...] = ()
    refreshed: str | None = None

    @property
    def shards(self) -> tuple[ShardRef, ...]:
        """Return every shard that is listed anywhere."""
        rows = tuple(ref for refs in self.splits.values() for ref in refs)
        return (*rows, *self.synthetic, *self.oracle, *self.quarantine)


class ModelCard(Document):
    """A trained model or generator: how to rebuild it, and where its tensors lie."""

    format: Literal[1] = 1
    part: str
    role: str
    parameters: dict[str, Any]
    tensors: str
    tensors_digest: str
    facts: dict[str, Any] = {}


class Weakness(Document):
    """A slice of the input space where the model fails by more than the margin.

    ``gap`` is the slice's error rate minus the reference error rate, in ``[-1, 1]``, with the
    bounds ``low`` and ``high`` of its interval; ``n`` counts the real rows behind it;
    ``p_value`` is one-sided for gap > margin, after Holm's correction within the kind and an
    equal split over the kinds, so it may be compared with the error rate of the whole profile.
    ``rank`` counts from 1, the weakness to look at first; ``strength`` is the lower bound that it
    is ranked by. ``class_share`` is how the errors in it spread over classes; ``severity`` is in
    ``[0, 1]`` and steers the strength of corruption.

    A weakness of kind ``declared`` has the key ``<kind>:<key>`` of what was declared, and
    ``target_kind`` and ``target_key`` tell what any weakness is about.
    """

    id: str
    kind: WeaknessKind
    key: str
    title: str
    state: WeaknessState = "open"
    gap: float
    low: float
    high: float
    n: int
    p_value: float
    confirmed: bool
    difficulty: float = 0.0
    severity: float = 0.0
    class_share: dict[int, float] = {}
    clusters: tuple[int, ...] = ()
    rank: int = 0
    strength: float = 0.0

    @property
    def target_kind(self) -> str:
        """Return the kind of what the weakness is about: of a declared one, what was declared."""
        return self.key.partition(":")[0] if self.kind == "declared" else self.kind

    @property
    def target_key(self) -> str:
        """Return the key within :attr:`target_kind`; of a corruption its name alone."""
        key = self.key.partition(":")[2] if self.kind == "declared" else self.key
        return key.partition("@")[0] if self.target_kind == "corruption" else key


class SweepPoint(Document):
    """The uncertain region at one threshold ``tau``, with 95 % Wilson intervals.

    ``share`` is |U_tau| over all rows; the two errors are error rates among the ``n_inside`` rows
    in the region and among the others. A side without rows has the error 0 and bounds 0 and 1.
    """

    tau: float
    share: float
    low: float
    high: float
    n_inside: int
    error_inside: float
    error_inside_low: float
    error_inside_high: float
    error_outside: float
    error_outside_low: float
    error_outside_high: float


class WeaknessProfile(Document):
    """What one diagnosis found, versioned so that a generator can follow it without code.

    ``weaknesses`` stand in the order of their ``rank``; ``sweep`` holds the uncertain region at
    other thresholds than ``tau``, in ascending order.
    """

    format: Literal[1] = 1
    campaign: str
    iteration: int
    model: str
    margin: float
    found_on: Literal["A", "B"]
    tau: float
    uncertain_share: float
    uncertain_low: float
    uncertain_high: float
    rare_clusters: tuple[int, ...]
    cluster_shares: tuple[float, ...]
    class_difficulty: tuple[float, ...]
    corruption_accuracy: dict[str, tuple[float, ...]]
    weaknesses: tuple[Weakness, ...]
    sweep: tuple[SweepPoint, ...] = ()


class PlanItem(Document):
    """The part of the budget that one weakness gets, and the evidence for it."""

    weakness: str
    count: int
    expected_gain: float
    evidence: str


class Plan(Document):
    """A budget split over weaknesses; the parts sum exactly to ``budget``."""

    format: Literal[1] = 1
    budget: int
    labels: int
    is_uniform: bool
    items: tuple[PlanItem, ...]
