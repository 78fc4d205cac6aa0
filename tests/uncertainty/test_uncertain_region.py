"""The threshold tau, the region above it, and levels of uncertainty."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError
from activesynth.uncertainty.region import choose_tau, levels, uncertain_region

SCORES = arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 3))


def test_a_fixed_tau_is_taken_as_it_is_even_without_scores() -> None:
    assert choose_tau(np.zeros(0), 0.7, 0.8) == 0.7


def test_a_quantile_of_no_scores_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"set `uncertainty\.tau`"):
        choose_tau(np.zeros(0), None, 0.8)


@given(SCORES, st.floats(0, 1))
def test_at_most_the_complement_of_the_quantile_is_uncertain(scores: Array, q: float) -> None:
    tau = choose_tau(scores, None, q)

    region = uncertain_region(scores, tau)

    assert region.mean() <= 1 - q + 1 / len(scores)


def test_the_region_is_strictly_above_tau() -> None:
    region = uncertain_region(np.array([0.1, 0.5, 0.6]), 0.5)

    assert region.tolist() == [False, False, True]


def test_levels_split_distinct_scores_into_thirds() -> None:
    found = levels(np.random.default_rng(0).permutation(300).astype(float))

    assert found.dtype == np.int64
    assert np.bincount(found).tolist() == [100, 100, 100]


@given(SCORES)
def test_levels_grow_with_the_score_and_equal_scores_share_one(scores: Array) -> None:
    found = levels(scores)

    order = np.argsort(scores)
    assert (np.diff(found[order]) >= 0).all()
    assert all(len(set(found[scores == value])) == 1 for value in scores)


def test_levels_can_follow_the_quantiles_of_other_scores() -> None:
    found = levels(np.array([0.0, 5.0, 100.0]), reference=np.arange(10.0))

    assert found.tolist() == [0, 1, 2]


def test_levels_refuse_quantiles_out_of_order() -> None:
    with pytest.raises(ShapeError, match="low_quantile <= high_quantile"):
        levels(np.zeros(3), 0.9, 0.1)
