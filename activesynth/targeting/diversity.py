"""Choosing rows that differ from one another: BADGE's k-means++ and the greedy core-set."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import pairwise_distances_argmin_min

from activesynth.domain.canonical import Array

CELLS = 1 << 16
"""Numbers of differences held at once: they stay in the processor's cache."""
ROWS = 1 << 12
"""Rows that are compared with the covered ones at once."""


def gradient_kmeans_pp(probs: Array, embeddings: Array, count: int, *, seed: int) -> Array:
    """Return rows whose hallucinated gradients are large and point in different directions.

    The gradient of the cross entropy at the predicted label, with respect to the last layer, is
    the outer product of ``p - onehot(argmax p)`` and the embedding. Its inner products factorise,
    so the ``(n, classes * d)`` gradients are never built. k-means++ starts at the largest one
    and then draws rows in proportion to the squared distance from those chosen.

    Args:
        probs: Mean class probabilities, ``(n, classes)``.
        embeddings: ``(n, d)``.
        count: Number of rows, at most ``n``.
        seed: Seed of the draws.

    Returns:
        Distinct row indices, ``(count,)`` int64, in the order they were chosen.

    References:
        Ash et al. 2020, arXiv:1906.03671.
    """
    rng = np.random.default_rng(seed)
    rows = len(probs)
    errors = np.array(probs, np.float64)
    errors[np.arange(rows), errors.argmax(axis=1)] -= 1.0
    points = np.asarray(embeddings, np.float64)
    norms = (errors**2).sum(axis=1) * (points**2).sum(axis=1)
    # What cancellation leaves of a distance of zero must not be drawn as if it were one.
    noise = 1e-12 * norms.max(initial=0.0)
    chosen = [int(norms.argmax())] if rows and count > 0 else []
    nearest = np.full(rows, np.inf)
    while len(chosen) < count:
        last = chosen[-1]
        inner = (errors @ errors[last]) * (points @ points[last])
        nearest = np.minimum(nearest, norms + norms[last] - 2.0 * inner)
        nearest[nearest <= noise] = 0.0
        nearest[last] = 0.0
        total = np.cumsum(nearest)
        if not total[-1] > 0.0:
            rest = np.setdiff1d(np.arange(rows), chosen)
            chosen.extend(rng.permutation(rest)[: count - len(chosen)].tolist())
            break
        chosen.append(int(np.searchsorted(total, rng.random() * total[-1], side="right")))
    return np.array(chosen, np.int64)


def greedy_k_center(points: Array, covered: Array, count: int, *, seed: int) -> Array:
    """Return rows that keep every row close to a chosen or covered one (core-set).

    Each step takes the row farthest from all chosen ones, a 2-approximation of the best cover.

    Args:
        points: ``(n, d)``.
        covered: What is covered already, ``(m, d)``; with none, the first row is drawn.
        count: Number of rows, at most ``n``.
        seed: Seed of the first row when nothing is covered.

    Returns:
        Distinct row indices, ``(count,)`` int64, in the order they were chosen.

    References:
        Sener and Savarese 2018, arXiv:1708.00489.
    """
    rng = np.random.default_rng(seed)
    distance = np.full(len(points), np.inf)
    if len(covered):
        known = np.asarray(covered, np.float64)
        for start in range(0, len(points), ROWS):
            block = np.asarray(points[start : start + ROWS], np.float64)
            distance[start : start + ROWS] = pairwise_distances_argmin_min(block, known)[1]
    chosen: list[int] = []
    while len(chosen) < count:
        is_drawn = not chosen and not len(covered)
        chosen.append(int(rng.integers(len(points)) if is_drawn else distance.argmax()))
        np.minimum(distance, _distances(points, chosen[-1]), out=distance)
        distance[chosen] = -1.0  # a duplicate at distance 0 still comes before a repetition
    return np.array(chosen, np.int64)


def _distances(points: Array, row: int) -> Array:
    """Return the Euclidean distance of every row to one of them, ``(n,)`` float64.

    By differences, which are exactly 0 for copies, and in blocks: a table of all of them would
    be as large as the rows, and reading it back costs more than the arithmetic.
    """
    centre = np.asarray(points[row], np.float64)
    rows = max(1, CELLS // max(1, points.shape[1]))
    buffer = np.empty((rows, points.shape[1]))
    squared = np.empty(len(points))
    for start in range(0, len(points), rows):
        block = points[start : start + rows]
        gap = np.subtract(block, centre, out=buffer[: len(block)])
        np.multiply(gap, gap, out=gap)
        gap.sum(axis=1, out=squared[start : start + rows])
    distances: Array = np.sqrt(squared, out=squared)
    return distances
