"""How much less rows tell that come in groups: patients, scenes, files of one recording."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array


def design_effect(values: Array, groups: Array) -> float:
    """Return by how much grouping widens the variance of a mean.

    Dividing numbers of rows by it lets a test for independent rows keep its size.

    Args:
        values: What is averaged, ``(n,)``; bool or numbers.
        groups: The group of each row as a code in ``[0, m)``, ``(n,)`` int.

    Returns:
        The variance of the mean when whole groups are drawn over that when rows are, in
        ``[1, n]``; 1 where every row is a group of its own, or without rows. A single group, or
        values that are all equal, say nothing about the variance between groups: each group then
        counts as one row.

    References:
        Rao and Scott 1992, Biometrics 48:577-585.
    """
    n = len(values)
    codes, sizes = np.unique(groups, return_counts=True)
    count = len(codes)
    if count == n:
        return 1.0
    mean, spread = float(values.mean()), float(values.var())
    if count == 1 or spread == 0.0:
        return n / count
    sums = np.bincount(np.searchsorted(codes, groups), weights=values.astype(np.float64))
    between = count / (count - 1) * float(((sums - mean * sizes) ** 2).sum()) / n**2
    return min(max(1.0, between / (spread / n)), float(n))
