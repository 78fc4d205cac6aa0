"""Intervals for proportions, for metrics, and for differences of metrics."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError
from activesynth.statistics.resampling import MetricFunction, Resampler, resampled_values

MIN_TAIL = 10
"""Fewest resamples that must lie beyond a percentile bound for it to be read off."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A value with the bounds of its interval and the number of rows behind it."""

    value: float
    low: float
    high: float
    n: int


def wilson(successes: float, n: int, confidence: float = 0.95) -> Interval:
    """Return a proportion with its Wilson score interval.

    Args:
        successes: How many of ``n``, in ``[0, n]``; a fraction where it is a mean over several
            trainings, each of ``n`` trials.
        n: Trials; with none the value is 0 by convention and the interval is ``[0, 1]``.
        confidence: Two-sided, in ``(0, 1)``.

    Raises:
        ShapeError: If ``successes`` is not in ``[0, n]``.

    References:
        Wilson 1927, Journal of the American Statistical Association 22:209-212.
    """
    if not 0 <= successes <= n:
        raise ShapeError(f"wilson needs 0 <= successes <= n, got {successes} of {n}.")
    if n == 0:
        return Interval(0.0, 0.0, 1.0, 0)
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * float(np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)))
    # At 0 and n of n the formula gives exactly 0 and 1, up to rounding.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(share, low, high, n)


def bootstrap(
    metric: MetricFunction,
    y: Array,
    probs: Array,
    groups: Array,
    *,
    resamples: int,
    seed: int,
    confidence: float = 0.95,
    one_sided: bool = False,
) -> Interval:
    """Return a metric, averaged over training replicates, with a bootstrap interval.

    Groups are resampled within strata of class, jointly with the replicates, so the interval
    speaks about new data and about new training runs. With one replicate it speaks about this
    model only. With two to five replicates it errs on the wide side, except where the runs vary
    more than the data: three runs do not tell well how much runs vary.

    Args:
        metric: Function of labels ``(n,)`` and probabilities ``(n, classes)``.
        y: Labels, ``(n,)``.
        probs: Class probabilities, ``(S, n, classes)``.
        groups: What must stay together (patient, scene), ``(n,)``.
        resamples: How many resamples.
        seed: Equal seeds give equal intervals.
        confidence: Two-sided; of each bound alone when ``one_sided``.
        one_sided: Make ``low`` and ``high`` one-sided bounds.

    Returns:
        The metric and percentile bounds. A bound so far out that fewer than 10 resamples would
        lie beyond it comes from a normal distribution with the resamples' standard deviation.

    Raises:
        ShapeError: If the arrays do not align or hold no rows.
    """
    _check(y, probs)
    resampler = Resampler.over(y, groups, resamples=resamples, seed=seed)
    values = resampled_values(metric, probs, resampler)
    value = float(np.mean([metric(y, one) for one in probs]))
    return percentile_interval(value, values, len(y), confidence, one_sided)


def paired_bootstrap(
    metric: MetricFunction,
    y: Array,
    probs_a: Array,
    probs_b: Array,
    groups: Array,
    *,
    resamples: int,
    seed: int,
    confidence: float = 0.95,
    one_sided: bool = False,
) -> Interval:
    """Return ``metric(a) - metric(b)`` on the same rows, with a bootstrap interval.

    Both arms see the same resampled groups and, where they have equally many, the same
    resampled replicates; with different numbers each arm resamples its own.

    Args:
        metric: As in :func:`bootstrap`.
        y: Labels, ``(n,)``.
        probs_a: Class probabilities of the first arm, ``(S, n, classes)``.
        probs_b: Those of the second, ``(S', n, classes)``.
        groups: As in :func:`bootstrap`.
        resamples: How many resamples.
        seed: Equal seeds give equal intervals.
        confidence: As in :func:`bootstrap`.
        one_sided: As in :func:`bootstrap`.

    Raises:
        ShapeError: If the arrays do not align or hold no rows.
    """
    _check(y, probs_a)
    _check(y, probs_b)
    resampler = Resampler.over(y, groups, resamples=resamples, seed=seed)
    values = resampled_values(metric, probs_a, resampler)
    values = values - resampled_values(metric, probs_b, resampler)
    value_a = float(np.mean([metric(y, one) for one in probs_a]))
    value_b = float(np.mean([metric(y, one) for one in probs_b]))
    return percentile_interval(value_a - value_b, values, len(y), confidence, one_sided)


def percentile_interval(
    value: float, values: Array, n: int, confidence: float = 0.95, one_sided: bool = False
) -> Interval:
    """Read an interval off resampled values; those that are not finite are left out.

    Args:
        value: The estimate itself.
        values: Its resampled values, ``(resamples,)``.
        n: Rows behind it.
        confidence: As in :func:`bootstrap`.
        one_sided: As in :func:`bootstrap`.
    """
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return Interval(value, value, value, n)
    tail = (1.0 - confidence) if one_sided else (1.0 - confidence) / 2.0
    if tail * len(values) >= MIN_TAIL:
        low, high = np.quantile(values, [tail, 1.0 - tail])
        return Interval(value, float(low), float(high), n)
    reach = NormalDist().inv_cdf(1.0 - tail) * float(values.std())
    return Interval(value, value - reach, value + reach, n)


def _check(y: Array, probs: Array) -> None:
    if probs.ndim != 3 or len(probs) < 1 or probs.shape[1] != len(y):
        raise ShapeError(
            f"intervals need probabilities of shape (replicates, {len(y)} rows, classes), got "
            f"{probs.shape}; pass `probs[None]` for a single model."
        )
