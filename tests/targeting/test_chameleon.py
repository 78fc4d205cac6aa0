"""Chameleon's test rejects what real rows are not like, and its bandit fills up small groups."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.spatial.distance import cdist

from activesynth.errors import ShapeError
from activesynth.targeting.chameleon import conformal_p_values, guided_rejection


def test_p_values_are_ranks_among_leave_one_out_distances() -> None:
    rng = np.random.default_rng(0)
    real, made = rng.normal(size=(30, 2)), rng.normal(size=(15, 2)) * 2
    y, labels = np.repeat([0, 1], 15), np.arange(15) % 2
    found = conformal_p_values(real, y, made, labels)

    for row, label in enumerate(labels.tolist()):
        own = real[y == label]
        usual = np.sort(cdist(own, own), axis=1)[:, 1]
        distance = cdist(made[row : row + 1], own).min()
        assert found[row] == pytest.approx((1 + (usual >= distance).sum()) / 16)


def test_about_one_in_twenty_real_looking_candidates_is_rejected_and_every_strange_one() -> None:
    rng = np.random.default_rng(1)
    real, y = rng.normal(size=(400, 2)), np.zeros(400, np.int64)
    same, far = rng.normal(size=(400, 2)), rng.normal(size=(50, 2)) + 8
    zeros = np.zeros(400, np.int64)

    assert (conformal_p_values(real, y, same, zeros) < 0.05).mean() == pytest.approx(0.05, abs=0.04)
    assert (conformal_p_values(real, y, far, zeros[:50]) < 0.05).all()


def test_labels_with_few_or_no_real_rows_still_get_a_p_value() -> None:
    real = np.random.default_rng(0).normal(size=(40, 2))
    y = np.repeat([0, 1], [39, 1])
    found = conformal_p_values(real, y, real[-1:].repeat(2, axis=0), np.array([1, 2]))

    assert found[0] == 1.0
    assert found[1] == pytest.approx(1 / 41)


def test_small_groups_are_filled_up_until_all_are_level() -> None:
    real = np.repeat(["a", "b", "c"], [50, 20, 10])
    cells = np.repeat(["a", "b", "c"], 100)
    found = guided_rejection(np.ones(300), cells, real, 70, seed=0)
    totals = [int((real == c).sum() + (cells[found.rows] == c).sum()) for c in "abc"]

    assert totals == [50, 50, 50]
    assert (found.rejected, found.filled) == (0, 0)


def test_a_guide_whose_candidates_fail_is_asked_less_often() -> None:
    real = np.repeat(["a", "b", "c"], [400, 10, 10])
    cells = np.repeat(["b", "c"], 300)
    p_values = np.where((cells == "c") | (np.arange(600) % 10 == 0), 1.0, 0.0)
    found = [guided_rejection(p_values, cells, real, 60, seed=seed) for seed in range(20)]

    assert np.mean([(cells[one.rows] == "c").mean() for one in found]) > 0.9
    assert np.mean([one.rejected for one in found]) < 25  # evenly it would be about 50


def test_where_too_few_pass_the_most_real_looking_ones_fill_up_and_are_counted() -> None:
    p_values = np.array([0.5, 0.01, 0.04, 0.02, 0.9])
    cells = np.full(5, "a")
    found = guided_rejection(p_values, cells, cells, 4, seed=0)

    assert set(found.rows[:2].tolist()) == {0, 4}
    assert found.rows[2:].tolist() == [2, 3]
    assert (found.rejected, found.filled) == (3, 2)


def test_equal_seeds_take_equal_rows_and_no_row_twice() -> None:
    p_values = np.random.default_rng(0).uniform(size=80)
    cells = np.array(list("abcd") * 20)
    one, other = (guided_rejection(p_values, cells, cells[:7], 50, seed=4) for _ in range(2))

    assert one.rows.tolist() == other.rows.tolist()
    assert len(set(one.rows.tolist())) == 50


def test_more_than_there_are_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"plan\.oversample"):
        guided_rejection(np.ones(2), np.array(["a", "b"]), np.array(["a"]), 3, seed=0)
