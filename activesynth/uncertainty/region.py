"""Where a model is too unsure: the threshold tau and the region above it."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError


def choose_tau(scores: Array, fixed: float | None, quantile: float) -> float:
    """Return the threshold of the uncertain region.

    A quantile is meant to be taken once, at iteration 0, and kept: taken anew each time, the
    region would always hold the same share of samples and the loop would converge by definition.

    Args:
        scores: Uncertainty of the samples, shape ``(samples,)``; may be empty when ``fixed`` is
            given.
        fixed: The threshold itself, in the unit of the scores, or None.
        quantile: Which quantile of the scores to take when ``fixed`` is None, in ``[0, 1]``.

    Raises:
        ShapeError: If a quantile is asked of no scores.
    """
    if fixed is not None:
        return float(fixed)
    if len(scores) == 0:
        raise ShapeError(
            "choose_tau cannot take a quantile of 0 scores; set `uncertainty.tau` or score "
            "at least one guide sample."
        )
    return float(np.quantile(np.asarray(scores, np.float64), quantile))


def uncertain_region(scores: Array, tau: float) -> Array:
    """Return which samples lie in the uncertain region: score strictly above ``tau``.

    Args:
        scores: Uncertainty of the samples, shape ``(samples,)``.
        tau: Threshold in the unit of the scores.

    Returns:
        Bool mask, shape ``(samples,)``.
    """
    mask: Array = np.asarray(scores) > tau
    return mask


def levels(
    scores: Array,
    low_quantile: float = 1 / 3,
    high_quantile: float = 2 / 3,
    *,
    reference: Array | None = None,
) -> Array:
    """Sort samples into three levels of uncertainty, the condition a generator learns.

    Args:
        scores: Uncertainty of the samples, shape ``(samples,)``.
        low_quantile: Where level 0 ends, in ``[0, high_quantile]``.
        high_quantile: Where level 1 ends, in ``[low_quantile, 1]``.
        reference: Scores that the quantiles are taken from; ``scores`` themselves when None.

    Returns:
        0 (low), 1 (middle) or 2 (high) per sample, int64, shape ``(samples,)``. Ties with a
        limit fall below it, so equal scores are always of one level.

    Raises:
        ShapeError: If the quantiles are out of order, or there is nothing to take them from.
    """
    if not 0.0 <= low_quantile <= high_quantile <= 1.0:
        raise ShapeError(
            f"levels needs 0 <= low_quantile <= high_quantile <= 1, got {low_quantile} and "
            f"{high_quantile}; swap or limit them."
        )
    scores = np.asarray(scores, np.float64)
    if len(scores) == 0:
        return np.zeros(0, dtype=np.int64)
    known = scores if reference is None else np.asarray(reference, np.float64)
    if len(known) == 0:
        raise ShapeError("levels needs at least 1 reference score, got 0; pass None to use scores.")
    limits = np.quantile(known, [low_quantile, high_quantile])
    return np.searchsorted(limits, scores, side="left").astype(np.int64)
