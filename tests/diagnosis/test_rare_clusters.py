"""A planted rare cluster is found on a real codebook, and none where the clusters are balanced."""

from __future__ import annotations

import numpy as np

from activesynth.diagnosis.clusters import cluster_shares, rare_clusters
from activesynth.domain.canonical import Array
from activesynth.index.faiss_index import FaissIndex

CENTRES = np.random.default_rng(1).normal(size=(8, 16)) * 4


def make_blobs(sizes: list[int]) -> tuple[Array, Array]:
    rng = np.random.default_rng(2)
    blobs = np.repeat(np.arange(8), sizes)
    vectors = CENTRES[blobs] + rng.normal(scale=0.3, size=(len(blobs), 16))
    return vectors.astype(np.float32), blobs


def rare_ones(sizes: list[int]) -> tuple[tuple[int, ...], Array, Array]:
    vectors, blobs = make_blobs(sizes)
    index = FaissIndex()
    clusters = index.assign(index.codebook(vectors, 8, seed=0), vectors)
    return rare_clusters(cluster_shares(clusters, 8), 0.02), clusters, blobs


def test_a_planted_rare_cluster_is_the_one_that_is_found() -> None:
    found, clusters, blobs = rare_ones([100, 100, 100, 8, 100, 100, 100, 100])

    assert len(found) == 1
    assert set(blobs[clusters == found[0]].tolist()) == {3}


def test_no_cluster_is_rare_where_all_are_balanced() -> None:
    found, _, _ = rare_ones([100] * 8)

    assert found == ()
