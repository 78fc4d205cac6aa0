"""The windowed search against all pairs by SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components
from scipy.spatial.distance import cdist

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError
from activesynth.evaluation import near_duplicates
from activesynth.evaluation.near_duplicates import (
    has_near_duplicate,
    near_duplicate_groups,
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


def test_blocks_and_windows_do_not_change_the_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).random((500, 3)).astype(np.float32)
    whole = near_duplicate_groups(x, 0.05)

    monkeypatch.setattr(near_duplicates, "BLOCK", 7)

    assert partition(near_duplicate_groups(x, 0.05)) == partition(whole)
    assert 1 < len(set(whole.tolist())) < 500


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
