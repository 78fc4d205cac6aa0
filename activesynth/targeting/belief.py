"""What is believed about the benefit of making data for each weakness."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.documents import Weakness

DISCOUNT = 0.7  # per iteration: what helped a weaker model says less about this one
PRIOR_SD = 0.05
RECOVERED = 0.2  # share of a gap that an iteration is expected to close, before any measurement
RECOVERED_SD = 0.2

History = Sequence[tuple[int, str, float]]


@dataclass(frozen=True, slots=True)
class Belief:
    """A normal posterior of each weakness's benefit, in units of the metric on its slice.

    Attributes:
        mean: Posterior means, ``(k,)``.
        sd: Posterior standard deviations, ``(k,)``, positive.
        observed: Discounted mean of the measurements, ``(k,)``; NaN where there is none.
        observed_variance: Sampling variance of ``observed``, ``(k,)``.
        measurements: How many iterations measured it, ``(k,)`` int64.
    """

    mean: Array
    sd: Array
    observed: Array
    observed_variance: Array
    measurements: Array


def believe(weaknesses: Sequence[Weakness], history: History) -> Belief:
    """Update the prior of each weakness with its measured benefits.

    The prior mean is the weakness's gap times the share of a gap that data recovers. That share
    is itself learnt from all measurements (a Bayesian regression of benefit on gap through the
    origin), which is how a weakness nobody has worked on yet profits from the others. A
    measurement on n rows is a difference of two rates, so its variance is at most 0.5 / n; one
    that is t iterations older than the newest counts ``0.7 ** t``.

    Args:
        weaknesses: The weaknesses, k of them.
        history: (iteration, weakness id, measured benefit) of past iterations.

    Returns:
        The beliefs, aligned with ``weaknesses``.
    """
    place = {weakness.id: k for k, weakness in enumerate(weaknesses)}
    newest = max((iteration for iteration, _, _ in history), default=0)
    weight, squares, total = (np.zeros(len(weaknesses)) for _ in range(3))
    measurements = np.zeros(len(weaknesses), np.int64)
    for iteration, weakness, benefit in history:
        if weakness in place:
            k, discount = place[weakness], DISCOUNT ** (newest - iteration)
            weight[k] += discount
            squares[k] += discount**2
            total[k] += discount * benefit
            measurements[k] += 1
    noise = 0.5 / rows_behind(weaknesses)
    gap = positive_gaps(weaknesses)
    precision = 1.0 / RECOVERED_SD**2 + (weight * gap**2 / noise).sum()
    recovered = (RECOVERED / RECOVERED_SD**2 + (total * gap / noise).sum()) / precision
    posterior = 1.0 / PRIOR_SD**2 + weight / noise
    is_measured = measurements > 0
    safe = np.where(is_measured, weight, 1.0)
    return Belief(
        mean=(recovered * gap / PRIOR_SD**2 + total / noise) / posterior,
        sd=posterior**-0.5,
        observed=np.where(is_measured, total / safe, np.nan),
        observed_variance=noise * squares / safe**2,
        measurements=measurements,
    )


def difference_p_value(weaknesses: Sequence[Weakness], belief: Belief) -> float:
    """Return the p-value of "all weaknesses are equally worth the budget".

    Cochran's test of heterogeneity on the gaps and, where two weaknesses or more have been
    measured, on their benefits; the smaller p-value, doubled when there are two tests.

    Returns:
        A p-value in ``[0, 1]``; 1 for fewer than two weaknesses.

    References:
        Cochran 1954, doi:10.2307/3001666.
    """
    gaps = np.array([weakness.gap for weakness in weaknesses])
    tests = [_heterogeneity(gaps, _gap_variances(weaknesses))]
    measured = belief.measurements > 0
    if measured.sum() >= 2:
        tests.append(_heterogeneity(belief.observed[measured], belief.observed_variance[measured]))
    return min(1.0, len(tests) * min(tests))


def positive_gaps(weaknesses: Sequence[Weakness]) -> Array:
    """Return the gaps, ``(k,)``, with negative ones counted as none."""
    return np.array([max(weakness.gap, 0.0) for weakness in weaknesses])


def rows_behind(weaknesses: Sequence[Weakness]) -> Array:
    """Return the number of real rows behind each weakness, ``(k,)`` float64, at least 1."""
    return np.array([max(weakness.n, 1) for weakness in weaknesses], np.float64)


def _gap_variances(weaknesses: Sequence[Weakness]) -> Array:
    """Read variances off the 95 % intervals; a declared weakness may have none."""
    widths = np.array([weakness.high - weakness.low for weakness in weaknesses])
    variances: Array = np.where(widths > 0.0, (widths / 3.92) ** 2, 0.25 / rows_behind(weaknesses))
    return variances


def _heterogeneity(values: Array, variances: Array) -> float:
    from scipy.stats import chi2

    if len(values) < 2:
        return 1.0
    weights = 1.0 / variances
    centre = (weights * values).sum() / weights.sum()
    return float(chi2.sf((weights * (values - centre) ** 2).sum(), len(values) - 1))
