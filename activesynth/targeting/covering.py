"""Balls around chosen rows that cover as many rows as they can without mixing classes."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import pairwise_distances, pairwise_distances_argmin_min

from activesynth.domain.canonical import Array

PURITY = 0.95
CHUNK = 2**22  # distances held at once
JUST_UNDER = 1.0 - 1e-6  # the ball must not reach the row that would make it impure


def pure_radius(points: Array, classes: int, *, seed: int, purity: float = PURITY) -> float:
    """Return the largest radius at which enough balls hold rows of one cluster only.

    A ball around a row is pure until it reaches the nearest row of another cluster, so the radius
    is a quantile of those distances and needs no grid. The clusters stand in for the classes.

    Args:
        points: ``(n, d)``.
        classes: Number of clusters, at least 1.
        seed: Seed of the k-means.
        purity: Share of balls that must be pure, in ``(0, 1]``.

    Returns:
        A radius, at least 0; infinite when all rows are in one cluster.

    References:
        Yehuda et al. 2022, arXiv:2205.11320, section 3.4.
    """
    from sklearn.cluster import KMeans

    number = min(classes, len(np.unique(points, axis=0)))
    if number < 2:
        return float("inf")
    model = KMeans(number, n_init=1, random_state=seed % 2**32)
    clusters = model.fit_predict(np.asarray(points, np.float64))
    reach = np.empty(len(points))
    for cluster in range(number):
        own = clusters == cluster
        reach[own] = pairwise_distances_argmin_min(points[own], points[~own])[1]
    impure = int(np.floor((1.0 - purity) * len(points) + 1e-9))
    return float(np.sort(reach)[impure] * JUST_UNDER)


def greedy_cover(points: Array, covered: Array, count: int, *, radius: float, seed: int) -> Array:
    """Return rows whose balls cover the most rows that nothing covered before them.

    Maximum coverage by the greedy rule, within 1 - 1/e of the best cover. Needs the distances of
    all pairs once, in chunks, and keeps none: quadratic in time and linear in memory.

    Args:
        points: Rows to choose from and to cover, ``(n, d)``.
        covered: Rows whose balls count already, the labelled ones, ``(m, d)``.
        count: Number of rows, at most ``n``.
        radius: Euclidean radius of a ball, at least 0; its rim belongs to it.
        seed: Seed of the order among equals, and of what is left once everything is covered.

    Returns:
        Distinct row indices, ``(count,)`` int64, in the order they were chosen.

    References:
        Yehuda et al. 2022, arXiv:2205.11320, algorithm 1.
    """
    points = np.asarray(points, np.float64)
    rows = len(points)
    if count < 1:
        return np.zeros(0, np.int64)
    is_open = np.ones(rows, bool)
    if len(covered):
        nearest = pairwise_distances_argmin_min(points, np.asarray(covered, np.float64))[1]
        is_open = nearest > radius
    degree = _reached_from(points, np.flatnonzero(is_open), radius)
    tie = np.random.default_rng(seed).permutation(rows)
    chosen: list[int] = []
    while len(chosen) < count:
        best = int(np.lexsort((tie, -degree))[0])
        chosen.append(best)
        near = _distances(points, points[[best]])[:, 0] <= radius
        near[best] = True
        fresh = np.flatnonzero(is_open & near)
        is_open[fresh] = False
        degree -= _reached_from(points, fresh, radius)
        degree[best] = -rows - 1  # rounding at the rim may take others a little under zero
    return np.array(chosen, np.int64)


def _reached_from(points: Array, targets: Array, radius: float) -> Array:
    """Count, for every row, how many of the rows ``targets`` its ball holds, ``(n,)`` int64."""
    counts = np.zeros(len(points), np.int64)
    step = max(1, CHUNK // max(1, len(points)))
    for start in range(0, len(targets), step):
        near = _distances(points, points[targets[start : start + step]]) <= radius
        counts += near.sum(axis=1)
    return counts


def _distances(left: Array, right: Array) -> Array:
    distances: Array = pairwise_distances(left, right)
    return distances
