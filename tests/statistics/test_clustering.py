"""What grouping costs: against the textbook's design effect, and the size of the tests with it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activesynth.domain.canonical import Array
from activesynth.statistics.clustering import design_effect
from activesynth.statistics.tests import excess_error, paired_excess_error


def alike(rng: np.random.Generator, sizes: Array, rate: float, likeness: float) -> Array:
    """Draw errors of groups of these sizes whose rows correlate by ``likeness``."""
    spread = (1 - likeness) / likeness
    rates = rng.beta(rate * spread, (1 - rate) * spread, len(sizes))
    errors: Array = rng.random(sizes.sum()) < np.repeat(rates, sizes)
    return errors


@pytest.mark.parametrize("likeness", [0.05, 0.3])
def test_it_is_one_plus_the_correlation_with_each_further_row_of_a_group(likeness: float) -> None:
    rng = np.random.default_rng(0)
    sizes = np.full(20_000, 6)

    found = design_effect(alike(rng, sizes, 0.2, likeness), np.repeat(np.arange(20_000), sizes))

    # Kish 1965: 1 + (m - 1) rho for groups of m rows.
    assert found == pytest.approx(1 + 5 * likeness, rel=0.05)


def test_rows_that_are_copies_count_once_and_rows_alone_count_whole() -> None:
    errors = np.array([True, False, False, True, False, True, False, False])
    copies = np.repeat(errors, 5)

    assert design_effect(copies, np.repeat(np.arange(8), 5)) == pytest.approx(5 * 8 / 7)
    assert design_effect(errors, np.arange(8)) == 1.0
    assert design_effect(errors, np.zeros(8, int)) == 8.0
    assert design_effect(np.ones(8, bool), np.repeat([3, 9], 4)) == 4.0
    assert design_effect(np.zeros(0, bool), np.zeros(0, int)) == 1.0


@given(rows=st.lists(st.tuples(st.integers(-1, 1), st.integers(0, 5)), min_size=1, max_size=40))
def test_it_lies_between_one_and_the_number_of_rows(rows: list[tuple[int, int]]) -> None:
    values, groups = np.array(rows).T

    assert 1.0 <= design_effect(values, groups) <= len(rows)


@pytest.mark.parametrize("few", [2, 4, 15])
def test_with_it_the_tests_keep_their_size_where_rows_come_in_groups(few: int) -> None:
    rng, trials, margin = np.random.default_rng(few), 200, 0.05
    naive, ours, paired_naive, paired = [], [], [], []
    for _ in range(trials):
        inside, outside = rng.integers(1, 12, few), rng.integers(1, 12, 40)
        wrong_in, wrong_out = alike(rng, inside, 0.2, 0.4), alike(rng, outside, 0.15, 0.4)
        effect = max(
            design_effect(wrong, np.repeat(np.arange(len(sizes)), sizes))
            for wrong, sizes in ((wrong_in, inside), (wrong_out, outside))
        )
        counts = (int(wrong_in.sum()), len(wrong_in), int(wrong_out.sum()), len(wrong_out))
        naive.append(excess_error(*counts, margin).p_value < 0.05)
        ours.append(excess_error(*counts, margin, design_effect=effect).p_value < 0.05)
        worse = alike(rng, outside, margin, 0.9)
        change = design_effect(worse, np.repeat(np.arange(40), outside))
        rise = (int(worse.sum()), 0, len(worse))
        paired_naive.append(paired_excess_error(*rise, margin).p_value < 0.05)
        paired.append(paired_excess_error(*rise, margin, design_effect=change).p_value < 0.05)

    # 3 standard errors of a share of 0.05 over 200 trials.
    allowed = 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)
    assert np.mean(ours) <= allowed < np.mean(naive)
    assert np.mean(paired) <= allowed < np.mean(paired_naive)


def test_a_gap_stays_and_its_interval_widens() -> None:
    plain = excess_error(30, 100, 60, 400, 0.0)
    grouped = excess_error(30, 100, 60, 400, 0.0, design_effect=4.0)
    paired, paired_grouped = (
        paired_excess_error(40, 10, 200, 0.0, design_effect=effect) for effect in (1.0, 4.0)
    )

    for one, other in ((plain, grouped), (paired, paired_grouped)):
        assert other.gap == one.gap
        assert other.low < one.low < one.gap < one.high < other.high
        assert other.p_value > one.p_value
