"""Splitting whole numbers exactly: in proportion to shares, or to fill up what is smallest."""

from __future__ import annotations

import heapq
from fractions import Fraction

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import InputError


def largest_remainder(shares: Array, budget: int) -> Array:
    """Split ``budget`` in proportion to ``shares`` by the method of largest remainders.

    Every part is its exact quota rounded down or up. Computed in fractions: floating-point
    quotas can miss the sum by one. Equal remainders go to the earlier part.

    Args:
        shares: Non-negative finite shares, ``(k,)``; they need not sum to 1.
        budget: What is split, at least 0.

    Returns:
        Parts, ``(k,)`` int64, summing exactly to ``budget``.

    Raises:
        InputError: If the budget is negative, a share is negative or not finite, or there is a
            budget and no share above zero.

    References:
        Hamilton's method; Balinski and Young 2001, "Fair Representation", chapter 2.
    """
    shares = np.asarray(shares, np.float64)
    if budget < 0 or not (np.isfinite(shares) & (shares >= 0.0)).all():
        raise InputError(
            f"cannot split a budget of {budget} over shares {shares.tolist()}; both must be "
            "finite and not negative.",
            reason="shares",
        )
    weights = [Fraction(share) for share in shares.tolist()]
    total = sum(weights, Fraction(0))
    if budget == 0:
        return np.zeros(len(weights), np.int64)
    if total == 0:
        raise InputError(
            f"cannot split a budget of {budget}: no share is above zero; pass equal shares to "
            "split it evenly.",
            reason="shares",
        )
    quotas = [budget * weight / total for weight in weights]
    parts = [int(quota) for quota in quotas]
    by_remainder = sorted(range(len(parts)), key=lambda k: (parts[k] - quotas[k], k))
    for part in by_remainder[: budget - sum(parts)]:
        parts[part] += 1
    return np.array(parts, np.int64)


def fill_up(counts: Array, extra: int) -> Array:
    """Split ``extra`` so that the smallest counts rise first and then all rise together.

    Args:
        counts: What is there, ``(k,)`` integers, at least 0; there must be one if there is extra.
        extra: What is added, at least 0.

    Returns:
        Additions, ``(k,)`` int64, summing to ``extra``; where something was added, the totals
        differ by 1 at most. Among equals the earlier one rises first.
    """
    added = np.zeros(len(counts), np.int64)
    heap = [(int(count), k) for k, count in enumerate(counts)]
    heapq.heapify(heap)
    for _ in range(extra):
        count, k = heap[0]
        heapq.heapreplace(heap, (count + 1, k))
        added[k] += 1
    return added
