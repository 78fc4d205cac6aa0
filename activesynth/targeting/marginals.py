"""Re-weighting real rows to another arm's class and slice marginals."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import InputError, ShapeError

MAX_ROUNDS = 500
TOLERANCE = 1e-9
SMALLEST = 1e-6


def reweight_to_marginals(
    real_labels: Array,
    real_clusters: Array,
    target_labels: Array,
    target_clusters: Array,
    classes: int,
    *,
    target_weight: Array | None = None,
) -> Array:
    """Return weights under which the real rows have the target's class and slice marginals.

    Iterative proportional fitting on the table of class by cluster. A class or cluster that no
    real row has cannot be reached and is left out of the target; where both marginals cannot
    be had together, the class marginal is met and the cluster marginal is approached.

    Args:
        real_labels: Labels of the real rows, ``(n,)`` in ``[0, classes)``.
        real_clusters: Their clusters, ``(n,)``, any integers.
        target_labels: Labels of all rows the target arm draws from, ``(m,)``.
        target_clusters: Their clusters, ``(m,)``.
        classes: Number of classes.
        target_weight: Sampling weight of each target row, ``(m,)``; equal when None.

    Returns:
        Weights, ``(n,)`` float64, mean 1 and at least 1e-6, which a real row gets whose class or
        cluster the target does not have: a sampler needs positive weights.

    Raises:
        ShapeError: If labels and clusters do not align or a label lies outside the classes.
        InputError: If no real row shares its class and cluster with the target.

    References:
        Deming and Stephan 1940, doi:10.1214/aoms/1177731829.
    """
    weight = np.ones(len(target_labels)) if target_weight is None else np.asarray(target_weight)
    _check(real_labels, real_clusters, np.ones(len(real_labels)), classes)
    _check(target_labels, target_clusters, weight, classes)
    ids, codes = np.unique(
        np.concatenate([real_clusters, target_clusters]).astype(np.int64), return_inverse=True
    )
    rows, goals = codes[: len(real_labels)], codes[len(real_labels) :]
    table = np.zeros((classes, len(ids)))
    np.add.at(table, (np.asarray(real_labels, np.int64), rows), 1.0)
    by_class = np.bincount(np.asarray(target_labels, np.int64), weight, minlength=classes)
    by_cluster = np.bincount(goals, weight, minlength=len(ids))
    factors = _fit(table, by_class, by_cluster)
    weights: Array = factors[np.asarray(real_labels, np.int64), rows]
    if not weights.sum() > 0.0:
        raise InputError(
            "no real row shares class and cluster with the target; the real data cannot be "
            "re-weighted to it. Annotate rows of the target's classes first.",
            reason="no_overlap",
        )
    scaled: Array = np.maximum(weights * (len(weights) / weights.sum()), SMALLEST)
    return scaled


def _fit(table: Array, by_class: Array, by_cluster: Array) -> Array:
    """Return the factor of each cell, ``(classes, clusters)``, by alternating scaling."""
    goal_rows = _reachable(by_class, table.sum(axis=1))
    goal_columns = _reachable(by_cluster, table.sum(axis=0))
    # Scaling the cells and not two vectors: those run off to infinity where the marginals
    # exclude each other, while the cells stay between 0 and 1.
    cells = table / table.sum()
    for _ in range(MAX_ROUNDS):
        cells = cells * _ratio(goal_columns, cells.sum(axis=0))
        cells = cells * _ratio(goal_rows, cells.sum(axis=1))[:, None]
        if np.abs(cells.sum(axis=0) - goal_columns).max() < TOLERANCE:
            break
    return _ratio(cells, table)


def _reachable(goal: Array, there: Array) -> Array:
    kept = np.where(there > 0, goal, 0.0)
    shares: Array = kept / max(kept.sum(), np.finfo(float).tiny)
    return shares


def _ratio(goal: Array, have: Array) -> Array:
    ratio: Array = np.divide(goal, have, out=np.zeros_like(have), where=have > 0)
    return ratio


def _check(labels: Array, clusters: Array, weight: Array, classes: int) -> None:
    if not len(labels) == len(clusters) == len(weight) or len(labels) == 0:
        raise ShapeError(
            f"labels, clusters and weights must align and not be empty, got {len(labels)}, "
            f"{len(clusters)} and {len(weight)}."
        )
    if not 0 <= np.min(labels) <= np.max(labels) < classes:
        raise ShapeError(
            f"labels must lie in [0, {classes}), got {np.min(labels)} to {np.max(labels)}; "
            "leave unlabelled rows (-1) out."
        )
