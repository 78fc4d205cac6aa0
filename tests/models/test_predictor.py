from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.special import softmax

from activesynth.domain.canonical import derive_seed
from activesynth.domain.exchange import State
from activesynth.domain.ports import Predictor
from activesynth.errors import CorruptArtifactError, ShapeError
from activesynth.models.predictor import EnsemblePredictor
from activesynth.nn.images import to_pixels, to_unit
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


def test_the_ensemble_is_a_predictor(predictor: EnsemblePredictor) -> None:
    assert isinstance(predictor, Predictor)


def test_probabilities_are_probabilities(predictor: EnsemblePredictor) -> None:
    probs = predictor.predict_proba(digits()[0][:90])

    assert probs.shape == (90, 10)
    assert probs.dtype == np.float64
    assert (probs >= 0).all()
    np.testing.assert_allclose(probs.sum(axis=1), 1.0, rtol=1e-12)


def test_the_mean_is_over_members_scaled_by_the_fitted_temperature(
    state: State, predictor: EnsemblePredictor
) -> None:
    x = digits()[0][:30]

    probs = predictor.predict_proba(x)

    scaled = softmax(predictor.logits(x).astype(np.float64) / state.facts["temperature"], axis=2)
    np.testing.assert_allclose(probs, scaled.mean(axis=0), rtol=1e-12)


def test_draws_equal_whole_passes_of_each_member_under_the_same_masks(
    kind: str, state: State, predictor: EnsemblePredictor
) -> None:
    x = digits()[0][:20]

    draws = predictor.draws(x, passes=4, seed=9)

    images = to_unit(to_pixels(x))
    naive = []
    for number in range(3):
        network = (
            make_trainer(kind)
            .architecture.read(state.facts)
            .load_member(state.tensors, f"member{number:02d}.", torch.device("cpu"))
        )
        generator = torch.Generator().manual_seed(derive_seed("draws", 9, number))
        for mask in network.head.masks(4, generator):
            with torch.no_grad():
                logits = network(images, mask.expand(20, -1)).double().numpy()
            naive.append(softmax(logits / state.facts["temperature"], axis=1))
    np.testing.assert_allclose(draws, np.stack(naive), atol=1e-6)


def test_draws_vary_between_passes_and_seeds_and_repeat_exactly(
    predictor: EnsemblePredictor,
) -> None:
    x = digits()[0][:20]

    draws = predictor.draws(x, passes=5, seed=1)

    assert draws.shape == (15, 20, 10)
    np.testing.assert_allclose(draws.sum(axis=2), 1.0, rtol=1e-12)
    assert len({draw.tobytes() for draw in draws}) == 15
    assert np.array_equal(draws, predictor.draws(x, passes=5, seed=1))
    assert not np.array_equal(draws, predictor.draws(x, passes=5, seed=2))


def test_draws_of_one_member_scatter_around_its_own_prediction(
    predictor: EnsemblePredictor,
) -> None:
    x = digits()[0][:40]

    draws = predictor.draws(x, passes=400, seed=0)

    alone = predictor.members_proba(x)
    for number in range(3):
        mean = draws[number * 400 : (number + 1) * 400].mean(axis=0)
        distances = [abs(mean - other).mean() for other in alone]
        assert int(np.argmin(distances)) == number


@pytest.mark.parametrize("count", [1, 7, 63, 64, 65, 130])
def test_a_row_does_not_depend_on_how_many_are_asked_about(
    predictor: EnsemblePredictor, count: int
) -> None:
    x = digits()[0][:200]

    probs, draws = predictor.predict_proba(x), predictor.draws(x, passes=3, seed=0)

    assert np.array_equal(predictor.predict_proba(x[:count]), probs[:count])
    assert np.array_equal(predictor.draws(x[:count], passes=3, seed=0), draws[:, :count])


def test_no_rows_give_no_predictions(predictor: EnsemblePredictor) -> None:
    x = digits()[0][:0]

    assert predictor.predict_proba(x).shape == (0, 10)
    assert predictor.draws(x, passes=2, seed=0).shape == (6, 0, 10)


def test_images_of_another_size_are_refused(predictor: EnsemblePredictor) -> None:
    with pytest.raises(ShapeError, match="resize them the same way"):
        predictor.predict_proba(np.zeros((1, 16, 16, 1), np.uint8))


def test_a_state_without_its_weights_is_refused(kind: str, state: State) -> None:
    tensors = {name: value for name, value in state.tensors.items() if "member02" not in name}

    with pytest.raises(CorruptArtifactError, match=r"'member02.' do not fit the network"):
        make_trainer(kind).load(State(tensors, state.facts))
