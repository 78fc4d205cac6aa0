"""The gradients that guidance follows are those of the probabilities that everybody else sees."""

from __future__ import annotations

import numpy as np
import pytest

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import State
from activesynth.domain.ports import DifferentiablePredictor
from activesynth.errors import ConfigurationError, InputError, ShapeError
from activesynth.models.gradients import SCORES
from activesynth.models.predictor import EnsemblePredictor
from digit_sets import ENCODERS, digits, make_trainer, make_training_set


@pytest.fixture(scope="module", params=sorted(ENCODERS))
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def state(kind: str) -> State:
    return make_trainer(kind, members=3, hidden=48).fit(
        make_training_set(slice(0, 100)), None, seed=0
    )


@pytest.fixture(scope="module")
def predictor(kind: str, state: State) -> EnsemblePredictor:
    return make_trainer(kind).load(state)


def unit(x: Array) -> Array:
    return (x / 255.0).astype(np.float32)


def expected(probs: Array, score: str, y: Array) -> Array:
    """Compute a score from the members' probabilities ``(members, n, classes)``."""
    mean = probs.mean(axis=0)
    if score == "cross_entropy":
        return np.asarray(-np.log(mean[np.arange(len(y)), y]))
    if score == "entropy":
        return np.asarray(-(mean * np.log(mean)).sum(axis=1))
    return np.asarray(((probs - mean) ** 2).mean(axis=0).mean(axis=1))


def test_the_ensemble_is_differentiable(predictor: EnsemblePredictor) -> None:
    assert isinstance(predictor, DifferentiablePredictor)


@pytest.mark.parametrize("score", sorted(SCORES))
def test_scores_are_those_of_the_predicted_probabilities(
    predictor: EnsemblePredictor, score: str
) -> None:
    x, y = (part[:70] for part in digits())

    values, gradient = predictor.score_and_gradient(unit(x), score, y)

    np.testing.assert_allclose(
        values, expected(predictor.members_proba(x), score, y), rtol=1e-6, atol=1e-9
    )
    assert values.dtype == np.float64
    assert gradient.shape == x.shape
    assert gradient.dtype == np.float32


@pytest.mark.parametrize("score", sorted(SCORES))
def test_gradients_are_the_finite_differences_of_the_scores(
    kind: str, state: State, score: str
) -> None:
    x, y = (part[:6] for part in digits())
    images = unit(x) * 0.9 + 0.05
    predictor = make_trainer(kind).load(state)
    gradient = predictor.score_and_gradient(images, score, y)[1]
    directions = np.random.default_rng(0).normal(size=(8, *images.shape))

    for member in predictor._members:
        member.double()
    slopes = [central_difference(predictor, images, d, score, y) for d in directions]

    along = (directions * gradient).reshape(8, 6, -1).sum(axis=2)
    np.testing.assert_allclose(along, slopes, rtol=2e-3, atol=1e-5 * np.abs(slopes).max())


def central_difference(
    predictor: EnsemblePredictor, images: Array, direction: Array, score: str, y: Array
) -> Array:
    """Differentiate in float64 by hand, with the networks and the formulas of this file."""
    import torch
    from scipy.special import softmax

    step = 1e-6

    def value(at: Array) -> Array:
        tensor = torch.from_numpy(at.transpose(0, 3, 1, 2).copy())
        with torch.no_grad():
            logits = np.stack([member(tensor).numpy() for member in predictor._members])
        return expected(softmax(logits / predictor._temperature, axis=2), score, y)

    here = images.astype(np.float64)
    return (value(here + step * direction) - value(here - step * direction)) / (2 * step)


@pytest.mark.parametrize("count", [1, 7, 63, 64, 65])
def test_a_gradient_does_not_depend_on_the_other_rows(
    predictor: EnsemblePredictor, count: int
) -> None:
    x = unit(digits()[0][:130])
    rows = np.random.default_rng(1).permutation(130)[:count]

    values, gradient = predictor.score_and_gradient(x, "entropy")
    few_values, few_gradient = predictor.score_and_gradient(x[rows], "entropy")

    np.testing.assert_array_equal(few_values, values[rows])
    np.testing.assert_array_equal(few_gradient, gradient[rows])


def test_no_rows_give_no_gradients(predictor: EnsemblePredictor) -> None:
    values, gradient = predictor.score_and_gradient(unit(digits()[0][:0]), "entropy")

    assert values.shape == (0,)
    assert gradient.shape == (0, 8, 8, 1)


def test_what_cannot_be_differentiated_is_refused(predictor: EnsemblePredictor) -> None:
    x = unit(digits()[0][:3])

    with pytest.raises(ConfigurationError, match="cross_entropy, entropy, variance"):
        predictor.score_and_gradient(x, "margin")
    with pytest.raises(InputError, match="divide uint8 images by 255"):
        predictor.score_and_gradient(digits()[0][:3], "entropy")
    with pytest.raises(InputError, match=r"row 1 holds .* clip"):
        predictor.score_and_gradient(x + np.array([0, 2, 0])[:, None, None, None], "entropy")
    with pytest.raises(ShapeError, match="resize them the same way"):
        predictor.score_and_gradient(np.zeros((1, 16, 16, 1), np.float32), "entropy")
    with pytest.raises(ShapeError, match="one label for each of 3 rows"):
        predictor.score_and_gradient(x, "cross_entropy")
    with pytest.raises(ShapeError, match=r"\[0, 10\)"):
        predictor.score_and_gradient(x, "cross_entropy", np.array([0, 10, 1]))
