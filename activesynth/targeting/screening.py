"""The two-sided screen: neither what looks wrong nor what teaches nothing gets through."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError

CENSUS_ROWS, ASKED_ROWS = 50_000, 20_000
"""Train rows up to which nearest rows are found exactly and for every row; of more, the index is
asked about that many train and that many guide rows. The share of rows under a limit then errs by
sqrt(q (1 - q) / 20,000) for the quantile q: 0.0005 at 0.005, 0.0007 at 0.99."""
Nearest = Callable[[Array, int], Array]
"""From rows ``(m, d)`` and k to the Euclidean distances of the k nearest train rows, ``(m, k)``,
nearest first."""
REASONS = ("unrealistic", "low_confidence", "near_duplicate", "label_mismatch", "too_easy")


@dataclass(frozen=True, slots=True)
class Limits:
    """Calibrated on real rows, applied to candidates.

    Attributes:
        max_distance: Euclidean distance to the nearest real train row above which a candidate
            is off the manifold.
        min_confidence: Generator confidence under which it is unlike what was learnt.
        duplicate_distance: Distance up to which it is a near-copy of a real row.
        min_entropy: Predictive entropy in nats under which it is too easy to help.
        min_label_probability: Verifier's probability of the label under which it is mislabelled.
        uses_verifier: Whether the verifier has a say at all.
    """

    max_distance: float
    min_confidence: float
    duplicate_distance: float
    min_entropy: float
    min_label_probability: float
    uses_verifier: bool


def label_accuracy(agreement: float, verifier_accuracy: float, classes: int) -> float:
    """Estimate how often the generator's labels are right, from a verifier that errs itself.

    With errors independent and spread evenly over the other classes, generator and verifier
    agree with probability ``a = v g + (1 - v)(1 - g) / (C - 1)``; solved for g.

    Args:
        agreement: Share of candidates on which the verifier predicts the wanted label, a.
        verifier_accuracy: The verifier's accuracy on real rows, v.
        classes: Number of classes C, at least 2.

    Returns:
        The estimate of g, clipped to ``[0, 1]``; 1 when the verifier is no better than chance,
        because it then cannot tell anything against the generator.
    """
    chance = (1.0 - verifier_accuracy) / max(classes - 1, 1)
    if verifier_accuracy <= chance:
        return 1.0
    return float(np.clip((agreement - chance) / (verifier_accuracy - chance), 0.0, 1.0))


def calibrate(
    *,
    real_embeddings: Array,
    guide_embeddings: Array,
    guide_confidence: Array,
    guide_entropy: Array,
    verifier_accuracy: float,
    generator_agreement: float,
    classes: int,
    realism_quantile: float,
    confidence_quantile: float,
    min_label_probability: float,
    duplicate_quantile: float,
    easy_quantile: float,
    nearest: Nearest,
) -> Limits:
    """Set the limits so that real held-out rows would pass at the given quantiles.

    The verifier judges only where it is more often right than the generator's labels: a weaker
    one throws away exactly what the model does not know.

    Args:
        real_embeddings: Of train rows, ``(n, d)``, at least 2.
        guide_embeddings: Of guide rows, ``(m, d)``, at least 1.
        guide_confidence: Generator confidence of guide rows, ``(m,)``.
        guide_entropy: Predictive entropy of guide rows in nats, ``(m,)``.
        verifier_accuracy: Of the verifier on real rows it never saw.
        generator_agreement: Share of untargeted candidates whose label the verifier predicts.
        classes: Number of classes.
        realism_quantile: Quantile of guide-to-train distances that still is realistic.
        confidence_quantile: Quantile of the guide's confidence that is too low.
        min_label_probability: Verifier's probability under which a label is wrong.
        duplicate_quantile: Quantile of train rows' distances to one another that is a copy.
        easy_quantile: Quantile of the guide's entropy that is too easy.
        nearest: Asked where there are more than ``CENSUS_ROWS`` train rows, for comparing all
            with all grows with the square of the rows.

    Returns:
        The limits; ``duplicate_distance`` lies under ``max_distance``.

    Raises:
        ShapeError: If there are too few rows to calibrate on.
    """
    real = np.asarray(real_embeddings)
    if len(real) < 2 or len(guide_embeddings) < 1:
        raise ShapeError(
            f"calibrating the screen needs 2 train rows and 1 guide row, got {len(real)} and "
            f"{len(guide_embeddings)}; raise `splits.train` or `splits.guide`."
        )
    to_train, among_train = _distances(real, guide_embeddings, nearest)
    duplicate = float(np.quantile(among_train, duplicate_quantile))
    realism = float(np.quantile(to_train, realism_quantile))
    labels_right = label_accuracy(generator_agreement, verifier_accuracy, classes)
    return Limits(
        max_distance=max(realism, 1.01 * duplicate + 1e-9),
        min_confidence=float(np.quantile(guide_confidence, confidence_quantile)),
        duplicate_distance=duplicate,
        min_entropy=float(np.quantile(guide_entropy, easy_quantile)),
        min_label_probability=min_label_probability,
        uses_verifier=verifier_accuracy > labels_right,
    )


def _distances(real: Array, guide: Array, nearest: Nearest) -> tuple[Array, Array]:
    """Return distances to the nearest train row, of guide rows and of train rows to another."""
    from sklearn.neighbors import NearestNeighbors

    if len(real) > CENSUS_ROWS:
        # Each train row finds itself, or a copy at the same distance of 0, first.
        return nearest(_some(guide), 1)[:, 0], nearest(_some(real), 2)[:, 1]
    neighbours = NearestNeighbors(n_neighbors=1).fit(np.asarray(real, np.float64))
    to_train: Array = neighbours.kneighbors(np.asarray(guide, np.float64))[0]
    among: Array = neighbours.kneighbors()[0]  # without an argument, none is its own neighbour
    return to_train, among


def _some(rows: Array) -> Array:
    """Return ``ASKED_ROWS`` rows at even distances, or all where there are no more."""
    count = min(len(rows), ASKED_ROWS)
    return rows[np.arange(count) * len(rows) // max(1, count)]


def screen(
    limits: Limits,
    *,
    distances: Array,
    confidence: Array,
    entropy: Array,
    label_probability: Array,
) -> tuple[Array, Array]:
    """Judge candidates; each rejected one gets the first reason that applies.

    The order is that of ``REASONS``: from "is not a picture of anything" over "is a copy" and
    "is something else" to "is fine and teaches nothing". A value that is NaN fails its test.

    Args:
        limits: From :func:`calibrate`.
        distances: Euclidean distance to the nearest real train row, ``(m,)``.
        confidence: Generator confidence, ``(m,)`` in ``[0, 1]``.
        entropy: Predictive entropy under the current model in nats, ``(m,)``.
        label_probability: Verifier's probability of the wanted label, ``(m,)``.

    Returns:
        A mask of accepted rows ``(m,)`` and the reasons ``(m,)`` unicode, "" where accepted.

    Raises:
        ShapeError: If the arrays do not align.
    """
    arrays = [np.asarray(a) for a in (distances, confidence, entropy, label_probability)]
    if len({array.shape for array in arrays}) != 1 or arrays[0].ndim != 1:
        raise ShapeError(
            f"screen needs one value per candidate, got shapes {[a.shape for a in arrays]}."
        )
    passes = [
        arrays[0] <= limits.max_distance,
        arrays[1] >= limits.min_confidence,
        arrays[0] > limits.duplicate_distance,
        (arrays[3] >= limits.min_label_probability) | (not limits.uses_verifier),
        arrays[2] >= limits.min_entropy,
    ]
    reasons = np.select([~passed for passed in passes], list(REASONS), "")
    return reasons == "", reasons
