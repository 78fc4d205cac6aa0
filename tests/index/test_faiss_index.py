"""The FAISS index against scikit-learn, and the codebook's promises."""

from __future__ import annotations

from typing import Any

import faiss
import numpy as np
import pytest
from sklearn.neighbors import NearestNeighbors

from activesynth.domain.canonical import Array
from activesynth.domain.ports import VectorIndex
from activesynth.errors import CorruptArtifactError, InputError, ShapeError
from activesynth.index import faiss_index
from activesynth.index.faiss_index import FaissIndex


def make_vectors(rows: int, dimension: int = 8, seed: int = 0) -> Array:
    return np.random.default_rng(seed).normal(size=(rows, dimension)).astype(np.float32)


def test_the_index_satisfies_the_port() -> None:
    assert isinstance(FaissIndex(), VectorIndex)


@pytest.mark.parametrize("queries", [3, 64])
def test_flat_neighbours_equal_those_of_scikit_learn(queries: int) -> None:
    vectors, asked = make_vectors(500), make_vectors(queries, seed=1)
    reference = NearestNeighbors(n_neighbors=5, algorithm="brute").fit(vectors)
    distances, ids = FaissIndex().search(FaissIndex().build(vectors), asked, 5)
    expected_distances, expected_ids = reference.kneighbors(asked)

    assert np.array_equal(ids, expected_ids)
    assert np.allclose(distances, expected_distances**2, rtol=1e-4, atol=1e-5)
    assert ids.dtype == np.int64


@pytest.mark.parametrize(("flat", "ivf"), [(10_000, 20_000), (100, 20_000), (100, 200)])
def test_rebuilding_gives_equal_bytes_and_equal_neighbours(flat: int, ivf: int) -> None:
    vectors = make_vectors(3000)
    first = FaissIndex(flat_rows=flat, ivf_rows=ivf)
    again = FaissIndex(flat_rows=flat, ivf_rows=ivf)
    one, two = first.build(vectors), again.build(vectors)

    assert one == two
    for left, right in zip(
        first.search(one, vectors[:50], 4), again.search(two, vectors[:50], 4), strict=True
    ):
        assert np.array_equal(left, right)


@pytest.mark.parametrize(("flat", "ivf", "layout"), [(100, 20_000, "ivf"), (100, 200, "hnsw")])
def test_approximate_layouts_find_nearly_all_true_neighbours(
    flat: int, ivf: int, layout: str
) -> None:
    vectors, asked = make_vectors(4000), make_vectors(100, seed=1)
    index = FaissIndex(flat_rows=flat, ivf_rows=ivf)
    _, found = index.search(index.build(vectors), asked, 5)
    _, true = FaissIndex().search(FaissIndex().build(vectors), asked, 5)
    recall = np.mean([len(set(a) & set(b)) / 5 for a, b in zip(found, true, strict=True)])

    assert index.layout(4000) == layout
    assert recall > 0.9


def test_a_search_looks_into_no_more_lists_than_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faiss_index, "MIN_PROBES", 2)
    monkeypatch.setattr(faiss_index, "MAX_PROBES", 3)

    built = FaissIndex(flat_rows=100).build(make_vectors(4000))

    index: Any = faiss.deserialize_index(np.frombuffer(built, np.uint8))
    assert index.nprobe == 3


def test_many_equal_vectors_still_make_an_index() -> None:
    vectors = np.repeat(make_vectors(5), 100, axis=0)
    index = FaissIndex(flat_rows=10)
    distances, _ = index.search(index.build(vectors), vectors[:3], 4)

    assert np.allclose(distances, 0, atol=1e-4)


def test_a_row_of_the_index_is_its_own_nearest_neighbour() -> None:
    vectors = make_vectors(200)
    distances, ids = FaissIndex().search(FaissIndex().build(vectors), vectors, 1)

    assert np.array_equal(ids[:, 0], np.arange(200))
    assert (distances >= 0).all()
    assert np.allclose(distances, 0, atol=1e-4)


def test_assign_returns_the_nearest_centroid() -> None:
    centroids, vectors = make_vectors(12), make_vectors(300, seed=2)
    assigned = FaissIndex().assign(centroids, vectors)
    distances = ((vectors[:, None] - centroids[None]) ** 2).sum(axis=2)

    assert np.array_equal(assigned, distances.argmin(axis=1))
    assert assigned.dtype == np.int64


def test_wrong_requests_are_refused_with_the_way_out() -> None:
    index = FaissIndex()
    stored = index.build(make_vectors(10))
    with pytest.raises(InputError, match="ask for fewer neighbours"):
        index.search(stored, make_vectors(2), 11)
    with pytest.raises(ShapeError, match="embed both with one model"):
        index.search(stored, make_vectors(2, dimension=3), 1)
    with pytest.raises(ShapeError, match="NaN"):
        index.build(np.full((3, 2), np.nan))
    with pytest.raises(ShapeError, match="frozen with"):
        index.assign(make_vectors(2), make_vectors(2, dimension=3))
    with pytest.raises(CorruptArtifactError, match="not a readable FAISS index"):
        index.search(b"not an index at all", make_vectors(2), 1)
