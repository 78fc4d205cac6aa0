"""Iterative proportional fitting of real rows to a target's marginals."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activesynth.domain.canonical import Array
from activesynth.errors import InputError, ShapeError
from activesynth.targeting.weighting import reweight_to_marginals


def marginal(keys: Array, size: int, weights: Array | None = None) -> Array:
    counts = np.bincount(keys, weights, minlength=size)
    shares: Array = counts / counts.sum()
    return shares


def make_rows(rows: int, seed: int) -> tuple[Array, Array]:
    """Rows in which every one of 3 x 4 cells occurs, so that any marginals can be reached."""
    rng = np.random.default_rng(seed)
    cells = np.concatenate([np.arange(12), rng.choice(12, rows, p=rng.dirichlet(np.ones(12)))])
    return cells // 4, cells % 4


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000))
def test_both_marginals_are_reached_where_every_cell_is_filled(seed: int) -> None:
    labels, clusters = make_rows(200, seed)
    goal_labels, goal_clusters = make_rows(300, seed + 1)
    weights = reweight_to_marginals(labels, clusters, goal_labels, goal_clusters, 3)

    assert np.allclose(marginal(labels, 3, weights), marginal(goal_labels, 3), atol=1e-9)
    assert np.allclose(marginal(clusters, 4, weights), marginal(goal_clusters, 4), atol=1e-7)
    assert weights.mean() == pytest.approx(1.0)


def test_weights_are_a_product_of_a_class_and_a_cluster_factor() -> None:
    labels, clusters = make_rows(200, 0)
    weights = reweight_to_marginals(labels, clusters, *make_rows(300, 1), 3)
    table = np.zeros((3, 4))
    table[labels, clusters] = np.log(weights)
    interaction = table - table.mean(axis=0) - table.mean(axis=1, keepdims=True) + table.mean()

    assert np.allclose(interaction, 0, atol=1e-9)


def test_a_target_equal_to_the_real_rows_changes_nothing() -> None:
    labels, clusters = make_rows(100, 3)

    assert np.allclose(reweight_to_marginals(labels, clusters, labels, clusters, 3), 1.0)


def test_the_target_may_be_weighted() -> None:
    labels, clusters = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    weights = reweight_to_marginals(
        labels, clusters, labels, clusters, 2, target_weight=np.array([1.0, 1.0, 3.0, 3.0])
    )

    assert np.allclose(weights, [0.5, 0.5, 1.5, 1.5])


def test_a_cluster_that_no_real_row_has_is_left_out_and_classes_are_still_met() -> None:
    labels, clusters = np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1])
    goal_labels, goal_clusters = np.array([0, 1, 1, 1]), np.array([0, 9, 9, 1])
    weights = reweight_to_marginals(labels, clusters, goal_labels, goal_clusters, 2)

    assert np.allclose(marginal(labels, 2, weights), [0.25, 0.75])
    assert np.isfinite(weights).all()


def test_incompatible_marginals_meet_the_classes() -> None:
    labels = clusters = np.array([0, 0, 1, 1])
    goal_labels, goal_clusters = np.array([0, 1, 1, 1]), np.array([0, 0, 0, 1])
    weights = reweight_to_marginals(labels, clusters, goal_labels, goal_clusters, 2)

    assert np.allclose(marginal(labels, 2, weights), [0.25, 0.75])


def test_a_row_the_target_has_no_use_for_keeps_a_tiny_positive_weight() -> None:
    labels, clusters = np.array([0, 0, 1]), np.zeros(3, int)
    weights = reweight_to_marginals(labels, clusters, np.zeros(4, int), np.zeros(4, int), 2)

    assert np.allclose(weights, [1.5, 1.5, 1e-6])


def test_a_target_without_any_common_class_is_refused() -> None:
    ones, zeros = np.ones(3, int), np.zeros(3, int)
    with pytest.raises(InputError, match="Annotate rows of the target's classes"):
        reweight_to_marginals(zeros, zeros, ones, zeros, 2)
    with pytest.raises(ShapeError, match=r"labels must lie in \[0, 2\)"):
        reweight_to_marginals(zeros - 1, zeros, ones, zeros, 2)
    with pytest.raises(ShapeError, match="must align"):
        reweight_to_marginals(zeros, zeros[:2], ones, zeros, 2)
