"""Drawing in proportion: frequencies, edges, never top-k."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.stats import binomtest

from activesynth.domain.canonical import Array
from activesynth.errors import InputError
from activesynth.targeting.sampling import draw_in_proportion

SCORES = np.array([1.0, 2.0, 3.0, 4.0])
DRAWS = 8000


@pytest.mark.parametrize(("mix", "row"), [(0.0, 0), (0.0, 3), (0.5, 0), (0.5, 3), (1.0, 3)])
def test_first_draws_have_the_announced_frequency(mix: float, row: int) -> None:
    expected = mix / 4 + (1 - mix) * SCORES[row] / SCORES.sum()
    hits = sum(int(draw_in_proportion(SCORES, 1, seed=s, mix=mix)[0] == row) for s in range(DRAWS))

    assert binomtest(hits, DRAWS, expected).pvalue > 0.0001


def test_pairs_are_drawn_one_after_the_other_without_replacement() -> None:
    # P(first 3, then 2) = p3 * p2 / (1 - p3), the law of successive draws.
    expected = 0.4 * 0.3 / 0.6
    hits = sum(
        draw_in_proportion(SCORES, 2, seed=s, mix=0.0).tolist() == [3, 2] for s in range(DRAWS)
    )

    assert binomtest(hits, DRAWS, expected).pvalue > 0.0001


@settings(deadline=None)
@given(
    hnp.arrays(np.float64, st.integers(0, 30), elements=st.floats(0, 1e300)),
    st.integers(0, 40),
    st.integers(0, 2**31 - 1),
)
def test_rows_are_distinct_and_as_many_as_asked_for_or_there_are(
    scores: Array, count: int, seed: int
) -> None:
    scores = scores / 30  # their sum must stay finite
    rows = draw_in_proportion(scores, count, seed=seed)

    assert rows.dtype == np.int64
    assert len(rows) == min(count, len(scores)) == len(set(rows.tolist()))
    assert np.array_equal(rows, draw_in_proportion(scores, count, seed=seed))


def test_the_top_scores_are_not_simply_taken() -> None:
    scores = np.linspace(0.5, 1.0, 100)
    drawn = draw_in_proportion(scores, 20, seed=0)

    assert (drawn < 80).sum() >= 5


def test_rows_of_score_zero_come_last_without_a_uniform_part() -> None:
    scores = np.array([0.0, 1e-300, 0.0, 5.0])
    for seed in range(50):
        assert set(draw_in_proportion(scores, 2, seed=seed, mix=0.0).tolist()) == {1, 3}


def test_scores_that_cannot_be_shares_are_refused() -> None:
    for bad in (np.array([1.0, -1.0]), np.array([np.nan])):
        with pytest.raises(InputError, match="shift or clip them"):
            draw_in_proportion(bad, 1, seed=0)
    with pytest.raises(InputError, match=r"mix must lie in \[0, 1\]"):
        draw_in_proportion(SCORES, 1, seed=0, mix=2.0)
