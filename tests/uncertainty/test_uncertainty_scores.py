"""Uncertainty scores: ranges, closed forms, and what each of them is blind to."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import entropy as scipy_entropy
from scipy.stats import rankdata

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError
from activesynth.uncertainty.scores import (
    ensemble_variance,
    mutual_information,
    predictive_entropy,
    rank_normalise,
    total_uncertainty,
)


@st.composite
def probability_draws(draw: st.DrawFn, min_draws: int = 2) -> Array:
    shape = (
        draw(st.integers(min_draws, 6)),
        draw(st.integers(1, 8)),
        draw(st.integers(2, 6)),
    )
    masses = draw(arrays(np.float64, shape, elements=st.floats(0.0, 1.0)))
    masses[..., 0] += np.where(masses.sum(axis=2) < 1e-3, 1.0, 0.0)
    probs: Array = masses / masses.sum(axis=2, keepdims=True)
    return probs


def make_draws(draws: int = 12, samples: int = 30, classes: int = 5, seed: int = 0) -> Array:
    return np.random.default_rng(seed).dirichlet(np.ones(classes), size=(draws, samples))


@given(probability_draws())
def test_mutual_information_lies_between_zero_and_log_classes(probs: Array) -> None:
    scores = mutual_information(probs)

    assert (scores >= 0).all()
    assert (scores <= np.log(probs.shape[2])).all()


@given(probability_draws(min_draws=1))
def test_predictive_entropy_lies_between_zero_and_log_classes(probs: Array) -> None:
    scores = predictive_entropy(probs)

    assert (scores >= 0).all()
    assert (scores <= np.log(probs.shape[2])).all()


@given(probability_draws())
def test_mutual_information_never_exceeds_predictive_entropy(probs: Array) -> None:
    assert (mutual_information(probs) <= predictive_entropy(probs) + 1e-12).all()


@given(probability_draws())
def test_ensemble_variance_lies_between_zero_and_one(probs: Array) -> None:
    scores = ensemble_variance(probs, len(probs))

    assert (scores >= 0).all()
    assert (scores <= 1).all()


def test_predictive_entropy_agrees_with_scipy() -> None:
    probs = make_draws()

    expected = scipy_entropy(probs.mean(axis=0), axis=1)

    np.testing.assert_allclose(predictive_entropy(probs), expected, rtol=1e-12)


def test_mutual_information_is_the_mean_divergence_from_the_mean_prediction() -> None:
    probs = make_draws()

    expected = scipy_entropy(probs, probs.mean(axis=0, keepdims=True), axis=2).mean(axis=0)

    np.testing.assert_allclose(mutual_information(probs), expected, atol=1e-12)


def test_a_coin_toss_that_every_draw_agrees_on_teaches_nothing() -> None:
    agreed = np.full((4, 1, 2), 0.5)

    assert mutual_information(agreed)[0] == 0.0
    assert predictive_entropy(agreed)[0] == pytest.approx(np.log(2))


def test_sure_draws_that_disagree_teach_one_full_label() -> None:
    opposed = np.array([[[1.0, 0.0]], [[0.0, 1.0]]])

    assert mutual_information(opposed)[0] == pytest.approx(np.log(2))
    assert ensemble_variance(opposed, 2)[0] == pytest.approx(0.5)


def test_mutual_information_of_one_draw_names_the_way_out() -> None:
    with pytest.raises(
        ShapeError, match=r"raise `uncertainty\.passes`, or use `predictive_entropy`"
    ):
        mutual_information(np.full((1, 3, 2), 0.5))


def test_ensemble_variance_ignores_how_passes_spread_within_a_member() -> None:
    draws = make_draws(draws=12)
    flattened = np.repeat(draws.reshape(3, 4, 30, 5).mean(axis=1), 4, axis=0)

    np.testing.assert_allclose(
        ensemble_variance(draws, 3), ensemble_variance(flattened, 3), atol=1e-12
    )


def test_ensemble_variance_divides_by_the_number_of_members() -> None:
    draws = make_draws(draws=5)

    by_hand = ((draws - draws.mean(axis=0)) ** 2).sum(axis=0) / 5

    np.testing.assert_allclose(ensemble_variance(draws, 5), by_hand.sum(axis=1), atol=1e-12)


def test_draws_that_cannot_be_divided_among_members_are_refused() -> None:
    with pytest.raises(ShapeError, match="cannot divide 12 draws among 5 members"):
        ensemble_variance(make_draws(draws=12), 5)


def test_a_single_table_of_probabilities_is_refused_with_the_way_out() -> None:
    with pytest.raises(ShapeError, match=r"probs\[None\]"):
        predictive_entropy(np.full((3, 2), 0.5))


def test_total_uncertainty_is_the_sum_of_aligned_parts() -> None:
    total = total_uncertainty(np.array([0.1, 0.2]), np.array([0.3, 0.0]))

    np.testing.assert_allclose(total, [0.4, 0.2])
    with pytest.raises(ShapeError, match="needs aligned scores"):
        total_uncertainty(np.zeros(2), np.zeros(1))


@given(arrays(np.float64, st.integers(2, 30), elements=st.integers(-3, 3).map(float)))
def test_rank_normalise_agrees_with_scipy_ranks_also_for_ties(scores: Array) -> None:
    expected = (rankdata(scores) - 1) / (len(scores) - 1)

    np.testing.assert_allclose(rank_normalise(scores), expected, atol=1e-12)


@pytest.mark.parametrize("scores", [[], [3.0], [2.0, 2.0, 2.0]])
def test_scores_with_nothing_to_compare_rank_in_the_middle(scores: list[float]) -> None:
    assert (rank_normalise(np.array(scores)) == 0.5).all()


def test_rank_normalise_refuses_values_that_are_not_finite() -> None:
    with pytest.raises(ShapeError, match="with 1 values that are not finite"):
        rank_normalise(np.array([1.0, np.nan]))
