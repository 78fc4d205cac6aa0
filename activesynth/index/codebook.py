"""Seeded k-means codebooks in a canonical order."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import InputError

EXACT_ROWS = 50_000
RESTARTS = 4


def fit_codebook(vectors: Array, count: int, *, seed: int) -> Array:
    """Return ``count`` k-means centroids, the largest cluster first.

    k-means++ starts, several restarts, and mini-batches beyond 50,000 rows. Clusters of equal
    size are ordered by coordinates, so that an id never depends on the order of a restart.

    Args:
        vectors: Embeddings, ``(n, d)``.
        count: Number of clusters, at least 1.
        seed: Seed of the starts.

    Returns:
        Centroids, ``(count, d)`` float32.

    Raises:
        InputError: If there are fewer distinct vectors than clusters.
    """
    from sklearn.cluster import KMeans, MiniBatchKMeans

    points = np.ascontiguousarray(vectors, np.float32)
    distinct = len(np.unique(points, axis=0))
    if not 1 <= count <= distinct:
        raise InputError(
            f"a codebook of {count} clusters needs as many distinct vectors, got {distinct} "
            f"among {len(points)} rows; set `clusters.count` to {distinct} or less.",
            reason="too_many_clusters",
        )
    if len(points) <= EXACT_ROWS:
        model = KMeans(count, n_init=RESTARTS, random_state=seed, algorithm="lloyd")
    else:
        model = MiniBatchKMeans(count, n_init=RESTARTS, random_state=seed, batch_size=4096)
    labels = model.fit_predict(points)
    centroids = np.asarray(model.cluster_centers_, np.float32)
    sizes = np.bincount(labels, minlength=count)
    keys = (*reversed(centroids.T), -sizes)  # lexsort reads its last key first
    return np.ascontiguousarray(centroids[np.lexsort(keys)])
