"""Coverage and its kin against a brute force over all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activesynth.domain.canonical import Array
from activesynth.errors import InputError, ShapeError
from activesynth.evaluation.coverage import (
    ManifoldScores,
    expected_coverage,
    manifold_scores,
    nearest_neighbour_coverage,
    rare_class_coverages,
)
from activesynth.evaluation.estimable import NotEstimable
from activesynth.evaluation.neighbours import BLOCK
from activesynth.statistics.intervals import Interval, wilson


def make_features(rows: int, shift: float = 0.0, seed: int = 0, width: int = 3) -> Array:
    return np.random.default_rng(seed).normal(shift, 1.0, (rows, width))


def scores(real: Array, synthetic: Array, k: int = 5) -> ManifoldScores:
    found = manifold_scores(real, synthetic, k=k)
    assert isinstance(found, ManifoldScores)
    return found


def radius(rows: Array, place: int, k: int) -> float:
    """Return the k-th smallest distance to another row, by sorting all of them."""
    others = [np.linalg.norm(rows[place] - row) for n, row in enumerate(rows) if n != place]
    return float(sorted(others)[k - 1])


@given(st.integers(0, 2**32), st.integers(1, 4), st.floats(0.0, 2.0))
def test_the_four_scores_agree_with_a_loop_over_all_pairs(seed: int, k: int, shift: float) -> None:
    real, synthetic = make_features(12, seed=seed), make_features(9, shift, seed=seed + 1)
    real_balls = [radius(real, i, k) for i in range(12)]
    synthetic_balls = [radius(synthetic, j, k) for j in range(9)]
    gap = [[float(np.linalg.norm(a - b)) for b in synthetic] for a in real]
    in_real = [[gap[i][j] < real_balls[i] for j in range(9)] for i in range(12)]
    in_synthetic = [[gap[i][j] < synthetic_balls[j] for j in range(9)] for i in range(12)]

    found = scores(real, synthetic, k)

    assert found.precision == pytest.approx(
        np.mean([any(in_real[i][j] for i in range(12)) for j in range(9)])
    )
    assert found.recall == pytest.approx(np.mean([any(row) for row in in_synthetic]))
    assert found.density == pytest.approx(np.sum(in_real) / (k * 9))
    assert found.coverage == pytest.approx(np.mean([any(row) for row in in_real]))
    assert (found.n_real, found.n_synthetic, found.k) == (12, 9, k)


def test_more_rows_than_fit_in_a_block_are_scored_as_if_at_once() -> None:
    real, synthetic = make_features(BLOCK + 90), make_features(BLOCK + 10, 0.5, seed=1)
    to_real = np.linalg.norm(real[:, None] - real[None], axis=2)
    gap = np.linalg.norm(real[:, None] - synthetic[None], axis=2)
    in_ball = gap < np.sort(to_real, axis=1)[:, 5:6]

    found = scores(real, synthetic)

    assert found.coverage == pytest.approx(in_ball.any(axis=1).mean())
    assert found.precision == pytest.approx(in_ball.any(axis=0).mean())
    assert found.density == pytest.approx(in_ball.sum() / (5 * len(synthetic)))


def test_equal_distributions_have_the_expected_coverage_and_density_one() -> None:
    found = [scores(make_features(60, seed=s), make_features(40, seed=500 + s)) for s in range(60)]
    expected = found[0].expected_coverage

    assert expected == expected_coverage(60, 40, 5)
    assert np.mean([one.coverage for one in found]) == pytest.approx(expected, abs=0.02)
    assert np.mean([one.density for one in found]) == pytest.approx(1.0, abs=0.05)


def test_expected_coverage_counts_orders_of_neighbours() -> None:
    # Of two other real rows and one synthetic row, the nearest is synthetic one time in three.
    assert expected_coverage(3, 1, 1) == pytest.approx(1 / 3)
    assert expected_coverage(3, 1, 2) == pytest.approx(2 / 3)


def test_a_generator_that_drops_half_the_data_keeps_precision_and_loses_coverage() -> None:
    left, right = make_features(50), make_features(50, 20.0, seed=1)

    found = scores(np.concatenate([left, right]), make_features(100, seed=2))

    assert found.precision > 0.9
    assert found.coverage < 0.55
    assert found.recall < 0.55


def test_nearest_neighbour_coverage_asks_who_is_nearer() -> None:
    real = np.array([[0.0], [1.0], [5.0], [9.0]])

    found = nearest_neighbour_coverage(real, np.array([[0.4], [9.5]]))

    # Rows 0 (0.4 < 1), 1 (0.6 < 1) and 9 (0.5 < 4); the nearest to 5 is 9.5, at 4.5 >= 4.
    assert found == wilson(3, 4)
    assert nearest_neighbour_coverage(real[:1], real) == NotEstimable(
        "nearest-neighbour coverage", 1, 2
    )


def test_rare_classes_are_covered_by_rows_of_their_own_class_only() -> None:
    real = np.concatenate([make_features(200), make_features(8, 10.0, seed=1)])
    y = np.repeat([0, 1], [200, 8])
    near = make_features(30, 10.0, seed=2)

    def covered(labels: Array) -> Interval:
        found = rare_class_coverages(real, y, near, labels, k=3)
        assert set(found) == {1}
        one = found[1]
        assert isinstance(one, Interval)
        return one

    assert covered(np.ones(30, int)).value > 0.7
    assert covered(np.zeros(30, int)) == wilson(0, 8)
    assert covered(np.ones(30, int)).n == 8


def test_a_class_with_too_few_rows_is_not_estimable_and_a_common_one_not_asked_for() -> None:
    real, y = make_features(200), np.repeat([0, 1, 2], [192, 3, 5])

    found = rare_class_coverages(real, y, real, y, k=4)

    assert found[1] == NotEstimable("coverage of class 1", 3, 5)
    assert found[2] == wilson(5, 5)
    assert set(found) == {1, 2}
    assert rare_class_coverages(real, np.arange(200) % 2, real, y) == {}


def test_too_few_rows_are_not_estimable() -> None:
    assert manifold_scores(make_features(9), make_features(5), k=5) == NotEstimable(
        "precision, recall, density and coverage", 5, 6
    )


def test_features_that_do_not_fit_are_refused() -> None:
    real = make_features(10)
    with pytest.raises(ShapeError, match="of one encoder"):
        manifold_scores(real, real[:, :2])
    with pytest.raises(ShapeError, match="k >= 1"):
        manifold_scores(real, real, k=0)
    with pytest.raises(InputError, match="finite features"):
        nearest_neighbour_coverage(real, np.full((3, 3), np.nan))
    with pytest.raises(ShapeError, match="one label per row"):
        rare_class_coverages(real, np.zeros(9, int), real, np.zeros(10, int))
