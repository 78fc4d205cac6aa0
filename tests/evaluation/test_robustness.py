"""Robustness against scikit-learn on copies made by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import accuracy_score, balanced_accuracy_score

from activesynth.domain.canonical import Array, derive_seed
from activesynth.errors import ConfigurationError
from activesynth.evaluation.robustness import Robustness, measure_robustness
from activesynth.evaluation.robustness_rows import robustness_rows
from activesynth.perturbations.image import apply

KINDS = ("noise", "shot", "contrast", "jpeg")


class NearestMean:
    """A model that anybody can recompute: the class whose mean picture is nearest."""

    def __init__(self, x: Array, y: Array) -> None:
        self.means = np.stack([x[y == label].mean(axis=0).ravel() for label in range(10)])
        self.calls = 0

    def __call__(self, x: Array) -> Array:
        self.calls += 1
        rows = x.reshape(len(x), -1).astype(np.float64)
        near = -((rows[:, None, :] - self.means) ** 2).sum(axis=2)
        probs: Array = np.eye(10)[near.argmax(axis=1)]
        return probs


@pytest.fixture(scope="module")
def rows() -> tuple[Array, Array]:
    source = load_digits()
    pixels = np.clip(source.images[:300] * 16, 0, 255).astype(np.uint8)
    return pixels[..., None], source.target[:300].astype(np.int64)


@pytest.fixture(scope="module")
def model(rows: tuple[Array, Array]) -> NearestMean:
    return NearestMean(*rows)


@pytest.fixture(scope="module")
def found(rows: tuple[Array, Array], model: NearestMean) -> Robustness:
    x, y = rows
    return measure_robustness(
        model,
        x,
        y,
        np.arange(len(y)),
        trained=("impulse",),
        resamples=400,
        seed=5,
        kinds=KINDS,
        severities=(0.4, 1.0),
    )


def test_every_cell_agrees_with_scikit_learn(
    found: Robustness, rows: tuple[Array, Array], model: NearestMean
) -> None:
    x, y = rows
    assert found.clean["accuracy"].value == pytest.approx(accuracy_score(y, model(x).argmax(1)))
    for one in found.kinds:
        for place, severity in enumerate((0.4, 1.0)):
            copies = apply(
                one.kind, x, severity=severity, seed=derive_seed("robustness", one.kind, 5)
            )
            predicted = model(copies).argmax(axis=1)
            accuracy = one.by_severity["accuracy"][place]
            balanced = one.by_severity["balanced_accuracy"][place]

            assert accuracy.value.value == pytest.approx(accuracy_score(y, predicted))
            assert balanced.value.value == pytest.approx(balanced_accuracy_score(y, predicted))
            assert accuracy.relative is not None
            assert accuracy.relative.value == pytest.approx(
                accuracy.value.value / found.clean["accuracy"].value
            )


def test_means_and_worst_are_those_of_the_cells_known_and_unknown_apart(found: Robustness) -> None:
    means = {
        one.kind: np.mean([score.value.value for score in one.by_severity["accuracy"]])
        for one in found.kinds
    }
    assert found.known is not None
    assert found.unknown is not None

    assert found.known.kinds == ("noise", "shot")
    assert found.unknown.kinds == ("contrast", "jpeg")
    for summary in (found.known, found.unknown):
        of_these = {kind: means[kind] for kind in summary.kinds}
        lowest = min(of_these, key=lambda kind: of_these[kind])
        assert summary.mean["accuracy"].value.value == pytest.approx(
            np.mean(list(of_these.values()))
        )
        assert summary.worst_kind["accuracy"] == lowest
        assert summary.worst["accuracy"].value.value == pytest.approx(of_these[lowest])


def test_averaging_kinds_narrows_the_interval_and_pairing_the_ratio(found: Robustness) -> None:
    assert found.known is not None
    mean = found.known.mean["accuracy"]
    cell = found.kinds[0].by_severity["accuracy"][1].value
    mild = found.kinds[2].by_severity["accuracy"][0]

    assert mean.value.high - mean.value.low < cell.high - cell.low
    assert mild.relative is not None
    assert mild.relative.high - mild.relative.low < mild.value.high - mild.value.low


def test_without_training_on_corruption_every_family_is_unknown(
    rows: tuple[Array, Array], model: NearestMean
) -> None:
    x, y = rows
    before = model.calls
    found = measure_robustness(
        model, x, y, np.arange(300), trained=(), resamples=20, seed=0, kinds=KINDS[:1]
    )

    assert found.known is None
    assert found.unknown is not None
    assert len(found.severities) == 5
    assert model.calls - before == 6


def test_a_model_that_is_always_wrong_has_nothing_to_lose(rows: tuple[Array, Array]) -> None:
    x, y = rows

    found = measure_robustness(
        lambda copies: np.eye(11)[np.full(len(copies), 10)],
        x,
        y,
        np.arange(300),
        trained=(),
        resamples=20,
        seed=0,
        kinds=("blur",),
        severities=(1.0,),
    )

    assert found.kinds[0].mean["accuracy"].relative is None
    assert {row.name for row in robustness_rows(found, arm="real", split="guide")} == {
        "accuracy",
        "balanced_accuracy",
        "is_known",
    }


def test_rows_for_the_metrics_table_name_kind_and_severity(found: Robustness) -> None:
    rows = robustness_rows(found, arm="targeted", split="guide")
    by_key = {(row.slice, row.name): row for row in rows}

    assert len(by_key) == len(rows) == 2 + 3 + 2 * 2 * (4 * 3 + (2 + 3) * (2 + 2))
    one = by_key["corruption:jpeg@0.4", "accuracy"]
    assert (one.arm, one.split, one.n) == ("targeted", "guide", 300)
    assert one.value == found.kinds[3].by_severity["accuracy"][0].value.value
    assert ("unknown:worst", "balanced_accuracy_relative") in by_key
    known = [by_key[f"family:{name}", "is_known"].value for name in ("noise", "light", "digital")]
    assert known == [1.0, 0.0, 0.0]
    assert by_key["corruption:none", "accuracy"].value == found.clean["accuracy"].value
    for severity in (0.4, 1.0):
        kinds = [by_key[f"corruption:{kind}@{severity:g}", "accuracy"].value for kind in KINDS]
        assert by_key[f"known@{severity:g}", "accuracy"].value == pytest.approx(np.mean(kinds[:2]))
        noises = by_key[f"family:noise@{severity:g}", "accuracy"]
        assert noises.value == pytest.approx(np.mean(kinds[:2]))
        assert by_key[f"family:light@{severity:g}", "accuracy"].value == pytest.approx(kinds[2])


def test_nothing_to_try_is_refused(rows: tuple[Array, Array], model: NearestMean) -> None:
    x, y = rows
    with pytest.raises(ConfigurationError, match="there are the kinds blur"):
        measure_robustness(model, x, y, np.arange(300), trained=(), resamples=20, seed=0, kinds=())
