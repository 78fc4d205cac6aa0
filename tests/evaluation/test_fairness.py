"""Fairness against Fairlearn, and intervals against repeated samples."""

from __future__ import annotations

import numpy as np
import pytest
from fairlearn.metrics import (
    demographic_parity_difference,
    demographic_parity_ratio,
    equal_opportunity_difference,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError
from activesynth.evaluation.estimable import NotEstimable
from activesynth.evaluation.fairness import (
    Disparity,
    Fairness,
    label_fairness,
    prediction_fairness,
)
from activesynth.statistics.intervals import wilson


def make_people(sizes: tuple[int, ...]) -> Array:
    return np.repeat([f"group {letter}" for letter in "abcdef"[: len(sizes)]], sizes)


def of_predictions(y: Array, predicted: Array, sensitive: Array, **options: int) -> Fairness:
    return prediction_fairness(
        y,
        predicted,
        sensitive,
        np.arange(len(y)),
        favourable=1,
        **{"resamples": 100, "seed": 0} | options,
    )


def disparity(found: Disparity | NotEstimable | None) -> Disparity:
    assert isinstance(found, Disparity)
    return found


@given(st.integers(0, 2**32), st.integers(2, 4))
@settings(max_examples=15)
def test_the_three_numbers_agree_with_fairlearn(seed: int, people: int) -> None:
    rng = np.random.default_rng(seed)
    sensitive = rng.permutation(make_people((100,) * people))
    y, predicted = rng.integers(0, 3, (2, len(sensitive)))
    y[:] = np.where(rng.random(len(y)) < 0.6, 1, y)
    of_people = {"sensitive_features": sensitive}

    found = of_predictions(y, predicted, sensitive)

    parity = disparity(found.demographic_parity_difference)
    assert parity.value.value == pytest.approx(
        demographic_parity_difference(y == 1, predicted == 1, **of_people)
    )
    impact = disparity(found.disparate_impact_ratio)
    assert impact.value.value == pytest.approx(
        demographic_parity_ratio(y == 1, predicted == 1, **of_people)
    )
    opportunity = disparity(found.equal_opportunity_difference)
    assert opportunity.value.value == pytest.approx(
        equal_opportunity_difference(y == 1, predicted == 1, **of_people)
    )
    for one in (parity, impact, opportunity):
        assert one.value.low <= one.value.value <= one.value.high
    shares = {name: predicted[sensitive == name] == 1 for name in np.unique(sensitive)}
    assert found.selection[parity.highest] == wilson(
        max(int(share.sum()) for share in shares.values()), 100
    )
    assert parity.lowest == min(shares, key=lambda name: shares[name].mean())


def test_labels_are_compared_without_deserving() -> None:
    sensitive = make_people((40, 50))
    y = np.concatenate([np.arange(40) < 30, np.arange(50) < 20]).astype(int)

    found = label_fairness(y, sensitive, np.arange(90), favourable=1, resamples=200, seed=0)

    assert disparity(found.demographic_parity_difference).value.value == pytest.approx(0.35)
    assert disparity(found.disparate_impact_ratio).value.value == pytest.approx(0.4 / 0.75)
    assert disparity(found.demographic_parity_difference).highest == "group a"
    assert found.equal_opportunity_difference is None
    assert found.true_positive == {}


def test_a_cell_under_thirty_rows_is_left_out_and_named() -> None:
    sensitive = make_people((60, 60, 29))
    predicted = np.repeat([1, 0, 1, 0], [30, 30, 60, 29])

    found = of_predictions(np.ones(149, int), predicted, sensitive)

    parity = disparity(found.demographic_parity_difference)
    assert parity.left_out == ("group c",)
    assert (parity.value.value, parity.value.n) == (0.5, 120)
    assert found.selection["group c"] == NotEstimable("the rate of 'group c' (rows)", 29, 30)


def test_equal_opportunity_needs_thirty_rows_that_deserve() -> None:
    sensitive = make_people((60, 60))
    y = np.concatenate([np.ones(60, int), np.arange(60) < 29]).astype(int)

    found = of_predictions(y, y, sensitive)

    missing = found.equal_opportunity_difference
    assert isinstance(missing, NotEstimable)
    assert (missing.n, missing.needed) == (1, 2)
    assert isinstance(found.true_positive["group b"], NotEstimable)
    assert isinstance(found.demographic_parity_difference, Disparity)


def test_a_ratio_of_nothing_is_not_estimable() -> None:
    sensitive, nobody = make_people((40, 40)), np.zeros(80, int)

    found = of_predictions(np.ones(80, int), nobody, sensitive)

    assert found.disparate_impact_ratio == NotEstimable(
        "the disparate impact ratio (favourable outcomes)", 0, 1
    )
    assert disparity(found.demographic_parity_difference).value.value == 0.0


def test_a_group_that_gets_nothing_has_a_ratio_of_zero_with_an_upper_bound() -> None:
    sensitive, predicted = make_people((50, 50)), np.repeat([1, 0], [25, 75])

    impact = disparity(of_predictions(predicted, predicted, sensitive).disparate_impact_ratio)

    assert (impact.value.value, impact.lowest) == (0.0, "group b")
    assert 0.0 < impact.value.high < 0.2


@pytest.mark.parametrize(
    ("rates", "difference", "ratio"),
    [((0.4, 0.4, 0.4), 0.0, 1.0), ((0.3, 0.5, 0.7), 0.4, 3 / 7), ((0.2, 0.6), 0.4, 1 / 3)],
)
def test_intervals_cover_the_truth_at_least_as_often_as_they_say(
    rates: tuple[float, ...], difference: float, ratio: float
) -> None:
    rng = np.random.default_rng(0)
    sensitive = make_people((80,) * len(rates))
    probability = np.repeat(rates, 80)
    covered = np.zeros(2)
    for seed in range(400):
        y = (rng.random(len(sensitive)) < probability).astype(int)
        found = label_fairness(
            y, sensitive, np.arange(len(y)), favourable=1, resamples=150, seed=seed
        )
        parity = disparity(found.demographic_parity_difference).value
        impact = disparity(found.disparate_impact_ratio).value
        covered += parity.low <= difference <= parity.high, impact.low <= ratio <= impact.high

    assert (covered / 400 > 0.92).all(), covered / 400


def test_rows_of_one_person_do_not_count_as_new_evidence() -> None:
    rng = np.random.default_rng(0)
    sensitive = np.repeat(make_people((50, 50)), 4)
    y = np.repeat(rng.random(100) < np.repeat([0.3, 0.7], 50), 4).astype(int)

    def width(groups: Array) -> float:
        found = label_fairness(y, sensitive, groups, favourable=1, resamples=400, seed=0)
        value = disparity(found.demographic_parity_difference).value
        return value.high - value.low

    assert width(np.repeat(np.arange(100), 4)) > 1.6 * width(np.arange(400))


def test_equal_seeds_give_equal_intervals() -> None:
    sensitive = make_people((60, 70))
    y, predicted = np.random.default_rng(0).integers(0, 2, (2, 130))

    assert of_predictions(y, predicted, sensitive) == of_predictions(y, predicted, sensitive)
    assert of_predictions(y, predicted, sensitive) != of_predictions(
        y, predicted, sensitive, seed=1
    )


def test_arrays_that_do_not_align_are_refused() -> None:
    y = np.zeros(40, int)
    with pytest.raises(ShapeError, match="one prediction per row"):
        of_predictions(y, y[1:], make_people((40,)))
    with pytest.raises(ShapeError, match="for 40 rows"):
        label_fairness(y, y[1:], y, favourable=1, resamples=10, seed=0)
