"""What the difficulty of a class must respect."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from activesynth.diagnosis.clusters import cluster_shares, rare_clusters
from activesynth.diagnosis.difficulty import class_difficulty
from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError

PAIRS = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=1, max_size=60)


def columns(pairs: list[tuple[int, int]]) -> tuple[Array, Array]:
    table = np.array(pairs, dtype=np.int64)
    return table[:, 0], table[:, 1]


@given(PAIRS)
def test_difficulty_lies_between_zero_and_one(pairs: list[tuple[int, int]]) -> None:
    found = class_difficulty(*columns(pairs), 4)

    assert (found >= 0).all()
    assert (found <= 1).all()


@given(PAIRS, st.integers(0, 59))
def test_one_more_miss_makes_its_class_harder(pairs: list[tuple[int, int]], row: int) -> None:
    y, predicted = columns(pairs)
    row %= len(y)
    predicted[row] = y[row]
    worse = predicted.copy()
    worse[row] = (y[row] + 1) % 4

    before, after = class_difficulty(y, predicted, 4), class_difficulty(y, worse, 4)

    assert after[y[row]] > before[y[row]]


@given(PAIRS, st.integers(0, 59))
def test_one_more_false_alarm_makes_the_alarmed_class_harder(
    pairs: list[tuple[int, int]], row: int
) -> None:
    y, predicted = columns(pairs)
    row %= len(y)
    predicted[row] = y[row]
    alarmed = (y[row] + 1) % 4
    worse = predicted.copy()
    worse[row] = alarmed

    before, after = class_difficulty(y, predicted, 4), class_difficulty(y, worse, 4)

    assert after[alarmed] > before[alarmed]


def test_of_two_equally_missed_classes_the_more_alarmed_one_is_harder() -> None:
    y = np.repeat([0, 1, 2], 50)
    predicted = y.copy()
    predicted[[0, 50]] = 1, 0
    predicted[100:120] = 1

    difficulty = class_difficulty(y, predicted, 3)

    # Missed: (1 + 8 * 22/150) / 58 for both; alarms 1 of 100 and 21 of 100, shrunk to 22 of 300.
    missed = (1 + 8 * 22 / 150) / 58
    for label, alarms in ((0, 1), (1, 21)):
        raised = (alarms + 8 * 22 / 300) / 108
        assert difficulty[label] == pytest.approx(1 - (1 - missed) * (1 - raised))
    assert difficulty[1] > difficulty[0]


def test_few_rows_are_pulled_towards_the_average() -> None:
    y = np.repeat([0, 1, 2], [2, 100, 198])
    predicted = y.copy()
    predicted[:102] = 3

    difficulty = class_difficulty(y, predicted, 4)

    assert difficulty[2] < difficulty[0] < difficulty[1]
    assert difficulty[1] > 0.9


def test_labels_that_are_no_class_are_refused() -> None:
    with pytest.raises(ShapeError, match="leave unlabelled rows out"):
        class_difficulty(np.array([-1, 0]), np.array([0, 0]), 2)


def test_cluster_shares_sum_to_one_and_rare_ones_lie_below_delta() -> None:
    shares = cluster_shares(np.repeat([0, 2, 3], [50, 49, 1]), 5)

    np.testing.assert_allclose(shares, [0.5, 0.0, 0.49, 0.01, 0.0])
    assert rare_clusters(shares, 0.02) == (1, 3, 4)
    assert rare_clusters(shares, 0.01) == (1, 4)


def test_a_cluster_beyond_the_codebook_is_refused() -> None:
    with pytest.raises(ShapeError, match="campaign's own codebook"):
        cluster_shares(np.array([0, 5]), 5)
