"""Tests of excess error: size by enumeration, power, and intervals against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import barnard_exact, binom, multinomial

from activesynth.errors import ShapeError
from activesynth.statistics.tests import excess_error, paired_excess_error


def size_of(n_in: int, n_out: int, margin: float, alpha: float, rate_out: float) -> float:
    """Enumerate all outcomes at the edge of the null and add up those that reject."""
    probability = 0.0
    inside = binom.pmf(np.arange(n_in + 1), n_in, rate_out + margin)
    outside = binom.pmf(np.arange(n_out + 1), n_out, rate_out)
    for y in np.flatnonzero(outside > 1e-6):
        # The p-value falls with errors inside, so the smallest rejected count is enough.
        low, high = 0, n_in + 1
        while low < high:
            middle = (low + high) // 2
            p_value = excess_error(middle, n_in, int(y), n_out, margin).p_value
            low, high = (low, middle) if p_value < alpha else (middle + 1, high)
        probability += outside[y] * inside[low:].sum()
    return float(probability)


@pytest.mark.parametrize(("n_in", "n_out"), [(10, 40), (10, 10), (5, 60)])
@pytest.mark.parametrize("margin", [0.0, 0.05])
@pytest.mark.parametrize("alpha", [0.05, 0.005])
def test_the_test_keeps_its_size_in_small_slices(
    n_in: int, n_out: int, margin: float, alpha: float
) -> None:
    for rate_out in (0.01, 0.137, 0.41, 0.68):
        # 3 % of alpha for the grid over the nuisance rate; 1e-4 for the outcomes left out.
        assert size_of(n_in, n_out, margin, alpha, rate_out) <= alpha * 1.03 + 1e-4


def test_the_size_holds_by_simulation_where_the_table_is_thinned() -> None:
    rng = np.random.default_rng(0)
    trials, n_in, n_out, margin = 200, 40, 9000, 0.05
    x, y = rng.binomial(n_in, 0.15, trials), rng.binomial(n_out, 0.10, trials)

    rejected = [
        excess_error(int(a), n_in, int(b), n_out, margin).p_value < 0.05
        for a, b in zip(x, y, strict=True)
    ]

    # 3 standard errors of a share of 0.05 over 200 trials.
    assert np.mean(rejected) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)


def test_thinning_never_rounds_an_error_outside_away() -> None:
    one, none = (excess_error(2, 40, errors, 9000, 0.0).p_value for errors in (1, 0))

    assert one > none


def test_without_a_margin_the_p_value_is_close_to_barnards() -> None:
    ours = excess_error(7, 12, 9, 50, 0.0).p_value

    barnard = barnard_exact([[7, 9], [5, 41]], alternative="greater", pooled=True).pvalue
    assert ours == pytest.approx(barnard, rel=0.5)
    assert ours < 0.01


def test_a_large_excess_is_found_in_ten_rows() -> None:
    found = excess_error(8, 10, 10, 190, 0.05)

    assert found.p_value < 1e-4
    assert found.low > 0.05


def test_the_approximation_for_large_samples_continues_the_exact_test() -> None:
    exact = excess_error(60, 250, 90, 590, 0.05).p_value
    approximate = excess_error(60, 250, 92, 603, 0.05).p_value

    assert approximate == pytest.approx(exact, rel=0.15)


def test_newcombe_intervals_match_the_published_example() -> None:
    found = excess_error(56, 70, 48, 80, 0.0)

    # Newcombe 1998, table II, method 10, contrast (a): 56/70 against 48/80.
    assert (found.low, found.high) == pytest.approx((0.0524, 0.3339), abs=5e-5)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_the_gap_lies_in_its_interval_and_the_p_value_in_zero_to_one(data: st.DataObject) -> None:
    n_in, n_out = data.draw(st.integers(1, 30)), data.draw(st.integers(1, 30))
    x, y = data.draw(st.integers(0, n_in)), data.draw(st.integers(0, n_out))

    found = excess_error(x, n_in, y, n_out, data.draw(st.floats(0, 0.5)))

    assert -1 <= found.low <= found.gap <= found.high <= 1
    assert 0 <= found.p_value <= 1


def test_more_errors_in_the_slice_are_never_weaker_evidence() -> None:
    p_values = [excess_error(x, 15, 6, 60, 0.05).p_value for x in range(16)]

    assert (np.diff(p_values) <= 1e-12).all()


def test_an_empty_side_says_that_nothing_is_known() -> None:
    found = excess_error(0, 0, 3, 10, 0.05)

    assert (found.gap, found.low, found.high, found.p_value) == (0.0, -1.0, 1.0, 1.0)


def test_more_errors_than_rows_are_refused() -> None:
    with pytest.raises(ShapeError, match="11 of 10 inside"):
        excess_error(11, 10, 0, 10, 0.0)


@pytest.mark.parametrize("n", [30, 100])
@pytest.mark.parametrize(("margin", "improved_rate"), [(0.0, 0.05), (0.05, 0.01), (0.05, 0.3)])
def test_the_paired_test_keeps_its_size(n: int, margin: float, improved_rate: float) -> None:
    counts = np.array([(b, c) for b in range(n + 1) for c in range(n + 1 - b)])
    rates = [improved_rate + margin, improved_rate, 1 - 2 * improved_rate - margin]
    weights = multinomial.pmf(np.column_stack([counts, n - counts.sum(axis=1)]), n, rates)
    likely = weights > 1e-6

    for alpha in (0.05, 0.01):
        size = sum(
            weight
            for (b, c), weight in zip(counts[likely], weights[likely], strict=True)
            if paired_excess_error(int(b), int(c), n, margin).p_value < alpha
        )
        # An approximate test: a quarter above its level is the most we accept.
        assert size <= alpha * 1.25


def test_a_change_that_breaks_many_rows_is_found() -> None:
    found = paired_excess_error(40, 3, 100, 0.05)

    assert found.gap == pytest.approx(0.37)
    assert found.low > 0.05
    assert found.p_value < 1e-6


@given(st.integers(0, 20), st.integers(0, 20), st.integers(0, 30))
def test_the_paired_gap_lies_in_its_interval(worse: int, better: int, same: int) -> None:
    found = paired_excess_error(worse, better, worse + better + same, 0.05)

    assert -1 <= found.low <= found.gap <= found.high <= 1


def test_paired_counts_beyond_the_rows_are_refused_and_no_rows_say_nothing() -> None:
    assert paired_excess_error(0, 0, 0, 0.05).p_value == 1.0
    with pytest.raises(ShapeError, match=r"worsened \+ improved <= n"):
        paired_excess_error(6, 5, 10, 0.05)
