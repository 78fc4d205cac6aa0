"""Weights: shares, bounds and what lowers them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn.utils.class_weight import compute_sample_weight

from activesynth.domain.canonical import Array
from activesynth.errors import InputError, ShapeError
from activesynth.targeting.weighting import (
    class_balanced,
    is_plateau,
    struggle_weights,
    synthetic_weights,
)

QUALITIES = hnp.arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 5))


@settings(deadline=None)
@given(hnp.arrays(np.int64, st.integers(1, 60), elements=st.integers(0, 4)))
def test_class_balance_equals_scikit_learns(y: Array) -> None:
    weights = class_balanced(y, 5)

    assert np.allclose(weights, compute_sample_weight("balanced", y))
    assert weights.mean() == pytest.approx(1.0)


def test_unlabelled_rows_cannot_be_balanced() -> None:
    with pytest.raises(ShapeError, match=r"leave unlabelled rows \(-1\) out"):
        class_balanced(np.array([0, -1]), 2)


@settings(deadline=None)
@given(
    quality=QUALITIES,
    real=st.integers(1, 500),
    real_share=st.floats(0.05, 1),
    floor=st.floats(0, 1),
    plateau=st.booleans(),
)
def test_the_synthetic_share_never_exceeds_what_the_real_floor_leaves(
    quality: Array, real: int, real_share: float, floor: float, plateau: bool
) -> None:
    weakness = np.where(np.arange(len(quality)) % 2 == 0, "good", "bad")
    weights = synthetic_weights(
        quality,
        {"good": 0.1, "bad": -0.1},
        weakness,
        plateau,
        real_count=real,
        real_share=real_share,
        floor=floor,
    )

    assert (weights >= 0).all()
    assert weights.sum() / (weights.sum() + real) <= 1 - max(real_share, floor) + 1e-9


def make_weights(
    benefit: dict[str, float], plateau: bool = False, quality: Array | None = None
) -> Array:
    quality = np.ones(60) if quality is None else quality
    weakness = np.repeat(["a", "b"], 30)
    return synthetic_weights(
        quality, benefit, weakness, plateau, real_count=100, real_share=0.6, floor=0.3
    )


def test_without_evidence_the_synthetic_rows_take_exactly_their_share() -> None:
    weights = make_weights({})

    assert weights.sum() / (weights.sum() + 100) == pytest.approx(0.4)


@pytest.mark.parametrize("benefit", [0.0, -0.2])
def test_rows_of_a_weakness_without_benefit_are_halved_and_others_stay(benefit: float) -> None:
    before, after = make_weights({}), make_weights({"a": benefit, "b": 0.03})

    assert np.allclose(after[:30], before[:30] / 2)
    assert np.allclose(after[30:], before[30:])


def test_a_plateau_halves_all_synthetic_rows() -> None:
    assert np.allclose(make_weights({}, plateau=True), make_weights({}) / 2)


def test_better_rows_weigh_more_but_at_most_four_times_the_median() -> None:
    quality = np.concatenate([[0.0, 100.0], np.ones(58)])
    weights = make_weights({}, quality=quality)

    assert weights[1] / weights[2] == pytest.approx(4.0)
    assert weights[0] / weights[2] == pytest.approx(0.25)


def test_a_handful_of_synthetic_rows_is_not_repeated_without_end() -> None:
    weights = synthetic_weights(
        np.ones(3), {}, np.array(["a"] * 3), False, real_count=10_000, real_share=0.5, floor=0.0
    )

    assert np.allclose(weights, 4.0)


def test_wrong_synthetic_weights_are_refused() -> None:
    names = np.array(["a", "b"])
    with pytest.raises(InputError, match=r"must lie in \[0, 1\]"):
        synthetic_weights(np.ones(2), {}, names, False, real_count=1, real_share=1.5, floor=0)
    with pytest.raises(InputError, match="not negative"):
        synthetic_weights(-np.ones(2), {}, names, False, real_count=1, real_share=0.5, floor=0)
    with pytest.raises(ShapeError, match="one per row"):
        synthetic_weights(np.ones(3), {}, names, False, real_count=1, real_share=0.5, floor=0)


@pytest.mark.parametrize(
    ("history", "expected"),
    [
        ([], False),
        ([0.5, 0.5], False),
        ([0.5, 0.5, 0.5], True),
        ([0.5, 0.503, 0.504], True),
        ([0.5, 0.51, 0.5], False),
        ([0.5, 0.5, 0.51], False),
        ([0.6, 0.5, 0.55, 0.58], True),
        ([0.4, 0.5, 0.6], False),
    ],
)
def test_a_plateau_is_two_values_in_a_row_without_improvement(
    history: list[float], expected: bool
) -> None:
    assert is_plateau(history) is expected


def test_classes_and_clusters_with_more_errors_are_drawn_more() -> None:
    labels = np.repeat([0, 1], 100)
    clusters = np.tile([7, 9], 100)
    errors = np.where(labels == 1, 0.6, 0.2) * np.where(clusters == 9, 1.5, 0.5)
    weights = struggle_weights(errors, labels, clusters, classes=2)
    hard = weights[(labels == 1) & (clusters == 9)][0]
    easy = weights[(labels == 0) & (clusters == 7)][0]

    assert hard > weights[(labels == 1) & (clusters == 7)][0] > easy
    assert weights.mean() == pytest.approx(1.0)


@settings(deadline=None)
@given(
    hnp.arrays(np.float64, 50, elements=st.floats(0, 1)),
    hnp.arrays(np.int64, 50, elements=st.integers(0, 3)),
    hnp.arrays(np.int64, 50, elements=st.integers(-1, 5)),
    st.floats(1, 10),
)
def test_struggle_weights_stay_within_their_bound(
    errors: Array, labels: Array, clusters: Array, bound: float
) -> None:
    weights = struggle_weights(errors, labels, clusters, classes=4, bound=bound)

    assert weights.mean() == pytest.approx(1.0)
    assert weights.max() / weights.min() <= bound**2 * (1 + 1e-9)


def test_one_unlucky_row_alone_in_its_cluster_is_shrunk_towards_the_rest() -> None:
    errors = np.array([1.0] + [0.1] * 99)
    clusters = np.array([1] + [0] * 99)
    weights = struggle_weights(errors, np.zeros(100, int), clusters, classes=1, bound=100.0)

    assert weights[0] / weights[1] < 3.0  # unshrunk it would be ten
    assert weights[0] > weights[1]


def test_without_errors_every_row_weighs_the_same() -> None:
    weights = struggle_weights(np.zeros(4), np.zeros(4, int), np.arange(4), classes=1)

    assert weights.tolist() == [1, 1, 1, 1]


def test_struggle_weights_refuse_rows_that_do_not_align() -> None:
    with pytest.raises(ShapeError, match="aligned rows"):
        struggle_weights(np.zeros(3), np.zeros(4, int), np.zeros(4, int), classes=1)
    with pytest.raises(InputError, match="at least 1"):
        struggle_weights(np.zeros(4), np.zeros(4, int), np.zeros(4, int), classes=1, bound=0.5)
