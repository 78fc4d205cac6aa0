"""The generator's objective against scipy and against sums written out."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from scipy.stats import entropy

from activesynth.errors import InputError, ShapeError
from activesynth.evaluation.generator_objective import (
    frechet_distance,
    generator_objective,
    joint_cells,
    kl_divergence,
)

cells = st.lists(st.integers(0, 4), min_size=0, max_size=30)


@given(cells, cells)
def test_the_divergence_is_that_of_scipy_and_of_a_sum_by_hand(
    synthetic: list[int], real: list[int]
) -> None:
    found = kl_divergence(np.array(synthetic, int), np.array(real, int), 5)

    p, q = ([rows.count(cell) + 0.5 for cell in range(5)] for rows in (synthetic, real))
    by_hand = sum(
        a / sum(p) * math.log((a / sum(p)) / (b / sum(q))) for a, b in zip(p, q, strict=True)
    )
    assert found == pytest.approx(by_hand, abs=1e-12)
    assert found == pytest.approx(float(entropy(p, q)), abs=1e-12)
    assert found >= 0.0


def test_the_divergence_looks_one_way() -> None:
    narrow, wide = np.zeros(50, int), np.arange(50) % 5

    assert kl_divergence(wide, wide[::-1], 5) == 0.0
    assert kl_divergence(wide, narrow, 5) > kl_divergence(narrow, wide, 5) > 1.0


def test_the_frechet_distance_is_that_of_a_matrix_square_root() -> None:
    rng = np.random.default_rng(0)
    one = rng.normal(size=(60, 5)) @ rng.normal(size=(5, 5))
    other = rng.normal(size=(40, 5)) @ rng.normal(size=(5, 5)) + 0.5

    found = frechet_distance(one, other)

    first, second = np.cov(one.T), np.cov(other.T)
    root = np.asarray(sqrtm(first @ second)).real
    expected = ((one.mean(0) - other.mean(0)) ** 2).sum() + np.trace(first + second - 2 * root)
    assert found == pytest.approx(expected, rel=1e-8)


def test_the_frechet_distance_is_the_gap_of_means_for_equal_shapes_and_has_no_favourite() -> None:
    rows = np.random.default_rng(1).normal(size=(30, 4))

    assert frechet_distance(rows, rows) == pytest.approx(0.0, abs=1e-9)
    assert frechet_distance(rows, rows + 2.0) == pytest.approx(16.0)
    assert frechet_distance(rows, 3 * rows) == pytest.approx(frechet_distance(3 * rows, rows))
    line = np.array([[0.0], [2.0]])
    assert frechet_distance(line, 2 * line) == pytest.approx(1.0 + (2 * 2**0.5 - 2**0.5) ** 2)


def test_the_frechet_distance_survives_fewer_rows_than_dimensions() -> None:
    rows = np.random.default_rng(2).normal(size=(6, 20))

    assert frechet_distance(rows[:3], rows[3:]) > 0.0
    assert frechet_distance(rows, rows) == pytest.approx(0.0, abs=1e-6)


def test_the_objective_adds_its_parts_with_the_weight() -> None:
    rng = np.random.default_rng(3)
    made, real = rng.normal(size=(20, 3)), rng.normal(size=(15, 3))
    made_cells = joint_cells(rng.integers(0, 2, 20), rng.integers(0, 3, 20), 3)
    real_cells = joint_cells(rng.integers(0, 2, 15), rng.integers(0, 3, 15), 3)

    found = generator_objective(made_cells, real_cells, made, real, 6, 0.25)

    assert found.divergence == kl_divergence(made_cells, real_cells, 6)
    assert found.frechet == frechet_distance(made, real)
    assert found.total == pytest.approx(found.divergence + found.frechet / 4)


def test_a_cell_is_a_combination() -> None:
    found = joint_cells(np.array([0, 0, 1, 2]), np.array([0, 2, 1, 2]), 3)

    assert found.tolist() == [0, 2, 4, 8]


def test_what_has_no_objective_is_refused() -> None:
    rows, vectors = np.array([0, 1]), np.zeros((2, 3))

    with pytest.raises(ShapeError, match=r"\[0, 2\)"):
        kl_divergence(np.array([2]), rows, 2)
    with pytest.raises(InputError, match="must be above 0"):
        kl_divergence(rows, rows, 2, smoothing=0.0)
    with pytest.raises(InputError, match="2 vectors or more on each side, got 1"):
        frechet_distance(vectors[:1], vectors)
    with pytest.raises(ShapeError, match="one length"):
        frechet_distance(vectors, np.zeros((2, 4)))
    with pytest.raises(InputError, match=r"-1\.0; it must be finite"):
        generator_objective(rows, rows, vectors, vectors, 2, -1.0)
    with pytest.raises(ShapeError, match="synthetic cells and vectors must align, got 1, 2"):
        generator_objective(rows[:1], rows, vectors, vectors, 2, 1.0)
    with pytest.raises(ShapeError, match=r"clusters must be in \[0, 3\)"):
        joint_cells(rows, np.array([0, 3]), 3)
