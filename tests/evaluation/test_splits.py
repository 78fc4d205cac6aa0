"""Splits share nothing that they must not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activesynth.domain.canonical import Array
from activesynth.errors import InputError, ShapeError
from activesynth.evaluation.near_duplicates import ScaledRows
from activesynth.evaluation.splits import connected_groups, draw_splits, halves, leaks

SHARES = {"train": 0.2, "pool": 0.2, "guide": 0.2, "judge": 0.1, "gate": 0.15, "test": 0.15}


def singles(count: int) -> Array:
    return np.array([f"s{number}" for number in range(count)])


def far_apart(count: int) -> Array:
    return np.arange(count, dtype=np.float32)[:, np.newaxis]


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**16),
    group_count=st.integers(40, 120),
    threshold=st.sampled_from([0.0, 0.01, 0.05]),
)
def test_splits_are_disjoint_by_sample_group_and_near_duplicate(
    seed: int, group_count: int, threshold: float
) -> None:
    rng = np.random.default_rng(seed)
    y = rng.integers(-1, 3, 300)
    groups = np.array([f"g{number}" for number in rng.integers(0, group_count, 300)])
    x = rng.random((300, 2)).astype(np.float32) * 20

    splits = draw_splits(y, groups, x, SHARES, near_duplicate=threshold, seed=seed)

    every = np.concatenate(list(splits.values()))
    assert len(every) == len(np.unique(every))
    assert set(np.flatnonzero(y >= 0)) <= set(every.tolist())
    assert (np.concatenate([y[r] for n, r in splits.items() if n != "pool"]) >= 0).all()
    assert leaks(splits, np.arange(300), groups, as_table(x), near_duplicate=threshold) == []


def test_shares_and_classes_are_met_when_rows_are_free() -> None:
    y = np.repeat([0, 1, 2, 3], [400, 200, 100, 300])

    splits = draw_splits(y, singles(1000), far_apart(1000), SHARES, near_duplicate=0.0, seed=1)

    for name, share in SHARES.items():
        counts = np.bincount(y[splits[name]], minlength=4)
        assert np.abs(counts - share * np.array([400, 200, 100, 300])).max() <= 1


def test_shares_are_met_closely_when_rows_come_in_groups() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 3000)
    groups = np.array([f"g{number}" for number in rng.integers(0, 400, 3000)])

    splits = draw_splits(y, groups, far_apart(3000), SHARES, near_duplicate=0.0, seed=1)

    for name, share in SHARES.items():
        assert len(splits[name]) == pytest.approx(share * 3000, rel=0.05)
        assert np.abs(np.bincount(y[splits[name]]) / len(splits[name]) - 0.25).max() < 0.04


def test_equal_seeds_draw_equal_splits_and_others_do_not() -> None:
    y = np.arange(600) % 3

    one, same, other = (
        draw_splits(y, singles(600), far_apart(600), SHARES, near_duplicate=0.0, seed=seed)
        for seed in (4, 4, 5)
    )

    assert all(one[name].tolist() == same[name].tolist() for name in SHARES)
    assert one["train"].tolist() != other["train"].tolist()


def test_planted_near_duplicates_land_in_one_split() -> None:
    rng = np.random.default_rng(3)
    x = rng.random((400, 16)).astype(np.float32)
    x[200:] = x[:200] + rng.normal(0, 0.002, (200, 16)).astype(np.float32)
    y = np.tile(np.arange(200) % 4, 2)

    splits = draw_splits(y, singles(400), x, SHARES, near_duplicate=0.02, seed=0)

    place = np.empty(400, np.int64)
    for number, rows in enumerate(splits.values()):
        place[rows] = number
    assert place[:200].tolist() == place[200:].tolist()


def test_unlabelled_rows_enter_the_pool_unless_their_group_is_guarded() -> None:
    y = np.tile([0, 1, -1], 100)
    groups = np.array([f"g{number // 3}" for number in range(300)])
    groups[-3:] = "own"
    y[-3:] = -1

    splits = draw_splits(y, groups, far_apart(300), SHARES, near_duplicate=0.0, seed=0)

    growing = set(groups[np.r_[splits["train"], splits["pool"]]])
    unlabelled = {row for row in np.flatnonzero(y == -1) if groups[row] in growing}
    assert set(np.flatnonzero(y[splits["pool"]] == -1).tolist())
    assert {row for row in splits["pool"] if y[row] == -1} == unlabelled
    assert {297, 298, 299} <= set(splits["pool"])
    assert "own" in growing


def test_too_few_groups_for_the_splits_are_refused_with_the_way_out() -> None:
    groups = np.repeat(["a", "b"], 50)

    with pytest.raises(InputError, match="near_duplicate") as caught:
        draw_splits(np.arange(100) % 2, groups, far_apart(100), SHARES, near_duplicate=0.0, seed=0)

    assert caught.value.reason == "too_few_groups"


def test_shares_that_do_not_sum_to_one_are_refused() -> None:
    with pytest.raises(ShapeError, match="sum to 1"):
        draw_splits(
            np.zeros(3), singles(3), far_apart(3), {"train": 0.5}, near_duplicate=0.0, seed=0
        )


def test_connected_groups_carry_the_first_name() -> None:
    groups = np.array(["c", "b", "a", "d"])
    x = np.array([[0.0], [0.001], [5.0], [9.0]], np.float32)

    assert connected_groups(groups, x, 0.01).tolist() == ["b", "b", "a", "d"]


def test_a_chain_of_groups_and_near_duplicates_becomes_one_group() -> None:
    groups = np.array(["b", "a", "a", "c"])
    x = np.array([[0.0], [0.001], [7.0], [7.001]], np.float32)

    assert set(connected_groups(groups, x, 0.01)) == {"a"}


@given(seed=st.integers(0, 1000), added=st.integers(0, 50))
@settings(deadline=None)
def test_halves_never_divide_a_group_nor_change_when_rows_are_added(seed: int, added: int) -> None:
    ids = singles(100 + added)
    groups = np.array([f"g{number % 30}" for number in range(100 + added)])

    is_a = halves(ids, groups, seed=seed)

    assert is_a[:100].tolist() == halves(ids[:100], groups[:100], seed=seed).tolist()
    assert all(len(set(is_a[groups == name].tolist())) == 1 for name in set(groups))


def test_halves_are_about_equal_and_differ_by_seed() -> None:
    ids = singles(4000)

    one, other = (halves(ids, np.full(4000, ""), seed=seed) for seed in (0, 1))

    assert abs(one.mean() - 0.5) < 0.04
    assert abs((one == other).mean() - 0.5) < 0.04


def test_leaks_name_both_splits_and_what_they_share() -> None:
    splits = {"train": np.array([0, 1]), "pool": np.array([2]), "gate": np.array([3, 4])}
    ids = np.array(["1", "2", "2", "2", "4"])
    groups = np.array(["a", "b", "b", "x", "a"])
    x = np.array([[0.0], [1.0], [1.0], [1.001], [8.0]], np.float32)

    assert leaks(splits, ids, groups, as_table(x), near_duplicate=0.01) == [
        "train and pool and gate share 1 samples",
        "train and pool and gate share 1 groups",
        "2 rows of train and pool are near duplicates of rows in gate",
    ]


def as_table(x: Array) -> ScaledRows:
    """Return rows that are scaled already."""
    return ScaledRows(x, np.float32(1.0))
