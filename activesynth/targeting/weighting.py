"""How often each training row is drawn: class balance, struggling slices, synthetic rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import InputError, ShapeError
from activesynth.targeting.marginals import reweight_to_marginals

__all__ = [
    "class_balanced",
    "is_plateau",
    "reweight_to_marginals",
    "struggle_weights",
    "synthetic_weights",
]

DAMPING = 0.5
QUALITY_RANGE = (0.25, 4.0)
MAX_ROW_WEIGHT = 4.0
PLATEAU_TOLERANCE = 0.005
PLATEAU_LENGTH = 2
PRIOR_ROWS = 5.0


def class_balanced(y: Array, classes: int) -> Array:
    """Return weights under which every class that occurs is drawn equally often.

    Args:
        y: Labels, ``(n,)`` in ``[0, classes)``.
        classes: Number of classes.

    Returns:
        Weights, ``(n,)`` float64, positive with mean 1.

    Raises:
        ShapeError: If a label lies outside ``[0, classes)``.
    """
    labels = _labels(y, classes, "class_balanced")
    counts = np.bincount(labels, minlength=classes)
    weights: Array = len(labels) / (max((counts > 0).sum(), 1) * counts[labels].astype(np.float64))
    return weights


def struggle_weights(
    errors: Array,
    labels: Array,
    clusters: Array,
    *,
    classes: int,
    bound: float = 3.0,
) -> Array:
    """Return weights that draw more where the model struggles, by class and by cluster.

    A row's weight is the error of its class times the error of its cluster, each relative to
    the error over all rows and shrunk towards it by five pseudo-rows, and clipped.

    Args:
        errors: Out-of-fold error per row, ``(n,)`` in ``[0, 1]``: 0/1, or one minus the
            probability of the label. On rows a member was fitted to it means nothing.
        labels: Labels, ``(n,)`` in ``[0, classes)``.
        clusters: Cluster (or slice) of each row, ``(n,)``.
        classes: Number of classes.
        bound: Largest factor up or down before normalising, at least 1.

    Returns:
        Weights, ``(n,)`` float64 with mean 1; the largest is at most ``bound ** 2`` times the
        smallest.

    Raises:
        ShapeError: If the arrays do not align.
        InputError: If ``bound`` is under 1.
    """
    if bound < 1.0:
        raise InputError(f"bound must be at least 1, got {bound:g}.", reason="bound")
    labels = _labels(labels, classes, "struggle_weights")
    errors = np.asarray(errors, np.float64)
    if not len(errors) == len(labels) == len(clusters):
        raise ShapeError(
            f"struggle_weights needs aligned rows, got {len(errors)} errors, {len(labels)} labels "
            f"and {len(clusters)} clusters."
        )
    overall = float(errors.mean()) if len(errors) else 0.0
    if overall == 0.0:
        return np.ones(len(errors))
    relative = np.ones(len(errors))
    for keys in (labels, np.unique(clusters, return_inverse=True)[1]):
        counts = np.bincount(keys) + PRIOR_ROWS
        shrunk = (np.bincount(keys, errors) + PRIOR_ROWS * overall) / counts
        relative *= shrunk[keys] / overall
    bounded = np.clip(relative, 1.0 / bound, bound)
    weights: Array = bounded / bounded.mean()
    return weights


def is_plateau(
    history: Sequence[float],
    *,
    tolerance: float = PLATEAU_TOLERANCE,
    length: int = PLATEAU_LENGTH,
) -> bool:
    """Tell whether the metric of training on synthetic data has stopped improving.

    Args:
        history: Values of a metric where higher is better, oldest first.
        tolerance: Improvement that counts, in units of the metric.
        length: How many last values must all stay under the best earlier one plus tolerance.

    Returns:
        True if there is an earlier value and none of the last ``length`` beats it by more.
    """
    if len(history) <= length:
        return False
    best = max(history[:-length])
    return all(value <= best + tolerance for value in history[-length:])


def synthetic_weights(
    quality: Array,
    benefit: Mapping[str, float],
    weakness: Array,
    plateau: bool,
    *,
    real_count: int,
    real_share: float,
    floor: float,
) -> Array:
    """Return the sampling weight of each synthetic row, where a real row weighs 1.

    Weights follow quality, within a factor of 4 of the median. They are halved for rows of a
    weakness whose measured benefit is not above zero, and all of them at a plateau; what is
    taken away goes to the real rows. A synthetic row weighs 4 on average at most, so that a
    handful of them is not repeated over and over.

    Args:
        quality: Quality per row, ``(m,)``, non-negative, higher is better.
        benefit: Measured benefit by weakness id, in units of the metric; missing means unknown.
        weakness: Weakness id per row, ``(m,)`` unicode.
        plateau: Whether the metric has stopped improving; see :func:`is_plateau`.
        real_count: Number of real rows beside them.
        real_share: Share of each batch that is meant to be real, in ``[0, 1]``.
        floor: Least share of each batch that is real whatever ``real_share`` says, ``[0, 1]``.

    Returns:
        Weights, ``(m,)`` float64. The synthetic share of a batch,
        ``sum / (sum + real_count)``, is at most ``1 - max(real_share, floor)``.

    Raises:
        ShapeError: If quality and weakness do not align.
        InputError: If a share lies outside ``[0, 1]`` or a quality is negative or not finite.
    """
    quality = np.asarray(quality, np.float64)
    share = max(real_share, floor)
    _check_synthetic(quality, weakness, min(real_share, floor), share)
    if len(quality) == 0 or real_count == 0:
        return np.zeros(len(quality))
    median = float(np.median(quality))
    # Clipped before dividing: a tiny median must not overflow.
    low, high = (median * factor for factor in QUALITY_RANGE)
    relative = np.clip(quality, low, high) / median if median > 0 else np.ones(len(quality))
    wanted = real_count * (1.0 - share) / share if share > 0 else np.inf
    total = min(wanted, MAX_ROW_WEIGHT * len(quality))
    factors = np.array([DAMPING if benefit.get(str(w), 1.0) <= 0.0 else 1.0 for w in weakness])
    if plateau:
        factors *= DAMPING
    weights: Array = relative * factors * (total / relative.sum())
    return weights


def _check_synthetic(quality: Array, weakness: Array, low: float, high: float) -> None:
    if quality.shape != np.shape(weakness) or quality.ndim != 1:
        raise ShapeError(
            f"quality {quality.shape} and weakness {np.shape(weakness)} must be one per row."
        )
    if not 0.0 <= low <= high <= 1.0:
        raise InputError(
            f"real_share and floor must lie in [0, 1], got {low:g} and {high:g}.", reason="share"
        )
    if not (np.isfinite(quality) & (quality >= 0.0)).all():
        raise InputError("quality must be finite and not negative.", reason="quality")


def _labels(y: Array, classes: int, what: str) -> Array:
    labels = np.asarray(y, np.int64)
    if labels.ndim != 1 or (len(labels) and not 0 <= labels.min() <= labels.max() < classes):
        raise ShapeError(
            f"{what} needs labels (n,) in [0, {classes}), got shape {labels.shape} with values "
            f"{labels.min(initial=0)} to {labels.max(initial=0)}; leave unlabelled rows (-1) out."
        )
    return labels
