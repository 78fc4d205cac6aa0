"""The search by halving against all pairs by SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError
from activesynth.evaluation import near_duplicates, range_search
from activesynth.evaluation.near_duplicates import (
    has_near_duplicate,
    near_duplicate_groups,
    near_pairs,
    scaled_rows,
    unit_scaled,
)


def partition(labels: Array) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in set(labels.tolist())}


@settings(max_examples=40, deadline=None)
@given(
    rows=st.integers(2, 60),
    width=st.integers(1, 5),
    threshold=st.floats(0.01, 0.6),
    seed=st.integers(0, 2**16),
)
def test_groups_are_the_components_of_the_full_distance_matrix(
    rows: int, width: int, threshold: float, seed: int
) -> None:
    x = np.random.default_rng(seed).random((rows, width)).astype(np.float32)
    distances = cdist(x.astype(np.float64), x.astype(np.float64)) / np.sqrt(width)
    _, expected = connected_components(distances < threshold)

    labels = near_duplicate_groups(x, threshold)

    assert partition(labels) == partition(expected)


def copies_among_strangers(rows: int, width: int, seed: int) -> Array:
    """Return random rows of which a tenth is a copy of another with a little noise."""
    rng = np.random.default_rng(seed)
    x = rng.random((rows, width)).astype(np.float32)
    copies = rng.permutation(rows)[: rows // 5].reshape(2, -1)
    noise = rng.normal(scale=0.02, size=(copies.shape[1], width))
    x[copies[0]] = x[copies[1]] + noise.astype(np.float32)
    return x


@pytest.mark.parametrize("width", [2, 40])
@pytest.mark.parametrize(("rows", "others"), [(3000, None), (3000, 500), (500, 3000)])
def test_pairs_are_those_of_the_full_distance_matrix(
    width: int, rows: int, others: int | None
) -> None:
    a = copies_among_strangers(rows, width, 0)
    b = a if others is None else np.concatenate([a[:20], copies_among_strangers(others, width, 1)])
    left, right = np.nonzero(cdist(a.astype(float), b.astype(float)) < 0.02 * np.sqrt(width))

    found = near_pairs(a, b, 0.02)

    assert len(left) > 20
    assert np.array_equal(found, (left, right))


def test_pieces_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    x = copies_among_strangers(2000, 6, 2)
    whole, groups = near_pairs(x, x, 0.03), near_duplicate_groups(x, 0.03)

    monkeypatch.setattr(range_search, "CELL", 7)
    monkeypatch.setattr(range_search, "WINDOW", 100)
    monkeypatch.setattr(range_search, "BLOCK", 9)
    monkeypatch.setattr(range_search, "DIRECTIONS", 2)
    monkeypatch.setattr(range_search, "NUMBERS", 50)
    monkeypatch.setattr(near_duplicates, "JOINED_PAIRS", 3)

    assert np.array_equal(near_pairs(x, x, 0.03), whole)
    assert partition(near_duplicate_groups(x, 0.03)) == partition(groups)
    assert 1 < len(set(groups.tolist())) < 2000


def test_rows_that_are_all_one_of_three_form_three_groups() -> None:
    x = np.repeat(copies_among_strangers(3, 5, 0), 400, axis=0)

    assert len(set(near_duplicate_groups(x, 0.01).tolist())) == 3


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**16), threshold=st.floats(0.01, 0.5))
def test_a_query_is_near_when_its_nearest_reference_is(seed: int, threshold: float) -> None:
    rng = np.random.default_rng(seed)
    queries, reference = rng.random((40, 4)), rng.random((25, 4))
    expected = cdist(queries, reference).min(axis=1) / 2 < threshold

    is_near = has_near_duplicate(
        queries.astype(np.float32), reference.astype(np.float32), threshold
    )

    assert is_near.tolist() == expected.tolist()


def test_a_threshold_of_zero_connects_nothing() -> None:
    x = np.zeros((3, 2), np.float32)

    assert len(set(near_duplicate_groups(x, 0.0).tolist())) == 3
    assert not has_near_duplicate(x, x, 0.0).any()


def test_identical_rows_are_near_duplicates() -> None:
    x = np.ones((4, 3), np.float32)

    assert len(set(near_duplicate_groups(x, 0.01).tolist())) == 1


def test_tables_of_different_width_are_refused() -> None:
    with pytest.raises(ShapeError, match="equal width"):
        has_near_duplicate(np.zeros((2, 3)), np.zeros((2, 4)), 0.1)


def test_pictures_keep_one_scale_and_tables_take_that_of_the_reference() -> None:
    pictures = np.array([[[[0]], [[255]]]], np.uint8)
    reference = np.array([[0.0, 5.0], [4.0, 5.0]])

    assert unit_scaled(pictures).tolist() == [[0.0, 1.0]]
    assert unit_scaled(np.array([[2.0, 3.0]]), reference).tolist() == [[1.0, 3.0]]


@pytest.mark.parametrize("kind", ["pictures", "a table", "a constant"])
def test_rows_scaled_when_they_are_looked_at_are_the_scaled_rows(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(range_search, "NUMBERS", 1000)
    rng = np.random.default_rng(0)
    x: Array = rng.integers(0, 256, (400, 5, 4, 1), dtype=np.uint8)
    if kind != "pictures":
        x = rng.normal(size=(400, 19)).astype(np.float32) * (kind == "a table")
    x[200:250] = x[:50]
    rows = rng.permutation(400)[:150]

    table, whole = scaled_rows(x), unit_scaled(x)

    flat = x.reshape(400, -1).astype(np.float32)
    spread = flat.std(axis=0, dtype=np.float64)
    scale = 255.0 if kind == "pictures" else np.where(spread > 0, spread, 1.0).astype(np.float32)
    assert np.array_equal(whole, flat / np.float32(scale))
    assert np.array_equal(table[10:20], whole[10:20])
    assert np.array_equal(table.take(rows)[np.array([3, 1])], whole[rows][[3, 1]])
    assert np.array_equal(range_search._mean(whole), whole.mean(axis=0, dtype=np.float64))
    groups = near_duplicate_groups(table, 0.01)
    assert np.array_equal(groups, near_duplicate_groups(whole, 0.01))
    left, right = table.take(np.arange(60)), table.take(np.arange(200, 260))
    assert has_near_duplicate(left, right, 0.01)[:50].all()
