"""The rows that compare arms: values against scikit-learn, lifts, benefits, completeness."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import precision_recall_fscore_support

from activesynth.domain.canonical import Array
from activesynth.domain.records import MetricRow
from activesynth.errors import ShapeError
from activesynth.evaluation.comparison import compare_arms
from activesynth.evaluation.metrics import Accuracy, BalancedAccuracy, NegativeLogLikelihood, tail3
from activesynth.statistics.intervals import paired_bootstrap

CLASSES, ROWS, REPLICATES = 4, 200, 2
ARMS = ("targeted", "real", "reweighted", "random")


@pytest.fixture(name="data", scope="module")
def make_data() -> tuple[Array, dict[str, Array]]:
    rng = np.random.default_rng(0)
    y = rng.integers(CLASSES, size=ROWS)
    arms = {}
    for strength, arm in zip((2.5, 1.5, 2.0, 1.0), ARMS, strict=True):
        logits = rng.normal(size=(REPLICATES, ROWS, CLASSES))
        logits[:, np.arange(ROWS), y] += strength
        arms[arm] = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
    return y, arms


def compare(y: Array, arms: dict[str, Array], **changes: Any) -> list[MetricRow]:
    arguments: dict[str, Any] = {
        "metrics": [Accuracy(), BalancedAccuracy(), NegativeLogLikelihood()],
        "control": "reweighted",
        "resamples": 400,
        "seed": 0,
        "split": "guide",
        "weakness_rows": {"class:1": y == 1, "cluster:9": np.zeros(len(y), dtype=bool)},
    }
    return compare_arms(y, np.arange(len(y)), arms, **(arguments | changes))


def pick(rows: list[MetricRow], **wanted: Any) -> list[MetricRow]:
    return [row for row in rows if all(getattr(row, key) == wanted[key] for key in wanted)]


@pytest.fixture(name="rows", scope="module")
def make_rows(data: tuple[Array, dict[str, Array]]) -> list[MetricRow]:
    return compare(*data)


def test_every_arm_has_every_metric_over_all_replicates_and_for_each(
    rows: list[MetricRow],
) -> None:
    for arm in ARMS:
        for name in ("accuracy", "balanced_accuracy", "nll", "tail3"):
            found = pick(rows, arm=arm, slice="all", name=name)
            assert [row.seed for row in found] == [-1, 0, 1]
            overall, *single = found
            assert overall.value == pytest.approx(np.mean([row.value for row in single]))
            assert overall.low is not None
            assert overall.high is not None
            assert overall.low <= overall.value <= overall.high
            assert [row.low for row in single] == [None, None]


def test_natural_keys_are_unique_and_every_value_is_finite(rows: list[MetricRow]) -> None:
    keys = {(row.arm, row.split, row.slice, row.name, row.seed) for row in rows}

    assert len(keys) == len(rows)
    assert all(math.isfinite(row.value) for row in rows)
    assert all(row.low is None or math.isfinite(row.low) for row in rows)
    assert {row.split for row in rows} == {"guide"}


def test_class_rows_agree_with_scikit_learn(
    data: tuple[Array, dict[str, Array]], rows: list[MetricRow]
) -> None:
    y, arms = data
    scores = [
        precision_recall_fscore_support(y, one.argmax(axis=1), zero_division=0)
        for one in arms["real"]
    ]

    for column, name in enumerate(("precision", "recall", "f1")):
        expected = np.mean([score[column] for score in scores], axis=0)
        for label in range(CLASSES):
            (row,) = pick(rows, arm="real", slice=f"class:{label}", name=name)
            assert row.value == pytest.approx(expected[label])
            assert row.n == (y == label).sum()


def test_the_false_positive_rate_of_a_class_is_over_the_other_rows(
    data: tuple[Array, dict[str, Array]], rows: list[MetricRow]
) -> None:
    y, arms = data

    (row,) = pick(rows, arm="random", slice="class:2", name="fpr")

    alarms = (arms["random"].argmax(axis=2) == 2)[:, y != 2]
    assert row.value == pytest.approx(alarms.mean())


def test_a_lift_is_the_paired_difference_to_every_other_arm(rows: list[MetricRow]) -> None:
    for other in ("real", "reweighted", "random"):
        for name in ("accuracy", "nll", "tail3"):
            (lift,) = pick(rows, arm="targeted", name=f"{name}_lift:{other}")
            (mine,) = pick(rows, arm="targeted", slice="all", name=name, seed=-1)
            (theirs,) = pick(rows, arm=other, slice="all", name=name, seed=-1)
            assert lift.value == pytest.approx(mine.value - theirs.value)
            assert lift.low is not None
            assert lift.high is not None
            assert lift.low < lift.value < lift.high
    assert not pick(rows, name="accuracy_lift:targeted")


def test_the_interval_of_a_lift_is_the_paired_bootstrap(
    data: tuple[Array, dict[str, Array]], rows: list[MetricRow]
) -> None:
    y, arms = data

    (lift,) = pick(rows, name="balanced_accuracy_lift:real")

    expected = paired_bootstrap(
        BalancedAccuracy(),
        y,
        arms["targeted"],
        arms["real"],
        np.arange(ROWS),
        resamples=400,
        seed=0,
    )
    assert (lift.low, lift.high) == pytest.approx((expected.low, expected.high))


def test_the_benefit_is_the_accuracy_gained_over_reweighted_on_the_slice(
    rows: list[MetricRow],
) -> None:
    (benefit,) = pick(rows, name="benefit")
    (mine,) = pick(rows, arm="targeted", slice="class:1", name="accuracy")
    (theirs,) = pick(rows, arm="reweighted", slice="class:1", name="accuracy")

    assert (benefit.arm, benefit.slice) == ("targeted", "class:1")
    assert benefit.value == pytest.approx(mine.value - theirs.value)
    assert benefit.n == mine.n
    assert benefit.low is not None
    assert benefit.high is not None
    assert benefit.low <= benefit.value <= benefit.high


def test_a_weakness_without_rows_is_left_out(rows: list[MetricRow]) -> None:
    assert not pick(rows, slice="cluster:9")


def test_the_tail_can_be_fixed(data: tuple[Array, dict[str, Array]]) -> None:
    y, arms = data

    rows = compare(y, arms, tail=(0, 1, 3))

    (row,) = pick(rows, arm="random", name="tail3", seed=0)
    assert row.value == pytest.approx(tail3(y, arms["random"][0].argmax(axis=1), (0, 1, 3)))


def test_equal_seeds_give_equal_rows(
    data: tuple[Array, dict[str, Array]], rows: list[MetricRow]
) -> None:
    assert compare(*data) == rows


def test_a_missing_control_is_refused(data: tuple[Array, dict[str, Array]]) -> None:
    y, arms = data

    with pytest.raises(ShapeError, match=r"needs the arms \['reweighted'\] too"):
        compare(y, {"targeted": arms["targeted"], "real": arms["real"]})
