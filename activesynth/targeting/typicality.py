"""The most typical row of each cluster that has no label yet: what a cold start asks about."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import InputError

MAX_CLUSTERS = 500
LEAST_MEMBERS = 5
EXACT_CLUSTERS = 50
CLOSE = 1e-7  # keeps identical rows, which are as typical as can be, from dividing by zero


def typicality(points: Array, neighbours: int) -> Array:
    """Return how dense the surroundings of each row are, ``(n,)`` positive.

    One over the mean distance to the ``neighbours`` nearest other rows, or to all others where
    there are fewer; a row that is alone has typicality 1.

    Args:
        points: ``(n, d)``.
        neighbours: At least 1.

    Raises:
        InputError: If ``neighbours`` is under 1.

    References:
        Hacohen et al. 2022, arXiv:2202.02794, equation 2.
    """
    from sklearn.neighbors import NearestNeighbors

    if neighbours < 1:
        raise InputError(
            f"typicality needs at least 1 neighbour, got {neighbours}; 20 is usual.",
            reason="neighbours",
        )
    if len(points) < 2:
        return np.ones(len(points))
    near = min(neighbours, len(points) - 1)
    # Without an argument a row is no neighbour of itself, also where it has copies.
    distances = NearestNeighbors(n_neighbors=near).fit(points).kneighbors()[0]
    dense: Array = near / (distances.sum(axis=1) + CLOSE)
    return dense


def typical_rows(points: Array, covered: Array, count: int, *, seed: int, neighbours: int) -> Array:
    """Return typical rows of the largest clusters without a label, one per cluster and round.

    k-means makes as many clusters as there are labelled rows and rows to choose, 500 at most.
    Clusters with fewer labelled rows come first, larger ones among them before smaller ones, and
    those with fewer than 5 rows to choose from only when the others are used up. Where there are
    more rows to choose than clusters, every round takes the next most typical row of each.

    Args:
        points: Rows to choose from, ``(n, d)``.
        covered: Labelled rows, ``(m, d)``; they only take part in the clustering.
        count: Number of rows, at most ``n``.
        seed: Seed of the clustering and of the order among equals.
        neighbours: Of which density is measured within a cluster; 20 in the paper.

    Returns:
        Distinct row indices, ``(count,)`` int64, in the order they were chosen.

    References:
        Hacohen et al. 2022, arXiv:2202.02794, algorithm 1 (TPC_RP).
    """
    if count < 1:
        return np.zeros(0, np.int64)
    points = np.asarray(points, np.float64)
    everything = points
    if len(covered):
        everything = np.concatenate([points, np.asarray(covered, np.float64)])
    number = min(len(covered) + count, MAX_CLUSTERS, len(everything))
    clusters = _clusters(everything, number, seed)
    own, labelled = clusters[: len(points)], clusters[len(points) :]
    sizes = np.bincount(own, minlength=number)
    known = np.bincount(labelled, minlength=number)
    tie = np.random.default_rng(seed).permutation(number)
    order = np.lexsort((tie, -sizes, known, sizes < LEAST_MEMBERS))
    rank_of_cluster = np.empty(number, np.int64)
    rank_of_cluster[order] = np.arange(number)
    turn = np.zeros(len(points), np.int64)
    for cluster in np.flatnonzero(sizes).tolist():
        members = np.flatnonzero(own == cluster)
        best = np.argsort(-typicality(points[members], neighbours), kind="stable")
        turn[members[best]] = np.arange(len(members))
    is_small = sizes[own] < LEAST_MEMBERS
    chosen: Array = np.lexsort((rank_of_cluster[own], turn, is_small))[:count]
    return chosen.astype(np.int64)


def _clusters(points: Array, number: int, seed: int) -> Array:
    """Cluster by k-means, in mini-batches above 50 clusters, as the paper's authors do."""
    import warnings

    from sklearn.cluster import KMeans, MiniBatchKMeans
    from sklearn.exceptions import ConvergenceWarning

    state = seed % 2**32
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer distinct rows than clusters
        if number <= EXACT_CLUSTERS:
            model = KMeans(number, n_init=1, random_state=state)
        else:
            model = MiniBatchKMeans(number, n_init=1, random_state=state, batch_size=5000)
        labels: Array = model.fit_predict(points).astype(np.int64)
    return labels
