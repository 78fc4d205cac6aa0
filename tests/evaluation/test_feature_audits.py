"""What the audits of features say of copies, of good samples, and of too few rows."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.decomposition import TruncatedSVD

from activesynth.domain.records import MetricRow
from activesynth.errors import ShapeError
from activesynth.evaluation.feature_audits import (
    Featured,
    fidelity_rows,
    main_directions,
    memorisation_rows,
    same_mixture,
)
from activesynth.evaluation.fidelity import FrechetDistance, frechet_distance


def rows_of(count: int, seed: int, shift: float = 0.0) -> Featured:
    rng = np.random.default_rng(seed)
    y = np.arange(count) % 3
    x = rng.normal(size=(count, 6)) + 4.0 * np.eye(3, 6)[y] + shift
    return Featured(x, y, np.array([f"{seed}-{row}" for row in range(count)]))


def by_name(rows: list[MetricRow]) -> dict[str, MetricRow]:
    return {row.name: row for row in rows if row.slice == "all"}


def test_samples_of_the_same_distribution_score_like_real_rows() -> None:
    real, train, made = rows_of(300, 0), rows_of(300, 1), rows_of(300, 2)

    found = by_name(fidelity_rows("targeted", real, train, made, seed=0))

    assert found["frechet"].value < 2.0 * found["frechet_of_real"].value
    expected = found["manifold_coverage_expected"].value
    assert found["manifold_coverage"].value == pytest.approx(expected, abs=0.08)
    precision = found["manifold_precision"]
    assert precision.low is not None
    assert precision.low < precision.value
    assert all(row.n == 300 for row in found.values())


def test_samples_off_the_data_score_worse_than_real_rows() -> None:
    real, train, made = rows_of(300, 0), rows_of(300, 1), rows_of(300, 2, shift=3.0)

    found = by_name(fidelity_rows("targeted", real, train, made, seed=0))

    assert found["frechet"].value > 10.0 * found["frechet_of_real"].value
    assert found["kernel_distance"].value > 10.0 * abs(found["kernel_distance_of_real"].value)
    assert found["manifold_precision"].value < 0.5
    distance = frechet_distance(real.vectors, made.vectors)
    assert isinstance(distance, FrechetDistance)
    assert found["frechet"].value == pytest.approx(distance.value)


def test_too_few_samples_say_how_many_are_needed() -> None:
    found = by_name(fidelity_rows("random", rows_of(60, 0), rows_of(60, 1), rows_of(4, 2), seed=0))

    assert "frechet" not in found
    assert (found["frechet_rows_needed"].value, found["frechet_rows_needed"].n) == (12.0, 4)
    assert found["manifold_rows_needed"].value == 6.0


@pytest.mark.parametrize("is_copy", [False, True])
def test_copies_of_train_rows_are_told_from_new_rows(is_copy: bool) -> None:
    held_out, train = rows_of(200, 0), rows_of(200, 1)
    copies = Featured(train.vectors + 1e-3, train.y, train.groups)
    made = copies if is_copy else rows_of(200, 2)

    rows = memorisation_rows("targeted", held_out, train, made, limit=500, seed=0)
    found = by_name(rows)

    nearer, attack = found["copying_nearer"], found["membership_by_distance"]
    assert nearer.low is not None
    assert nearer.high is not None
    assert attack.low is not None
    assert (nearer.low > 0.9) is is_copy
    assert (attack.low > 0.9) is is_copy
    assert (nearer.low <= 0.5 <= nearer.high) is not is_copy
    assert found["memorisation_penalty"].value == float(is_copy)
    assert (found["nearest_real"].value < 0.01) is is_copy


def test_both_sides_of_a_comparison_hold_every_class_equally_often() -> None:
    y, other = np.repeat([0, 1, 2], [80, 15, 5]), np.repeat([0, 1, 3], [20, 20, 20])

    one, two = same_mixture(y, other, limit=500, seed=1)
    few, _ = same_mixture(y, other, limit=14, seed=1)

    assert np.bincount(y[one]).tolist() == np.bincount(other[two]).tolist() == [20, 15]
    assert len(np.unique(one)) == len(one)
    assert np.bincount(y[few]).tolist() == [8, 6]
    assert [len(side) for side in same_mixture(y, other + 9, limit=9, seed=1)] == [0, 0]
    with pytest.raises(ShapeError, match="limit of 1 row"):
        same_mixture(y, other, limit=0, seed=1)


def test_the_main_directions_are_those_of_a_truncated_decomposition() -> None:
    x = rows_of(80, 3).vectors

    found = main_directions(x, 2)

    expected = TruncatedSVD(2, algorithm="arpack", random_state=0).fit(x).components_.T
    assert np.abs(found.T @ expected) == pytest.approx(np.eye(2), abs=1e-6)
    assert main_directions(x, 50).shape == (6, 6)
