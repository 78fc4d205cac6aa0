"""Metrics against scikit-learn and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, balanced_accuracy_score, f1_score, log_loss

from activesynth.domain.canonical import Array
from activesynth.domain.ports import Metric
from activesynth.domain.registry import Catalog
from activesynth.errors import ShapeError
from activesynth.evaluation.metrics import (
    Accuracy,
    BalancedAccuracy,
    ExpectedCalibrationError,
    MacroF1,
    NegativeLogLikelihood,
    TailRecall,
    tail3,
    worst_classes,
)
from activesynth.evaluation.registry import METRICS
from activesynth.statistics.resampling import SummedMetric

CLASSES = 5


@st.composite
def predictions(draw: st.DrawFn) -> tuple[Array, Array]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    rows, present = draw(st.integers(1, 60)), draw(st.integers(1, CLASSES))
    probs = rng.dirichlet(np.full(CLASSES, draw(st.sampled_from([0.1, 1.0, 10.0]))), size=rows)
    return rng.integers(present, size=rows), probs


def registered() -> list[Metric]:
    catalog = Catalog({"metric": METRICS})
    return [catalog.create("metric", name) for name in catalog.names("metric")]


@given(predictions())
def test_accuracy_agrees_with_scikit_learn(rows: tuple[Array, Array]) -> None:
    y, probs = rows

    assert Accuracy()(y, probs) == pytest.approx(accuracy_score(y, probs.argmax(axis=1)))


@pytest.mark.filterwarnings("ignore:y_pred contains classes", "ignore:A single label")
@given(predictions())
def test_balanced_accuracy_agrees_with_scikit_learn(rows: tuple[Array, Array]) -> None:
    y, probs = rows

    expected = balanced_accuracy_score(y, probs.argmax(axis=1))
    assert BalancedAccuracy()(y, probs) == pytest.approx(expected)


@given(predictions())
def test_macro_f1_agrees_with_scikit_learn(rows: tuple[Array, Array]) -> None:
    y, probs = rows

    expected = f1_score(y, probs.argmax(axis=1), average="macro", zero_division=0)
    assert MacroF1()(y, probs) == pytest.approx(expected)


@given(predictions())
def test_negative_log_likelihood_agrees_with_scikit_learn(rows: tuple[Array, Array]) -> None:
    y, probs = rows
    probs = np.clip(probs, 1e-9, 1.0)
    probs = probs / probs.sum(axis=1, keepdims=True)

    expected = log_loss(y, probs, labels=range(CLASSES))
    assert NegativeLogLikelihood()(y, probs) == pytest.approx(expected)


def test_an_impossible_truth_costs_a_bounded_amount() -> None:
    assert NegativeLogLikelihood()(np.array([0]), np.array([[0.0, 1.0]])) == pytest.approx(
        -np.log(1e-12)
    )


@given(predictions())
def test_calibration_error_agrees_with_a_loop_over_bins(rows: tuple[Array, Array]) -> None:
    y, probs = rows
    confidence, hit = probs.max(axis=1), probs.argmax(axis=1) == y
    expected = 0.0
    for bin_ in range(15):
        inside = (confidence > bin_ / 15) & (confidence <= (bin_ + 1) / 15)
        if inside.any():
            expected += inside.mean() * abs(hit[inside].mean() - confidence[inside].mean())

    assert ExpectedCalibrationError()(y, probs) == pytest.approx(expected)


def test_sure_and_right_is_perfectly_calibrated_and_sure_and_wrong_is_not() -> None:
    probs = np.tile([1.0, 0.0], (10, 1))

    assert ExpectedCalibrationError()(np.zeros(10, dtype=np.int64), probs) == 0.0
    assert ExpectedCalibrationError()(np.ones(10, dtype=np.int64), probs) == 1.0


def test_every_row_of_the_table_builds_a_metric_of_that_name() -> None:
    for name, metric in zip(sorted(METRICS), registered(), strict=True):
        assert metric.name == name
        assert isinstance(metric, Metric)
        assert isinstance(metric, SummedMetric)


def test_a_perfect_model_gets_the_best_value_of_every_metric() -> None:
    y = np.arange(10) % CLASSES

    for metric in registered():
        best = metric(y, np.eye(CLASSES)[y])
        worse = metric(y, np.eye(CLASSES)[(y + 1) % CLASSES])
        assert (best > worse) == metric.higher_is_better


@pytest.mark.parametrize(
    ("y", "probs", "message"),
    [
        (np.zeros(0, dtype=np.int64), np.zeros((0, 2)), "n >= 1"),
        (np.array([0, 0]), np.ones((1, 2)), "n >= 1"),
        (np.array([-1]), np.ones((1, 2)), "leave unlabelled rows out"),
        (np.array([2]), np.ones((1, 2)), r"labels in \[0, 2\)"),
    ],
)
def test_rows_that_cannot_be_scored_are_refused(y: Array, probs: Array, message: str) -> None:
    for metric in registered():
        with pytest.raises(ShapeError, match=message):
            metric(y, probs)


def test_tail3_is_the_mean_recall_of_the_named_classes() -> None:
    y = np.array([0, 0, 1, 1, 2, 2, 3])
    predicted = np.array([0, 1, 1, 1, 0, 0, 3])

    assert tail3(y, predicted, (0, 1, 2)) == pytest.approx(0.5)
    assert tail3(y, predicted, (0, 4)) == pytest.approx(0.5)
    assert tail3(y, predicted, (4,)) == 0.0


@given(predictions())
def test_tail_recall_as_a_metric_equals_the_function(rows: tuple[Array, Array]) -> None:
    y, probs = rows

    metric = TailRecall((0, 2, 4))

    assert metric.name == "tail3"
    assert metric(y, probs) == pytest.approx(tail3(y, probs.argmax(axis=1), (0, 2, 4)))


def test_worst_classes_average_recall_over_replicates() -> None:
    y = np.repeat(np.arange(4), 10)
    first, second = y.copy(), y.copy()
    first[:10], second[10:20], first[20:23], second[20:23] = 3, 3, 3, 3
    first[10:12] = 3
    probs = np.stack([np.eye(CLASSES)[first], np.eye(CLASSES)[second]])

    # Recalls over both replicates: class 0 .5, class 1 .4, class 2 .7, class 3 1; 4 has no rows.
    assert worst_classes(y, probs) == (1, 0, 2)
    assert worst_classes(y, probs, count=9) == (1, 0, 2, 3)
