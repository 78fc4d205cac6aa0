"""The k-means codebook, against scikit-learn's k-means alone and its mini-batches (CPU seconds)."""

from __future__ import annotations

from time import process_time

import numpy as np
from sklearn.cluster import KMeans, MiniBatchKMeans

from activesynth.domain.canonical import Array
from activesynth.index.codebook import RESTARTS
from activesynth.index.faiss_index import FaissIndex
from benchmarks.measure import Case, measured
from benchmarks.pictures import embeddings


def measure(*, quick: bool) -> list[Case]:
    """Time three ways to equal inertia on embedded digits."""
    vectors = embeddings(500 if quick else 20_000)
    clusters = 16
    index = FaissIndex()
    index.codebook(vectors[:200], 4, seed=0)

    def plain() -> Array:
        model = KMeans(clusters, n_init=RESTARTS, random_state=0, algorithm="lloyd")
        return np.asarray(model.fit(vectors).cluster_centers_)

    def mini() -> Array:
        model = MiniBatchKMeans(clusters, n_init=RESTARTS, random_state=0, batch_size=4096)
        return np.asarray(model.fit(vectors).cluster_centers_)

    def ours() -> Array:
        return index.codebook(vectors, clusters, seed=0)

    repeats = 1 if quick else 3
    own, centres = measured("our codebook", ours, repeats=repeats, clock=process_time)
    best = _inertia(index, vectors, centres)
    cases = [own.noted(f"{len(vectors)} x {vectors.shape[1]}, inertia 1.0000")]
    for name, call in (("scikit-learn KMeans", plain), ("scikit-learn MiniBatchKMeans", mini)):
        case, centres = measured(name, call, repeats=repeats, clock=process_time)
        cases.append(case.noted(f"inertia {_inertia(index, vectors, centres) / best:.4f}"))
    return cases


def _inertia(index: FaissIndex, vectors: Array, centres: Array) -> float:
    nearest = index.assign(centres.astype(np.float32), vectors)
    distances = vectors.astype(np.float64) - centres[nearest]
    return float((distances**2).sum())
