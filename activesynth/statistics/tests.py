"""Tests that an error rate exceeds another by more than a margin."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError
from activesynth.statistics.intervals import wilson

MAX_TABLE = 150_000
"""Most cells (outcomes) of an exact test; larger samples are thinned or approximated."""
LARGE = 200
"""Rows on both sides from which a table beyond ``MAX_TABLE`` is approximated."""
NUISANCE_POINTS = 65
EXCLUDED = 1e-5
"""Probability that the rate outside lies beyond the searched range; it is added to the p-value."""


@dataclass(frozen=True, slots=True)
class ExcessError:
    """A difference of error rates in ``[-1, 1]``, its interval, and the one-sided p-value."""

    gap: float
    low: float
    high: float
    p_value: float


def excess_error(
    errors_in: int,
    n_in: int,
    errors_out: int,
    n_out: int,
    margin: float,
    confidence: float = 0.95,
    design_effect: float = 1.0,
) -> ExcessError:
    """Test whether the error rate in a slice exceeds that outside by more than ``margin``.

    The p-value is exact and unconditional: outcomes are ordered by the adjusted Wald statistic,
    and the probability of one at least as extreme is maximised over the error rates outside
    that the data leave possible (all but 1e-5, which is added). It therefore keeps its size in
    small slices, where approximations are several times too eager after a correction. When the
    table of outcomes grows too large, the larger side is thinned to a proportional sample,
    rounding against a finding; with more than 200 rows on both sides the adjusted Wald
    approximation is used.

    Args:
        errors_in: Wrong rows in the slice, in ``[0, n_in]``.
        n_in: Rows in the slice.
        errors_out: Wrong rows outside, in ``[0, n_out]``.
        n_out: Rows outside.
        margin: Gap that is still acceptable, in ``[0, 1)``.
        confidence: Of the two-sided interval.
        design_effect: Rows that tell as much as one independent row, at least 1; all counts are
            divided by it, rounding against a finding.

    Returns:
        Gap, Newcombe's hybrid score interval, and the p-value for gap > margin. With no rows on
        one side nothing is known: gap 0, interval ``[-1, 1]``, p-value 1.

    Raises:
        ShapeError: If a count of errors exceeds its rows.

    References:
        Newcombe 1998, Statistics in Medicine 17:873-890 (method 10); Suissa and Shuster 1985,
        Journal of the Royal Statistical Society A 148:317-327; Agresti and Caffo 2000, The
        American Statistician 54:280-288; Berger and Boos 1994, Journal of the American
        Statistical Association 89:1012-1016.
    """
    if not (0 <= errors_in <= n_in and 0 <= errors_out <= n_out):
        raise ShapeError(
            f"excess_error needs errors within their rows, got {errors_in} of {n_in} inside "
            f"and {errors_out} of {n_out} outside."
        )
    if n_in == 0 or n_out == 0:
        return ExcessError(0.0, -1.0, 1.0, 1.0)
    gap = errors_in / n_in - errors_out / n_out
    rows_in, rows_out = (max(1, math.floor(n / design_effect)) for n in (n_in, n_out))
    wrong_in = errors_in * rows_in // n_in
    wrong_out = -(-errors_out * rows_out // n_out)
    inside, outside = wilson(wrong_in, rows_in, confidence), wilson(wrong_out, rows_out, confidence)
    low = gap - math.hypot(inside.value - inside.low, outside.high - outside.value)
    high = gap + math.hypot(inside.high - inside.value, outside.value - outside.low)
    p_value = _p_value(wrong_in, rows_in, wrong_out, rows_out, margin)
    return ExcessError(gap, max(low, -1.0), min(high, 1.0), p_value)


def paired_excess_error(
    worsened: int,
    improved: int,
    n: int,
    margin: float,
    confidence: float = 0.95,
    design_effect: float = 1.0,
) -> ExcessError:
    """Test whether a change made more rows wrong than right by more than ``margin``.

    Both error rates come from the same rows, so only rows whose verdict changed count
    (McNemar). One row is added to each kind of change and the reference is Student's t, which
    keeps the test honest in small samples.

    Args:
        worsened: Rows that were right and became wrong.
        improved: Rows that were wrong and became right.
        n: All rows.
        margin: Rise of the error rate that is still acceptable, in ``[0, 1)``.
        confidence: Of the two-sided interval.
        design_effect: Rows that tell as much as one independent row, at least 1; all counts are
            divided by it.

    Returns:
        Gap ``(worsened - improved) / n``, adjusted Wald interval, p-value for gap > margin;
        with no rows gap 0, interval ``[-1, 1]``, p-value 1.

    Raises:
        ShapeError: If more rows changed than there are.

    References:
        Bonett and Price 2012, Journal of Educational and Behavioral Statistics 37:479-488.
    """
    from scipy.special import stdtr, stdtrit

    if worsened < 0 or improved < 0 or worsened + improved > n:
        raise ShapeError(
            f"paired_excess_error needs worsened + improved <= n, got {worsened} + {improved} "
            f"of {n}."
        )
    if n == 0:
        return ExcessError(0.0, -1.0, 1.0, 1.0)
    gap = (worsened - improved) / n
    rows = n / design_effect
    up = (worsened / design_effect + 1) / (rows + 2)
    down = (improved / design_effect + 1) / (rows + 2)
    error = math.sqrt((up + down - (up - down) ** 2) / (rows + 2))
    reach = float(stdtrit(rows + 1, 0.5 + confidence / 2)) * error
    # The adjusted centre lies nearer to 0; the interval must still hold the gap it belongs to.
    low, high = min(up - down - reach, gap), max(up - down + reach, gap)
    p_value = float(stdtr(rows + 1, -(up - down - margin) / error))
    return ExcessError(gap, max(low, -1.0), min(high, 1.0), p_value)


def _p_value(errors_in: int, n_in: int, errors_out: int, n_out: int, margin: float) -> float:
    from scipy.special import ndtr

    if (n_in + 1) * (n_out + 1) > MAX_TABLE:
        if min(n_in, n_out) > LARGE:
            statistic = _statistic(np.array(errors_in), n_in, np.array(errors_out), n_out, margin)
            return float(ndtr(-statistic))
        if n_out > n_in:
            kept = MAX_TABLE // (n_in + 1) - 1
            errors_out, n_out = math.ceil(errors_out * kept / n_out), kept
        else:
            kept = MAX_TABLE // (n_out + 1) - 1
            errors_in, n_in = math.floor(errors_in * kept / n_in), kept
    return _exact_p_value(errors_in, n_in, errors_out, n_out, margin)


def _exact_p_value(x: int, n: int, y: int, m: int, margin: float) -> float:
    """Maximise the tail probability over the error rate outside.

    Per outcome outside, the tail inside is taken from its first member upwards. That makes the
    tail grow with the rate inside, so the worst null lies on the edge ``inside = outside +
    margin`` and one nuisance rate remains.
    """
    from scipy.special import bdtrc, gammaln, xlog1py, xlogy

    table = _statistic(np.arange(n + 1)[:, None], n, np.arange(m + 1)[None, :], m, margin)
    is_extreme = table >= table[x, y] - 1e-12
    cut = np.where(is_extreme.any(axis=0), is_extreme.argmax(axis=0), n + 1)
    outcomes = np.flatnonzero(cut <= n).astype(np.float64)
    cut = cut[cut <= n]
    rates = _nuisance_rates(y, m)[:, None]
    inside = np.minimum(rates + margin, 1.0)
    # Few cuts are distinct, and their tails are the dear part.
    cuts, of_outcome = np.unique(cut, return_inverse=True)
    tails = np.where(cuts == 0, 1.0, bdtrc(np.maximum(cuts - 1.0, 0.0), n, inside))
    ways = gammaln(m + 1) - gammaln(outcomes + 1) - gammaln(m - outcomes + 1)
    outside = np.exp(ways + xlogy(outcomes, rates) + xlog1py(m - outcomes, -rates))
    return min(1.0, float((outside * tails[:, of_outcome]).sum(axis=1).max()) + EXCLUDED)


def _nuisance_rates(y: int, m: int) -> Array:
    """Return a grid over the Clopper-Pearson interval of the rate outside."""
    from scipy.special import betaincinv

    low = 0.0 if y == 0 else float(betaincinv(y, m - y + 1, EXCLUDED / 2))
    high = 1.0 if y == m else float(betaincinv(y + 1, m - y, 1.0 - EXCLUDED / 2))
    # Evenly spaced in the angle: denser towards 0 and 1, where the probabilities change fastest.
    angles = np.linspace(np.arcsin(np.sqrt(low)), np.arcsin(np.sqrt(high)), NUISANCE_POINTS)
    rates: Array = np.sin(angles) ** 2
    return rates


def _statistic(x: Array, n: int, y: Array, m: int, margin: float) -> Array:
    """Return the adjusted Wald statistic (one success and one failure added to each side)."""
    p, q = (x + 1) / (n + 2), (y + 1) / (m + 2)
    statistic: Array = (p - q - margin) / np.sqrt(p * (1 - p) / (n + 2) + q * (1 - q) / (m + 2))
    return statistic
