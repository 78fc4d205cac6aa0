"""Memorisation: generators that copy are caught, those that do not are let go."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from activesynth.domain.canonical import Array
from activesynth.errors import InputError, ShapeError
from activesynth.evaluation.estimable import NotEstimable
from activesynth.evaluation.memorisation import (
    Copying,
    measure_copying,
    membership_by_distance,
    membership_by_loss,
)
from activesynth.evaluation.neighbours import nearest_distance
from activesynth.statistics.intervals import Interval


def make_features(rows: int, seed: int) -> Array:
    return np.random.default_rng(seed).normal(size=(rows, 4))


def nearest(rows: Array, reference: Array) -> Array:
    search = NearestNeighbors(n_neighbors=1, algorithm="kd_tree").fit(reference)
    distances: Array = search.kneighbors(rows)[0][:, 0]
    return distances


def copying(synthetic: Array, train: Array, held_out: Array) -> Copying:
    found = measure_copying(synthetic, train, held_out)
    assert isinstance(found, Copying)
    return found


def interval(found: Interval | NotEstimable) -> Interval:
    assert isinstance(found, Interval)
    return found


def test_the_nearest_distance_agrees_with_scikit_learns_tree() -> None:
    rows, reference = make_features(700, 0), make_features(90, 1)

    np.testing.assert_allclose(nearest_distance(rows, reference), nearest(rows, reference))


def test_both_comparisons_agree_with_scikit_learn() -> None:
    train, held_out, synthetic = (make_features(n, s) for s, n in enumerate((80, 60, 50)))
    ours, theirs = nearest(synthetic, train), nearest(held_out, train)

    found = copying(synthetic, train, held_out)

    truth = np.repeat([1, 0], [50, 60])
    assert found.nearer.value == pytest.approx(
        roc_auc_score(truth, -np.concatenate([ours, theirs]))
    )
    assert found.limit == pytest.approx(np.quantile(theirs, 0.05))
    assert found.close.value == pytest.approx((ours < found.limit).mean())
    assert found.median_synthetic == pytest.approx(np.median(ours))
    assert found.median_held_out == pytest.approx(np.median(theirs))


def test_new_rows_of_the_distribution_are_no_copies_as_often_as_the_interval_says() -> None:
    inside = 0
    for s in range(150):
        found = copying(
            make_features(60, 3 * s), make_features(100, 3 * s + 1), make_features(60, 3 * s + 2)
        )
        inside += found.nearer.low <= 0.5 <= found.nearer.high

    assert inside / 150 > 0.9


def test_a_generator_that_copies_is_caught_and_one_that_copies_seldom_by_its_tail() -> None:
    train, held_out, fresh = make_features(300, 0), make_features(200, 1), make_features(200, 2)
    noisy = train[:200] + 0.01 * fresh
    seldom = np.concatenate([fresh[:160], noisy[:40]])

    assert copying(noisy, train, held_out).nearer.low > 0.95
    assert copying(seldom, train, held_out).close.low > 0.1
    assert copying(fresh, train, held_out).close.low <= 0.05


def test_rows_far_from_the_data_are_not_taken_for_copies() -> None:
    train, held_out = make_features(100, 0), make_features(100, 1)

    found = copying(make_features(100, 2) + 9.0, train, held_out)

    assert found.nearer.value == 0.0
    assert found.nearer.high < 0.1


def test_membership_by_loss_is_the_area_under_the_curve_of_low_losses() -> None:
    rng = np.random.default_rng(0)
    members, others = rng.gamma(1.0, size=70), rng.gamma(2.0, size=50)
    truth = np.repeat([1, 0], [70, 50])

    found = interval(membership_by_loss(members, others))

    expected = roc_auc_score(truth, -np.concatenate([members, others]))
    assert found.value == pytest.approx(expected)
    assert found.low > 0.5


def test_an_attacker_with_copies_tells_the_members_and_one_with_fresh_rows_does_not() -> None:
    train, held_out, fresh = make_features(100, 0), make_features(100, 1), make_features(100, 2)

    caught = interval(membership_by_distance(train, held_out, train + 0.01 * fresh))
    safe = interval(membership_by_distance(train, held_out, fresh))

    assert caught.low > 0.95
    assert safe.low < 0.5 < safe.high


def test_groups_of_rows_widen_the_interval() -> None:
    rng = np.random.default_rng(0)
    member, other = np.repeat(rng.gamma(1.0, size=20), 10), np.repeat(rng.gamma(2.0, size=20), 10)
    groups = np.repeat(np.arange(20), 10)

    alone = interval(membership_by_loss(member, other))
    grouped = interval(
        membership_by_loss(member, other, member_groups=groups, held_out_groups=groups)
    )

    assert grouped.value == alone.value
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_too_few_rows_or_groups_are_not_estimable() -> None:
    rows = make_features(40, 0)
    groups = np.arange(40) // 8

    assert measure_copying(rows[:9], rows, rows) == NotEstimable("copying", 9, 10)
    assert measure_copying(rows, rows, rows, held_out_groups=groups) == NotEstimable(
        "copying", 5, 10
    )
    assert membership_by_loss(rows[:, 0], rows[:5, 0]) == NotEstimable(
        "membership inference", 5, 10
    )


def test_what_does_not_fit_is_refused() -> None:
    rows = make_features(20, 0)
    with pytest.raises(InputError, match=r"must lie in \(0, 1\)"):
        measure_copying(rows, rows, rows, quantile=0.0)
    with pytest.raises(ShapeError, match="of one encoder"):
        membership_by_distance(rows, rows, rows[:, :2])
    with pytest.raises(ShapeError, match="one group per row"):
        membership_by_loss(rows[:, 0], rows[:, 0], member_groups=np.zeros(3))
