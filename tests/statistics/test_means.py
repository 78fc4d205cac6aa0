"""Means over groups and differences of independent numbers, against SciPy and a simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from activesynth.errors import ShapeError
from activesynth.statistics.intervals import Interval, wilson
from activesynth.statistics.means import difference, grouped_mean
from activesynth.statistics.tests import excess_error


def test_the_mean_of_rows_on_their_own_has_students_interval() -> None:
    values = np.random.default_rng(0).normal(size=40)

    found = grouped_mean(values, np.arange(40))

    expected = stats.t.interval(0.95, 39, values.mean(), stats.sem(values))
    assert (found.low, found.high) == pytest.approx(expected)
    assert found.value == pytest.approx(values.mean())
    assert found.n == 40


def test_repeating_every_row_of_a_group_teaches_nothing() -> None:
    values, groups = np.random.default_rng(1).normal(size=12), np.arange(12)

    once, often = grouped_mean(values, groups), grouped_mean(values.repeat(5), groups.repeat(5))

    assert (often.low, often.high) == pytest.approx((once.low, once.high))


def test_the_difference_of_two_shares_has_newcombes_interval() -> None:
    found = difference(wilson(30, 50), wilson(10, 40))

    expected = excess_error(30, 50, 10, 40, 0.0)
    assert (found.value, found.low, found.high) == pytest.approx(
        (expected.gap, expected.low, expected.high)
    )
    assert found.n == 40


def test_the_difference_covers_the_truth_as_often_as_it_says() -> None:
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(400):
        one, other = (wilson(int(rng.binomial(60, p)), 60) for p in (0.8, 0.6))
        found = difference(one, other)
        hits += found.low <= 0.2 <= found.high

    assert 0.92 <= hits / 400 <= 0.98


@pytest.mark.parametrize(
    ("values", "groups"),
    [(np.array([1.0, np.nan]), np.arange(2)), (np.ones(3), np.zeros(3)), (np.ones(3), np.ones(2))],
)
def test_a_mean_without_an_interval_is_refused(values: np.ndarray, groups: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="mean"):
        grouped_mean(values, groups)


def test_a_number_compared_with_itself_does_not_differ() -> None:
    same = Interval(0.4, 0.3, 0.6, 9)

    found = difference(same, same)

    assert found.value == 0.0
    assert found.low == pytest.approx(-found.high)
