"""Choosing rows that differ from one another: BADGE's k-means++ and the greedy core-set."""

from __future__ import annotations

import numpy as np
from sklearn.metrics import pairwise_distances_argmin_min

from activesynth.domain.canonical import Array


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
    points = np.asarray(points, np.float64)
    rng = np.random.default_rng(seed)
    distance = np.full(len(points), np.inf)
    if len(covered) and len(points):
        distance = pairwise_distances_argmin_min(points, np.asarray(covered, np.float64))[1]
    chosen: list[int] = []
    while len(chosen) < count:
        is_drawn = not chosen and not len(covered)
        chosen.append(int(rng.integers(len(points)) if is_drawn else distance.argmax()))
        step = np.sqrt(((points - points[chosen[-1]]) ** 2).sum(axis=1))
        distance = np.minimum(distance, step)
        distance[chosen] = -1.0  # a duplicate at distance 0 still comes before a repetition
    return np.array(chosen, np.int64)
