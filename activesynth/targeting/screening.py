"""The two-sided screen: neither what looks wrong nor what teaches nothing gets through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError

if TYPE_CHECKING:
    from sklearn.neighbors import NearestNeighbors

CENSUS_ROWS = 50_000
"""Train rows up to which each one's nearest other is looked for; of more, as many are asked."""
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
        duplicate_quantile: Quantile of train rows' distances to one another that is a copy; of
            more than ``CENSUS_ROWS`` rows, that many at even distances are asked.
        easy_quantile: Quantile of the guide's entropy that is too easy.

    Returns:
        The limits; ``duplicate_distance`` lies under ``max_distance``.

    Raises:
        ShapeError: If there are too few rows to calibrate on.
    """
    from sklearn.neighbors import NearestNeighbors

    real = np.asarray(real_embeddings, np.float64)
    if len(real) < 2 or len(guide_embeddings) < 1:
        raise ShapeError(
            f"calibrating the screen needs 2 train rows and 1 guide row, got {len(real)} and "
            f"{len(guide_embeddings)}; raise `splits.train` or `splits.guide`."
        )
    neighbours = NearestNeighbors(n_neighbors=1).fit(real)
    to_train = neighbours.kneighbors(np.asarray(guide_embeddings, np.float64))[0]
    among_train = _among(neighbours, real)
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


def _among(neighbours: NearestNeighbors, real: Array) -> Array:
    """Return distances of rows to the nearest other: of all, or of some at even distances.

    All against all grows with the square of the rows, and a quantile of fifty thousand is as good.
    """
    if len(real) <= CENSUS_ROWS:
        own: Array = neighbours.kneighbors()[
            0
        ]  # without an argument a row is not its own neighbour
        return own
    asked = real[:: -(-len(real) // CENSUS_ROWS)]
    # Each finds itself, or a copy at the same distance of 0, first.
    others: Array = neighbours.kneighbors(asked, n_neighbors=2)[0][:, 1:]
    return others


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
