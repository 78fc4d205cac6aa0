"""The linear probe against an optimiser of its own, and Q against counting."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_softmax

from activesynth.domain.canonical import Array
from activesynth.errors import InputError, ShapeError
from activesynth.evaluation.diversity import quality
from activesynth.evaluation.estimable import NotEstimable
from activesynth.evaluation.transfer import LinearProbe, label_agreement, linear_probe
from activesynth.statistics.intervals import Interval

WIDTH = 4


def make_rows(count: int, seed: int, apart: float = 1.0, classes: int = 3) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(count) % classes)
    centres = np.random.default_rng(7).normal(0.0, apart, (classes, WIDTH))
    return centres[y] + rng.normal(size=(count, WIDTH)) * np.array([1.0, 5.0, 0.2, 1.0]), y


def probed(
    train: tuple[Array, Array], test: tuple[Array, Array], strength: float = 1.0
) -> LinearProbe:
    found = linear_probe(
        *train, *test, np.arange(len(test[1])), resamples=300, seed=0, strength=strength
    )
    assert isinstance(found, LinearProbe)
    return found


def fitted_by_hand(x: Array, y: Array, other: Array, strength: float) -> Array:
    """Minimise penalised cross entropy by BFGS on standardised features; return predictions."""
    mean, spread = x.mean(axis=0), x.std(axis=0)
    table = np.column_stack([(x - mean) / spread, np.ones(len(x))])

    def loss(flat: Array) -> float:
        weight = flat.reshape(WIDTH + 1, 3)
        likelihood = log_softmax(table @ weight, axis=1)[np.arange(len(y)), y].sum()
        return float(0.5 * (weight[:-1] ** 2).sum() - strength * likelihood)

    weight = minimize(loss, np.zeros((WIDTH + 1) * 3), tol=1e-9).x.reshape(WIDTH + 1, 3)
    new = np.column_stack([(other - mean) / spread, np.ones(len(other))])
    predicted: Array = (new @ weight).argmax(axis=1)
    return predicted


@pytest.mark.parametrize("strength", [0.02, 1.0])
def test_the_probe_predicts_as_a_regression_fitted_by_hand(strength: float) -> None:
    train, test = make_rows(90, 0), make_rows(200, 1)
    predicted = fitted_by_hand(*train, test[0], strength)
    recalls = [(predicted[test[1] == label] == label).mean() for label in range(3)]

    found = probed(train, test, strength=strength)

    assert found.accuracy.value == pytest.approx((predicted == test[1]).mean(), abs=0.006)
    assert found.balanced_accuracy.value == pytest.approx(np.mean(recalls), abs=0.006)
    assert found.accuracy.low < found.accuracy.value < found.accuracy.high
    assert (found.classes, found.n_train, found.accuracy.n) == ((0, 1, 2), 90, 200)


def test_better_embeddings_carry_over_better() -> None:
    near = probed(make_rows(90, 0, apart=0.2), make_rows(200, 1, apart=0.2))
    far = probed(make_rows(90, 0, apart=3.0), make_rows(200, 1, apart=3.0))

    assert far.accuracy.low > near.accuracy.high


def test_test_rows_of_a_class_that_was_not_fitted_are_wrong() -> None:
    x, y = make_rows(90, 0, apart=5.0)
    test = make_rows(200, 1, apart=5.0)

    found = probed((x[y < 2], y[y < 2]), test)

    assert found.classes == (0, 1)
    assert found.accuracy.value <= (test[1] < 2).mean()
    assert found.balanced_accuracy.value <= 2 / 3 + 1e-9


def test_q_is_the_share_of_agreement_and_its_interval_widens_with_groups() -> None:
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 300)
    of_anchor = np.repeat(rng.random(30) < 0.7, 10)
    probs = np.eye(3)[np.where(of_anchor, y, (y + 1) % 3)]

    alone = label_agreement(probs, y, np.arange(300), resamples=400, seed=0)
    grouped = label_agreement(probs, y, np.repeat(np.arange(30), 10), resamples=400, seed=0)

    assert isinstance(alone, Interval)
    assert isinstance(grouped, Interval)
    assert alone.value == grouped.value == quality(probs, y) == of_anchor.mean()
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_too_few_groups_are_not_estimable() -> None:
    x, y = make_rows(40, 0)
    groups = np.arange(40) // 5

    assert linear_probe(x, y, x, y, groups, resamples=10, seed=0) == NotEstimable(
        "a linear probe (groups of test rows)", 8, 10
    )
    assert label_agreement(np.eye(3)[y], y, groups, resamples=10, seed=0) == NotEstimable(
        "label agreement (groups)", 8, 10
    )


def test_what_cannot_be_probed_is_refused() -> None:
    x, y = make_rows(40, 0)
    groups = np.arange(40)
    with pytest.raises(ShapeError, match="two classes or more"):
        linear_probe(x, np.zeros(40, int), x, y, groups, resamples=10, seed=0)
    with pytest.raises(ShapeError, match="leave unlabelled rows out"):
        linear_probe(x, y - 1, x, y, groups, resamples=10, seed=0)
    with pytest.raises(ShapeError, match="one group per test row"):
        linear_probe(x, y, x, y, groups[1:], resamples=10, seed=0)
    with pytest.raises(InputError, match="finite features"):
        linear_probe(np.full_like(x, np.inf), y, x, y, groups, resamples=10, seed=0)
    with pytest.raises(ShapeError, match="one group per row"):
        label_agreement(np.eye(3)[y], y, groups[1:], resamples=10, seed=0)
