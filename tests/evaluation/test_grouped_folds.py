"""Folds keep people together, and every labelled row is held out once."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activesynth.errors import InputError, ShapeError
from activesynth.evaluation.folds import grouped_folds


@given(st.integers(0, 2**31 - 1), st.integers(2, 6))
@settings(max_examples=25, deadline=None)
def test_no_patient_is_in_two_folds_and_every_labelled_row_in_one(seed: int, count: int) -> None:
    rng = np.random.default_rng(seed)
    groups = np.sort(rng.integers(0, 40, 120)).astype(str)
    y = rng.integers(-1, 3, 120)

    fold = grouped_folds(y, groups, count, seed=seed)

    assert ((fold == -1) == (y == -1)).all()
    assert set(fold[y >= 0].tolist()) == set(range(count))
    for name in np.unique(groups):
        assert len(np.unique(fold[(groups == name) & (y >= 0)])) <= 1


def test_folds_have_similar_shares_of_a_rare_class() -> None:
    y = np.repeat([0, 1], [400, 100])
    groups = np.arange(500).astype(str)

    fold = grouped_folds(y, groups, 5, seed=1)

    assert np.bincount(fold[y == 1]).tolist() == [20] * 5


def test_another_seed_deals_anew_and_the_same_one_alike() -> None:
    y, groups = np.arange(60) % 2, (np.arange(60) // 2).astype(str)

    first, again, other = (grouped_folds(y, groups, 5, seed=seed) for seed in (1, 1, 2))

    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_fewer_groups_than_folds_are_refused() -> None:
    with pytest.raises(InputError, match="20 labelled rows in 2 groups make no 5 folds"):
        grouped_folds(np.arange(20) % 2, np.repeat(["a", "b"], 10), 5, seed=0)
    with pytest.raises(ShapeError, match="a group per row"):
        grouped_folds(np.zeros(3, np.int64), np.array(["a", "b"]), 2, seed=0)
