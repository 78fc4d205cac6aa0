"""What steps and parts hand to each other: aligned arrays with names."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from activesynth.domain.canonical import Array, Tensors
from activesynth.domain.records import QueueItem
from activesynth.domain.samples import SampleSet
from activesynth.errors import InputError


@dataclass(frozen=True, slots=True)
class State:
    """What a fitted part has learnt: named tensors and a small JSON description."""

    tensors: Tensors
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TrainingSet:
    """What an arm hands to the trainer.

    Attributes:
        samples: Labelled rows, real first. ``y`` in ``[0, classes)``.
        weight: Sampling weight per row, ``(n,)``, positive; the trainer draws rows in proportion.
        is_synthetic: ``(n,)`` bool.
        prior: Class probabilities of the previous model, ``(n, classes)``, or None. The KL term
            pulls towards it on real rows only.
        classes: Number of classes.
    """

    samples: SampleSet
    weight: Array
    is_synthetic: Array
    prior: Array | None
    classes: int


@dataclass(frozen=True, slots=True)
class GeneratorData:
    """Real rows a generator learns from, and the conditions known for them.

    ``clusters`` in ``[0, C)`` and ``levels`` (uncertainty level, 0 low, 1 middle, 2 high), both
    ``(n,)`` int64. ``weight`` is a sampling weight, ``(n,)``.
    """

    samples: SampleSet
    clusters: Array
    levels: Array
    weight: Array
    classes: int
    cluster_count: int


@dataclass(frozen=True, slots=True)
class Guide:
    """Where samples are pushed while they are made: up the gradient of a score.

    Attributes:
        gradient: Maps float rows ``(n, ...)`` like the data, images in ``[0, 1]``, to the gradient
            of the score with respect to them, of the same shape. Each row's gradient is a function
            of that row alone.
        scale: How strongly, at least 0; with 0 nothing is pushed and the samples are bit for bit
            those without a guide.
    """

    gradient: Callable[[Array], Array]
    scale: float

    def __post_init__(self) -> None:
        """Refuse a scale that is no finite number of at least 0.

        Raises:
            InputError: With the value.
        """
        if not (math.isfinite(self.scale) and self.scale >= 0.0):
            raise InputError(
                f"`guide.scale` is {self.scale}; it must be a finite number of at least 0. To push "
                "samples down, return the negative gradient.",
                reason="guide_scale",
            )


@dataclass(frozen=True, slots=True)
class GenerationRequest:
    """What to make, one row per sample; ``-1`` in labels, clusters or levels means "free".

    ``seeds`` are uint64, one per sample: a sample depends on its own row only, not on the batch.
    ``anchors`` are real rows to start from, aligned, where the generator transforms instead of
    inventing; ``perturbations`` and ``severities`` (in ``[0, 1]``) say how. With ``strength``, in
    ``(0, 1]``, a generator that invents starts from the anchors as well: near 0 it returns them,
    at 1 little of them is left. ``guide`` says where samples are pushed. A generator that can do
    neither refuses such a request, except where it only transforms.
    """

    labels: Array
    clusters: Array
    levels: Array
    seeds: Array
    anchors: SampleSet | None = None
    perturbations: Array | None = None
    severities: Array | None = None
    strength: float | None = None
    guide: Guide | None = None

    @property
    def count(self) -> int:
        """Return the number of samples asked for."""
        return len(self.seeds)


@dataclass(frozen=True, slots=True)
class SyntheticBatch:
    """Generated rows: ``x`` ``(m, ...)`` like the real data, labels ``y``, confidence in [0, 1]."""

    x: Array
    y: Array
    confidence: Array


@dataclass(frozen=True, slots=True)
class SelectionContext:
    """What a query strategy may look at, aligned over ``n`` candidates.

    ``probs`` are mean class probabilities, ``(n, classes)``; ``draws`` as in
    :meth:`Predictor.draws`, ``(draws, n, classes)``; ``embeddings`` ``(n, d)``; ``centroids``
    ``(C, d)``; ``labelled`` embeddings of the labelled rows ``(m, d)``.
    """

    probs: Array
    draws: Array
    embeddings: Array
    centroids: Array
    labelled: Array


@dataclass(frozen=True, slots=True)
class ArmContext:
    """What an arm may build its training set from.

    ``real`` holds all labelled real rows, bought labels included; the synthetic sets carry the
    columns ``weight`` and ``weakness``. ``real_clusters`` and ``targeted_clusters`` are cluster
    ids. ``real_share`` is the share of each batch that stays real when there is synthetic data.
    ``struggle`` is the adaptive sampler's factor for each real and then each targeted row, or None.
    ``own`` are the synthetic rows of the arm's own branch, for an arm that keeps one beside those
    two. ``seed`` is for whatever an arm draws; it is the same for all arms of an iteration.
    ``corruptions`` are those that the campaign diagnoses.
    """

    real: SampleSet
    targeted: SampleSet | None
    untargeted: SampleSet | None
    real_clusters: Array
    targeted_clusters: Array | None
    classes: int
    real_share: float
    struggle: Array | None = None
    own: SampleSet | None = None
    seed: int = 0
    corruptions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ArmRows:
    """An arm's training rows: samples, sampling weight and origin flag, aligned.

    ``facts`` say what the arm did that its rows do not show; they are recorded with the training.
    """

    samples: SampleSet
    weight: Array
    is_synthetic: Array
    facts: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AnnotationTask:
    """One item as an annotator sees it; ``hidden`` is the true label where an experiment has it.

    ``probs`` are the ensemble's calibrated probabilities, ``(classes,)``; ``reference`` the
    reference model's. ``proposed`` is the label the generator was asked for, None for pool items.
    """

    item: QueueItem
    x: Array
    probs: Array
    reference: Array
    hidden: int | None


@dataclass(frozen=True, slots=True)
class Refused:
    """One item of a source that was left out: its name there, a stable code, what was found."""

    name: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class SourceData:
    """What a source holds: samples (``y`` -1 where unknown) and class names by label.

    ``samples.columns`` holds what the source knows about each row as text, under
    ``attribute.<name>``; the empty text is "unknown". ``duplicates`` counts exact copies that were
    dropped; ``conflicts`` are the ids of kept rows whose copies carried another label; ``refused``
    are the items that could not be used.
    """

    samples: SampleSet
    classes: tuple[str, ...]
    duplicates: int = 0
    conflicts: tuple[str, ...] = ()
    refused: tuple[Refused, ...] = ()
