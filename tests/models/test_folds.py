from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activesynth.errors import InputError
from activesynth.models.folds import (
    EVERYWHERE,
    draw_batches,
    group_folds,
    member_weights,
    spread_folds,
)


@settings(deadline=None)
@given(
    sizes=st.lists(st.integers(1, 6), min_size=2, max_size=30),
    count=st.integers(2, 8),
    seed=st.integers(0, 1000),
)
def test_folds_never_split_a_group_and_are_all_used(
    sizes: list[int], count: int, seed: int
) -> None:
    groups = np.repeat([f"g{number}" for number in range(len(sizes))], sizes)
    y = np.random.default_rng(seed).integers(0, 3, len(groups))

    folds = group_folds(y, groups, count, seed=seed)

    assert all(len(set(folds[groups == group])) == 1 for group in set(groups))
    assert set(folds) == set(range(min(count, len(sizes))))


@settings(deadline=None)
@given(counts=st.lists(st.integers(1, 40), min_size=2, max_size=6), seed=st.integers(0, 1000))
def test_single_row_groups_spread_every_class_evenly(counts: list[int], seed: int) -> None:
    y = np.repeat(np.arange(len(counts)), counts)
    groups = np.array([str(row) for row in range(len(y))])

    folds = group_folds(y, groups, 5, seed=seed)

    per_fold = np.array(
        [np.bincount(y[folds == fold], minlength=len(counts)) for fold in range(folds.max() + 1)]
    )
    assert (per_fold.max(axis=0) - per_fold.min(axis=0) <= 1).all()


def test_one_group_cannot_be_cross_fitted() -> None:
    with pytest.raises(InputError, match="at least 2 groups of real rows, got 1 in 3 rows"):
        group_folds(np.array([0, 1, 1]), np.array(["a", "a", "a"]), 5, seed=0)


def test_synthetic_rows_follow_the_real_group_they_were_made_from() -> None:
    folds = spread_folds(np.array([2, 0]), np.array(["a", "b"]), np.array(["b", "new", "a"]))

    assert folds.tolist() == [0, EVERYWHERE, 2]


@settings(deadline=None)
@given(
    weight=st.lists(st.floats(0.01, 100), min_size=1, max_size=30),
    steps=st.integers(1, 20),
    seed=st.integers(0, 1000),
)
def test_every_row_is_drawn_as_often_as_its_weight_says_to_within_one(
    weight: list[float], steps: int, seed: int
) -> None:
    weights = np.array(weight)

    batches = draw_batches(weights, steps, 16, seed=seed)

    drawn = np.bincount(batches.ravel(), minlength=len(weights))
    expected = weights / weights.sum() * batches.size
    assert batches.shape == (steps, 16)
    assert (abs(drawn - expected) <= 1 + 1e-6).all()


def test_rows_of_weight_zero_are_never_drawn() -> None:
    weight = np.array([0.0, 1.0, 0.0, 2.0, 0.0])

    batches = draw_batches(weight, 50, 16, seed=3)

    assert set(np.unique(batches)) == {1, 3}


def test_the_class_mix_of_single_batches_follows_the_weights() -> None:
    y = np.repeat([0, 1, 2], [900, 90, 10])
    weight = 1.0 / np.bincount(y)[y]

    batches = draw_batches(weight, 400, 30, seed=0)

    # Counts per batch are at most binomial in spread, so the mean over batches is close to 10
    # and the spread of one class within a batch stays near sqrt(30 * 1/3 * 2/3).
    first = (y[batches] == 0).sum(axis=1)
    assert abs(first.mean() - 10) < 3 * np.sqrt(20 / 3 / 400)
    assert 2.0 < first.std() < 3.2


def test_leaving_out_a_fold_keeps_the_share_of_real_rows() -> None:
    weight = np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    is_synthetic = np.array([False, False, False, True, True])
    is_held_out = np.array([True, False, False, False, True])

    kept = member_weights(weight, is_synthetic, is_held_out)

    assert (kept[is_held_out] == 0).all()
    assert kept[~is_synthetic].sum() == pytest.approx(6.0)
    assert kept[is_synthetic].sum() == pytest.approx(9.0)
    assert kept[2] / kept[1] == pytest.approx(1.5)
