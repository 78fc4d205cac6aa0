"""Intervals for means of rows that come in groups, and for differences of independent numbers."""

from __future__ import annotations

import math

import numpy as np
from scipy.stats import t

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError
from activesynth.statistics.intervals import Interval


def grouped_mean(values: Array, groups: Array, confidence: float = 0.95) -> Interval:
    """Return the mean of ``values`` with Student's interval over groups.

    The variance adds up deviations per group first, so rows of one patient count together.

    Args:
        values: Finite, ``(n,)``.
        groups: What must stay together, ``(n,)``.
        confidence: Two-sided, in ``(0, 1)``.

    Raises:
        ShapeError: If there are fewer than 2 groups, the two do not align, or a value is not
            finite.

    References:
        Liang and Zeger 1986, Biometrika 73:13-22 (the variance of grouped rows).
    """
    values = np.asarray(values, np.float64)
    if values.shape != np.shape(groups) or not np.isfinite(values).all():
        raise ShapeError(
            f"a mean needs finite values and one group each, got {values.shape} and "
            f"{np.shape(groups)}."
        )
    names, code = np.unique(groups, return_inverse=True)
    if len(names) < 2:
        raise ShapeError(f"the interval of a mean needs at least 2 groups, got {len(names)}.")
    mean = float(values.mean())
    sums = np.bincount(code, weights=values - mean)
    error = math.sqrt(len(names) / (len(names) - 1) * float((sums**2).sum())) / len(values)
    reach = float(t.ppf(0.5 + confidence / 2, len(names) - 1)) * error
    return Interval(mean, mean - reach, mean + reach, len(values))


def difference(one: Interval, other: Interval) -> Interval:
    """Return ``one - other`` of two independent numbers from their own intervals.

    Bounds are added in squares, each on the side that matters, so skewed intervals stay skewed.
    For two Wilson intervals this is Newcombe's hybrid score interval. Numbers that rise and fall
    together, such as two scores of the same rows, get an interval that is too wide.

    Returns:
        ``n`` is that of the smaller side.

    References:
        Zou and Donner 2008, Statistics in Medicine 27:1693-1702; Newcombe 1998, Statistics in
        Medicine 17:873-890.
    """
    value = one.value - other.value
    low = value - math.hypot(one.value - one.low, other.high - other.value)
    high = value + math.hypot(one.high - one.value, other.value - other.low)
    return Interval(value, low, high, min(one.n, other.n))
