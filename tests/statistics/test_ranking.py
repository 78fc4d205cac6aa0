"""The area under the ROC curve against scikit-learn, a textbook variance, and its coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from activesynth.errors import ShapeError
from activesynth.statistics.ranking import area_under_curve

SCORES = st.lists(st.integers(0, 6), min_size=2, max_size=30)


@given(SCORES, SCORES)
def test_the_area_agrees_with_scikit_learn_ties_included(
    positive: list[int], negative: list[int]
) -> None:
    truth = np.repeat([1, 0], [len(positive), len(negative)])

    found = area_under_curve(np.array(positive), np.array(negative))

    assert found.value == pytest.approx(roc_auc_score(truth, [*positive, *negative]))
    assert 0.0 <= found.low <= found.value + 1e-12
    assert found.value <= found.high + 1e-12 <= 1.0 + 1e-12
    assert found.n == len(truth)


def test_the_variance_is_that_of_the_placements_computed_by_a_double_loop() -> None:
    rng = np.random.default_rng(0)
    positive, negative = rng.normal(0.8, 1.0, 40), rng.normal(0.0, 1.0, 25)
    wins = np.array([[float(p > q) for q in negative] for p in positive])
    area = wins.mean()
    variance = wins.mean(axis=1).var(ddof=1) / 40 + wins.mean(axis=0).var(ddof=1) / 25
    reach = 1.959964 * math.sqrt(variance) / (area * (1 - area))
    odds = math.log(area / (1 - area))

    found = area_under_curve(positive, negative)

    assert found.low == pytest.approx(1 / (1 + math.exp(reach - odds)), rel=1e-6)
    assert found.high == pytest.approx(1 / (1 + math.exp(-reach - odds)), rel=1e-6)


def test_the_interval_covers_the_true_area_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    true = 0.5 * (1 + math.erf(0.7 / 2))
    covered = 0
    for _ in range(600):
        found = area_under_curve(rng.normal(0.7, 1.0, 40), rng.normal(0.0, 1.0, 40))
        covered += found.low <= true <= found.high

    assert 0.92 <= covered / 600 <= 0.98


def test_rows_of_a_group_do_not_count_as_new_evidence() -> None:
    rng = np.random.default_rng(2)
    positive, negative = rng.normal(0.5, 1.0, 30), rng.normal(0.0, 1.0, 30)
    alone = area_under_curve(positive, negative)

    grouped = area_under_curve(
        np.repeat(positive, 4),
        np.repeat(negative, 4),
        positive_groups=np.repeat(np.arange(30), 4),
        negative_groups=np.repeat(np.arange(30), 4),
    )

    assert grouped.value == pytest.approx(alone.value)
    assert (grouped.low, grouped.high) == pytest.approx((alone.low, alone.high))


@pytest.mark.parametrize("sign", [1, -1])
def test_a_perfect_order_still_has_an_interval(sign: int) -> None:
    found = area_under_curve(sign * np.arange(10, 20), sign * np.arange(5))

    assert found.value == (1.0 if sign == 1 else 0.0)
    assert found.high - found.low == pytest.approx(0.4345, abs=0.001)


def test_a_single_group_is_refused() -> None:
    with pytest.raises(ShapeError, match="at least 2 groups on each side, got 1 positive"):
        area_under_curve(np.ones(4), np.ones(4), positive_groups=np.zeros(4))
    with pytest.raises(ShapeError, match="finite scores"):
        area_under_curve(np.array([1.0, np.nan]), np.ones(4))
