"""Codebooks: canonical order, clear limits."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import pairwise_distances

from activesynth.domain.canonical import Array
from activesynth.errors import InputError
from activesynth.index.codebook import EXACT_ROWS, fit_codebook

CENTRES = np.array([[0, 0], [10, 0], [0, 10], [10, 10]], np.float32)
SIZES = (10, 40, 20, 30)


def make_blobs(seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    blobs = [c + rng.normal(0, 0.3, (n, 2)) for c, n in zip(CENTRES, SIZES, strict=True)]
    return np.concatenate(blobs).astype(np.float32)


def test_centroids_find_the_blobs_and_the_largest_comes_first() -> None:
    codebook = fit_codebook(make_blobs(), 4, seed=0)

    assert codebook.dtype == np.float32
    assert np.allclose(codebook, CENTRES[[1, 3, 2, 0]], atol=0.3)


def test_the_order_depends_neither_on_the_seed_nor_on_the_order_of_rows() -> None:
    blobs = make_blobs()
    reference = fit_codebook(blobs, 4, seed=0)

    assert np.array_equal(reference, fit_codebook(blobs, 4, seed=0))
    assert np.allclose(reference, fit_codebook(blobs, 4, seed=9), atol=1e-4)
    assert np.allclose(reference, fit_codebook(blobs[::-1], 4, seed=0), atol=1e-4)


def test_clusters_of_equal_size_are_ordered_by_coordinates() -> None:
    points = np.repeat(np.array([[3, 1], [1, 2], [1, 1], [2, 0]], np.float32), 5, axis=0)

    assert fit_codebook(points, 4, seed=0).tolist() == [[1, 1], [1, 2], [2, 0], [3, 1]]


def test_too_many_clusters_are_refused_with_the_number_that_works() -> None:
    points = np.repeat(np.eye(3, dtype=np.float32), 10, axis=0)
    with pytest.raises(InputError, match=r"set `clusters.count` to 3 or less"):
        fit_codebook(points, 4, seed=0)

    assert len(fit_codebook(points, 3, seed=0)) == 3


def test_many_rows_are_clustered_in_mini_batches_to_the_same_blobs() -> None:
    rng = np.random.default_rng(0)
    points = CENTRES[rng.integers(0, 4, EXACT_ROWS + 1)] + rng.normal(0, 0.3, (EXACT_ROWS + 1, 2))
    codebook = fit_codebook(points, 4, seed=0)

    assert np.allclose(np.sort(pairwise_distances(codebook, CENTRES), axis=1)[:, 0], 0, atol=0.1)
