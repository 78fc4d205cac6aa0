"""Which labels look wrong."""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest
from cleanlab.internal.label_quality_utils import _subtract_confident_thresholds

from activesynth.domain.canonical import Array
from activesynth.errors import ShapeError
from activesynth.evaluation.scarcity import wrong_labels
from activesynth.targeting.suspects import label_quality, most_suspect


def make_predictions(seed: int, *, share: float = 0.3) -> tuple[Array, Array, Array]:
    """Return true labels, labels of which a share of class 2 is wrong, and noisy predictions."""
    rng = np.random.default_rng(seed)
    truth = np.repeat(np.arange(5), 60)
    given = wrong_labels(truth, 5, share, np.array([2]), seed)
    logits = 2.5 * np.eye(5)[truth] + rng.normal(size=(300, 5))
    probs = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return truth, given, probs


def test_planted_wrong_labels_are_the_most_suspect() -> None:
    hits = []
    for seed in range(10):
        truth, given, probs = make_predictions(seed)
        quality = label_quality(given, probs)
        ids = np.array([f"{n:04d}" for n in range(len(given))])
        rows = most_suspect(quality.score, quality.suggested != given, ids, 18)
        hits.append((given[rows] != truth[rows]).mean())

    assert np.mean(hits) > 0.8  # 18 of 300 labels are wrong: at random it would be 0.06


def test_nothing_is_doubted_where_rows_get_their_label_as_is_usual_for_it() -> None:
    truth, _, probs = make_predictions(0)
    sure = probs**4 / (probs**4).sum(axis=1, keepdims=True)
    agreed = sure.argmax(axis=1) == truth

    quality = label_quality(truth[agreed], sure[agreed])

    assert not quality.is_issue.any()
    assert (quality.suggested == truth[agreed]).all()


def test_what_is_suggested_is_what_adjusted_predictions_prefer() -> None:
    for seed in range(5):
        _, given, probs = make_predictions(seed)

        suggested = label_quality(given, probs).suggested

        reference = _subtract_confident_thresholds(given, probs, multi_label=False)
        assert (suggested == reference.argmax(axis=1)).all()


def test_wrong_labels_are_doubted_where_most_of_a_class_are_wrong() -> None:
    """The predictions follow the majority, so what they prefer tells nothing."""
    rng = np.random.default_rng(0)
    truth = np.repeat([0, 1], 200)
    given = wrong_labels(truth, 2, 0.6, np.array([0]), 0)
    first = np.where(truth == 0, 0.4, 0.03) + rng.uniform(-0.03, 0.03, 400)
    probs = np.stack([first, 1.0 - first], axis=1)

    quality = label_quality(given, probs)

    is_wrong = given != truth
    assert not (probs[is_wrong].argmax(axis=1) != given[is_wrong]).any()
    assert ((quality.suggested != given) == is_wrong).all()
    assert quality.score[is_wrong].max() < quality.score[~is_wrong].min()


def test_equally_suspect_rows_go_by_id() -> None:
    ids = np.array(["c", "a", "b"])

    assert most_suspect(np.zeros(3), np.ones(3, bool), ids, 2).tolist() == [1, 2]


def test_scoring_labels_starts_no_process() -> None:
    _, given, probs = make_predictions(1)

    label_quality(given, probs)

    assert multiprocessing.active_children() == []


def test_a_class_without_rows_is_no_reason_to_fail() -> None:
    truth, _, probs = make_predictions(2)
    kept = truth != 4

    quality = label_quality(truth[kept], probs[kept])

    assert np.isfinite(quality.score).all()


def test_a_label_without_a_column_is_refused() -> None:
    with pytest.raises(ShapeError, match="column per class"):
        label_quality(np.array([0, 3]), np.full((2, 3), 1 / 3))


def test_wrong_labels_are_planted_in_exact_numbers_and_only_where_asked() -> None:
    truth = np.repeat(np.arange(4), 50)

    given = wrong_labels(truth, 4, 0.3, np.array([1]), 5)

    changed = given != truth
    assert changed.sum() == 15
    assert set(truth[changed].tolist()) == {1}
