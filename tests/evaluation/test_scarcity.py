"""Harder training sets for experiments."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from activesynth.evaluation.scarcity import first_rows, limit_labels, long_tail


@pytest.mark.parametrize("ratio", [2.0, 10.0, 50.0])
def test_a_long_tail_falls_exponentially_by_the_ratio(ratio: float) -> None:
    y = np.repeat(np.arange(5), 1000)

    counts = np.bincount(y[long_tail(y, ratio, seed=0)])

    assert counts.tolist() == [round(1000 * ratio ** (-c / 4)) for c in range(5)]


def test_a_long_tail_keeps_its_profile_on_an_uneven_source() -> None:
    y = np.repeat(np.arange(3), [90, 400, 400])

    counts = np.bincount(y[long_tail(y, 9.0, seed=0)])

    assert counts.tolist() == [90, 30, 10]


def test_a_ratio_of_one_keeps_every_row() -> None:
    assert len(long_tail(np.array([0, 0, 1]), 1.0, seed=0)) == 3


@settings(deadline=None)
@given(budget=st.integers(1, 400), seed=st.integers(0, 99))
def test_a_label_budget_is_spent_exactly_with_every_class_in_it(budget: int, seed: int) -> None:
    y = np.repeat(np.arange(4), [150, 100, 40, 10])

    kept = limit_labels(y, budget, seed)

    assert len(kept) == min(300, max(4, budget))
    assert set(y[kept]) == {0, 1, 2, 3}
    assert len(set(kept.tolist())) == len(kept)


def test_a_label_budget_keeps_the_proportions() -> None:
    y = np.repeat(np.arange(2), [300, 100])

    assert np.bincount(y[limit_labels(y, 40, seed=0)]).tolist() == [30, 10]


def test_capped_rows_stay_when_others_are_added() -> None:
    ids = np.array([f"id{number}" for number in range(500)])

    before = set(ids[:400][first_rows(ids[:400], 100, seed=0)])
    after = set(ids[first_rows(ids, 100, seed=0)])

    assert len(before) == len(after) == 100
    assert before >= {name for name in after if name in set(ids[:400])}
