"""Scores of recalls, beside scikit-learn and resamples done by hand."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, recall_score

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError
from activesynth.evaluation.recalls import RecallTerms, from_recalls, recall_scores

CLASSES = 5
TAIL = np.array([1, 3, 4])


def some(seed: int, trainings: int = 3, rows: int = 200) -> tuple[Array, Array]:
    rng = np.random.default_rng(seed)
    y = rng.integers(CLASSES, size=rows)
    predicted = np.where(rng.random((trainings, rows)) < 0.6, y, rng.integers(CLASSES, size=rows))
    return y, predicted


@pytest.mark.parametrize("seed", range(3))
def test_every_score_is_what_scikit_learn_says_of_each_training(seed: int) -> None:
    y, predicted = some(seed)
    terms = RecallTerms.of(y, predicted, CLASSES)
    recalls = np.array([recall_score(y, one, average=None) for one in predicted])

    assert np.allclose(terms.recalls(), recalls)
    assert np.allclose(
        from_recalls("balanced_accuracy", terms, TAIL),
        [balanced_accuracy_score(y, one) for one in predicted],
    )
    assert np.allclose(
        from_recalls("accuracy", terms, TAIL), [accuracy_score(y, one) for one in predicted]
    )
    assert np.allclose(from_recalls("tail3", terms, TAIL), recalls[:, TAIL].mean(axis=1))
    assert np.allclose(
        from_recalls("few3", terms, TAIL), np.sort(recalls, axis=1)[:, :3].mean(axis=1)
    )
    assert np.allclose(from_recalls("worst_recall", terms, TAIL), recalls.min(axis=1))


def test_a_weight_is_how_often_a_row_stands_in_the_resample() -> None:
    y, predicted = some(7)
    rng = np.random.default_rng(1)
    drawn = [rng.integers(len(y), size=len(y)) for _ in range(4)]
    weight = np.stack([np.bincount(rows, minlength=len(y)) for rows in drawn]).astype(float)

    terms = RecallTerms.of(y, predicted, CLASSES, weight)

    expected = [
        [balanced_accuracy_score(y[rows], one[rows]) for one in predicted] for rows in drawn
    ]
    assert np.allclose(from_recalls("balanced_accuracy", terms, TAIL), expected)


def test_a_class_without_rows_counts_nowhere() -> None:
    y = np.array([0, 0, 1, 1])
    terms = RecallTerms.of(y, np.array([[0, 1, 1, 1]]), 3)

    scores = recall_scores(terms)

    assert scores == {
        "accuracy": 0.75, "balanced_accuracy": 0.75, "few3": 0.75, "worst_recall": 0.5
    }  # fmt: skip


def test_predictions_that_do_not_align_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"need predictions \(trainings, 4\), got \(1, 3\)"):
        RecallTerms.of(np.zeros(4, int), np.zeros((1, 3), int), 2)
