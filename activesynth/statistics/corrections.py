"""Corrections for asking many questions, and the smallest effect a sample size can show."""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError


def holm(p_values: Array) -> Array:
    """Adjust p-values of one family so that comparing each with alpha keeps its error rate.

    Args:
        p_values: p-values, shape ``(tests,)``, in ``[0, 1]``, in any order and dependence.

    Returns:
        Adjusted p-values in the same order, shape ``(tests,)``, never below the given ones.

    References:
        Holm 1979, Scandinavian Journal of Statistics 6:65-70.
    """
    p_values = np.asarray(p_values, dtype=np.float64)
    order = np.argsort(p_values, kind="stable")
    remaining = len(p_values) - np.arange(len(p_values))
    stepped = np.maximum.accumulate(np.minimum(p_values[order] * remaining, 1.0))
    adjusted = np.empty_like(p_values)
    adjusted[order] = stepped
    return adjusted


def alpha_at(t: int, alpha: float = 0.05) -> float:
    """Return the error rate that the ``t``-th look may spend.

    ``6 alpha / (pi^2 t^2)``; over infinitely many looks the sum is ``alpha``, so a campaign may
    run as long as it likes. Each look costs more power than the one before it.

    Args:
        t: Number of the look, counted from 1.
        alpha: Error rate of all looks together, in ``(0, 1)``.

    Raises:
        ShapeError: If ``t`` is below 1.
    """
    if t < 1:
        raise ShapeError(f"alpha_at counts looks from 1, got t={t}; pass iteration + 1.")
    return 6.0 * alpha / (math.pi**2 * t**2)


def smallest_detectable_lift(
    n: int, disagreement: float, alpha: float = 0.05, power: float = 0.8
) -> float:
    """Return the smallest true lift that a paired comparison of this size would show.

    For accuracy of two models on the same ``n`` independent rows: a row counts +1 where only
    the first is right, -1 where only the second is, and a share ``psi`` of rows counts either.
    The one-sided McNemar test needs ``sqrt(n) d = z_(1-alpha) sqrt(psi) + z_power
    sqrt(psi - d^2)``, solved here for ``d``. For balanced accuracy pass
    :func:`effective_rows` as ``n``. Where even one-sided disagreement could not be that large
    (``d > psi``), the equation is solved with ``psi = d`` instead.

    Args:
        n: Independent rows (groups, where rows come in groups), 1 or more.
        disagreement: Share ``psi`` of rows on which exactly one of the two is right, in [0, 1].
        alpha: One-sided error rate of the comparison.
        power: Probability of showing a lift of the returned size, above ``alpha``.

    Returns:
        Lift as a fraction (0.01 is one point), in ``(0, 1]``; 1 when no lift could be shown.

    Raises:
        ShapeError: If there are no rows.

    References:
        Connor 1987, Biometrics 43:207-211.
    """
    if n < 1:
        raise ShapeError(f"smallest_detectable_lift needs at least 1 row, got {n}.")
    psi = min(max(disagreement, 0.0), 1.0)
    z_alpha, z_power = NormalDist().inv_cdf(1.0 - alpha), NormalDist().inv_cdf(power)
    # (n + z_power^2) d^2 - 2 sqrt(n psi) z_alpha d + psi (z_alpha^2 - z_power^2) = 0
    square = psi * (n + z_power**2 - z_alpha**2)
    if square >= 0.0:
        root = abs(z_power) * math.sqrt(square)
        lift = (z_alpha * math.sqrt(n * psi) + math.copysign(root, z_power)) / (n + z_power**2)
        if 0.0 < lift <= psi:
            return lift
    return _lift_of_one_sided_disagreement(n, z_alpha, z_power)


def _lift_of_one_sided_disagreement(n: int, z_alpha: float, z_power: float) -> float:
    """Solve ``sqrt(n d) = z_alpha + z_power sqrt(1 - d)`` for ``d`` in (0, 1] by bisection."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2.0
        enough = math.sqrt(n * middle) >= z_alpha + z_power * math.sqrt(1.0 - middle)
        low, high = (low, middle) if enough else (middle, high)
    return high


def effective_rows(y: Array) -> float:
    """Return the size of a balanced sample that knows balanced accuracy equally well.

    The variance of a mean of class recalls is ``sum_c v / (C^2 n_c)``, so the sample is worth
    ``C^2 / sum_c (1 / n_c)`` rows: ``n`` when balanced, few when one class is tiny.

    Args:
        y: Labels, shape ``(n,)``; only the classes that occur count.
    """
    counts = np.unique(np.asarray(y), return_counts=True)[1]
    if len(counts) == 0:
        return 0.0
    return float(len(counts) ** 2 / (1.0 / counts).sum())
