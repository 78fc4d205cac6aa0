"""How well a score tells two kinds of rows apart: the area under the ROC curve."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError
from activesynth.statistics.intervals import Interval, wilson


def area_under_curve(
    positive: Array,
    negative: Array,
    *,
    positive_groups: Array | None = None,
    negative_groups: Array | None = None,
    confidence: float = 0.95,
) -> Interval:
    """Return the probability that a positive row scores above a negative one; ties count half.

    The interval is DeLong's, on the scale of log odds so that it stays in ``[0, 1]``. Where rows
    come in groups, deviations are summed per group first, as Obuchowski does; no group may be on
    both sides. At exactly 0 or 1 the variance is unknown, and the interval is that of a
    proportion with as many trials as the smaller side has groups.

    Args:
        positive: Scores of positive rows, ``(n,)``, finite.
        negative: Scores of negative rows, ``(m,)``, finite.
        positive_groups: What must stay together, ``(n,)``; every row alone when None.
        negative_groups: The same of the negative rows, ``(m,)``.
        confidence: Two-sided, in ``(0, 1)``.

    Returns:
        In ``[0, 1]``, 0.5 for a score that tells nothing; ``n`` counts both sides.

    Raises:
        ShapeError: If a side has fewer than 2 groups, or a score is not finite.

    References:
        DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44:837-845; Obuchowski 1997,
        Biometrics 53:567-578.
    """
    sides = [np.asarray(side, np.float64) for side in (positive, negative)]
    groups = [
        np.arange(len(side)) if given is None else np.unique(given, return_inverse=True)[1]
        for side, given in zip(sides, (positive_groups, negative_groups), strict=True)
    ]
    counts = [int(group.max(initial=-1)) + 1 for group in groups]
    if min(counts) < 2 or not all(np.isfinite(side).all() for side in sides):
        raise ShapeError(
            "an area under the curve needs finite scores of at least 2 groups on each side, got "
            f"{counts[0]} positive and {counts[1]} negative groups."
        )
    above = _share_below(sides[0], sides[1])
    below = 1.0 - _share_below(sides[1], sides[0])
    area = float(above.mean())
    n = len(sides[0]) + len(sides[1])
    if area in (0.0, 1.0):
        edge = wilson(round(area) * min(counts), min(counts), confidence)
        return Interval(area, edge.low, edge.high, n)
    variance = sum(
        _variance_of_mean(part - area, group, count)
        for part, group, count in zip((above, below), groups, counts, strict=True)
    )
    odds = math.log(area / (1.0 - area))
    reach = NormalDist().inv_cdf(0.5 + confidence / 2) * math.sqrt(variance)
    reach /= area * (1.0 - area)
    low, high = (1.0 / (1.0 + math.exp(min(700.0, -at))) for at in (odds - reach, odds + reach))
    return Interval(area, low, high, n)


def _share_below(rows: Array, others: Array) -> Array:
    """Return for each row the share of ``others`` that score lower, ties counting half."""
    ordered = np.sort(others)
    left, right = (np.searchsorted(ordered, rows, side) for side in ("left", "right"))
    share: Array = (left + right) / (2.0 * len(others))
    return share


def _variance_of_mean(deviations: Array, group: Array, count: int) -> float:
    sums = np.bincount(group, weights=deviations, minlength=count)
    return float(count / (count - 1) * (sums**2).sum() / len(deviations) ** 2)
