from __future__ import annotations

import numpy as np
import pytest

from activesynth.domain.ports import Verifier
from activesynth.errors import ShapeError
from activesynth.models.predictor import CnnPredictor
from activesynth.models.verifier import ReferenceVerifier
from digit_sets import digits, make_trainer, make_training_set


@pytest.fixture(scope="module")
def predictor() -> CnnPredictor:
    trainer = make_trainer(steps=60)
    return trainer.load(trainer.fit(make_training_set(slice(0, 200)), None, seed=0))


def test_the_verifier_reads_off_the_probability_of_the_given_label(
    predictor: CnnPredictor,
) -> None:
    x, y = digits()[0][200:300], digits()[1][200:300]
    verifier = ReferenceVerifier(predictor)

    scores = verifier.label_probability(x, y)

    assert isinstance(verifier, Verifier)
    expected = [probs[label] for probs, label in zip(predictor.predict_proba(x), y, strict=True)]
    np.testing.assert_array_equal(scores, expected)


def test_right_labels_score_higher_than_wrong_ones(predictor: CnnPredictor) -> None:
    x, y = digits()[0][200:400], digits()[1][200:400]
    verifier = ReferenceVerifier(predictor)

    right = verifier.label_probability(x, y)
    wrong = verifier.label_probability(x, (y + 1) % 10)

    assert right.mean() > wrong.mean() + 0.3


def test_labels_that_are_no_class_are_refused(predictor: CnnPredictor) -> None:
    with pytest.raises(ShapeError, match=r"`y` must lie in \[0, 10\), got -1 to -1"):
        ReferenceVerifier(predictor).label_probability(digits()[0][:2], np.array([-1, -1]))


def test_labels_and_images_must_align(predictor: CnnPredictor) -> None:
    with pytest.raises(ShapeError, match=r"shape \(2,\) like `x`, got \(3,\)"):
        ReferenceVerifier(predictor).label_probability(digits()[0][:2], np.zeros(3))
