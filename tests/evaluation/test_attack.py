"""PGD against the optimum of a linear model and against Foolbox."""

from __future__ import annotations

import eagerpy
import foolbox
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from activesynth.domain.canonical import Array
from activesynth.domain.ports import DifferentiablePredictor
from activesynth.errors import InputError, ShapeError
from activesynth.evaluation.attack import (
    EPSILON,
    STEP,
    STEPS,
    attacked_accuracy,
    attacked_images,
    pgd,
    random_start,
)

SIDE, CLASSES = 8, 3


class TorchPredictor:
    """One torch model over NCHW floats, seen as the port wants it."""

    def __init__(self, model: nn.Module) -> None:
        self.model = model.eval()

    def logits(self, x: Array) -> Tensor:
        logits: Tensor = self.model(torch.from_numpy(x).permute(0, 3, 1, 2))
        return logits

    def predict_proba(self, x: Array) -> Array:
        with torch.inference_mode():
            logits = self.logits(x.astype(np.float32) / np.float32(255.0))
            probs: Array = logits.double().softmax(1).numpy()
        return probs

    def draws(self, x: Array, *, passes: int, seed: int) -> Array:
        return np.repeat(self.predict_proba(x)[None], passes, axis=0)

    def score_and_gradient(
        self, x: Array, score: str, y: Array | None = None
    ) -> tuple[Array, Array]:
        assert score == "cross_entropy"
        assert y is not None
        leaf = torch.from_numpy(x.transpose(0, 3, 1, 2).copy()).requires_grad_()
        loss = nn.functional.cross_entropy(self.model(leaf), torch.from_numpy(y), reduction="none")
        (gradient,) = torch.autograd.grad(loss.sum(), leaf)
        return loss.detach().double().numpy(), gradient.permute(0, 2, 3, 1).contiguous().numpy()


def make_linear(seed: int = 0) -> TorchPredictor:
    torch.manual_seed(seed)
    return TorchPredictor(nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 2)))


def make_network(seed: int = 0, channels: int = 3) -> TorchPredictor:
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(channels, 6, 3), nn.Tanh(), nn.Flatten(), nn.Linear(6 * 36, CLASSES)
    )
    return TorchPredictor(model)


def make_images(rows: int, channels: int, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (rows, SIDE, SIDE, channels), dtype=np.uint8)


def as_floats(x: Array) -> Array:
    return x.astype(np.float32) / np.float32(255.0)


class FromOurStart(foolbox.attacks.LinfPGD):  # type: ignore[misc]
    """Foolbox's attack, begun where ours begins."""

    def __init__(self, start: Array) -> None:
        super().__init__(abs_stepsize=STEP, steps=STEPS, random_start=True)
        self.start = torch.from_numpy(start.transpose(0, 3, 1, 2).copy())

    def get_random_start(self, x0: eagerpy.Tensor, epsilon: float) -> eagerpy.Tensor:
        return eagerpy.astensor(self.start)


def test_the_tiny_model_satisfies_the_port() -> None:
    assert isinstance(make_linear(), DifferentiablePredictor)


def test_against_a_linear_model_the_attack_finds_the_optimum_in_closed_form() -> None:
    predictor = make_linear()
    x, y = as_floats(make_images(20, 1)), np.arange(20) % 2
    weight = next(predictor.model.parameters()).detach().numpy()
    towards = np.sign(weight[1 - y] - weight[y]).reshape(x.shape)

    found = pgd(predictor, x, y, seed=3)

    # The loss grows along the difference of the two rows of weights, so a corner is worst.
    np.testing.assert_allclose(found, np.clip(x + EPSILON * towards, 0, 1), atol=1e-6)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_from_the_same_start_foolbox_finds_the_same_images(seed: int) -> None:
    predictor = make_network(seed)
    x, y = as_floats(make_images(12, 3, seed)), np.arange(12) % CLASSES
    theirs = FromOurStart(random_start(x, epsilon=EPSILON, seed=seed))
    model = foolbox.PyTorchModel(predictor.model, bounds=(0, 1), device="cpu")
    clean = torch.from_numpy(x.transpose(0, 3, 1, 2).copy())

    expected = theirs.run(model, clean, torch.from_numpy(y), epsilon=EPSILON)
    found = pgd(predictor, x, y, seed=seed)

    np.testing.assert_allclose(found.transpose(0, 3, 1, 2), expected.numpy(), atol=2e-6)
    assert np.abs(found - x).max() > 0.9 * EPSILON


@given(epsilon=st.floats(0.0, 0.3), step=st.floats(0.001, 0.5), seed=st.integers(0, 2**32))
@settings(max_examples=25)
def test_the_attack_stays_in_the_ball_and_in_the_range(
    epsilon: float, step: float, seed: int
) -> None:
    x, y = as_floats(make_images(4, 3, seed)), np.arange(4) % CLASSES

    found = pgd(make_network(), x, y, seed=seed, epsilon=epsilon, step=step, steps=3)

    assert found.dtype == np.float32
    assert np.abs(found - x).max() <= epsilon + 1e-6
    assert found.min() >= 0.0
    assert found.max() <= 1.0


def test_a_row_is_attacked_the_same_whatever_else_is_in_the_batch() -> None:
    x, y = as_floats(make_images(6, 3)), np.arange(6) % CLASSES
    whole = pgd(make_network(), x, y, seed=5)

    np.testing.assert_allclose(pgd(make_network(), x[:4], y[:4], seed=5), whole[:4], atol=1e-6)
    assert not np.array_equal(pgd(make_network(), x, y, seed=6), whole)


def test_starts_are_uniform_in_the_ball() -> None:
    x = np.full((40, SIDE, SIDE, 1), 0.5, np.float32)
    start = random_start(x, epsilon=0.1, seed=0) - x

    assert start.std() == pytest.approx(0.1 / np.sqrt(3), rel=0.03)
    assert np.abs(start).max() <= 0.1 + 1e-6
    assert len(np.unique(start.reshape(40, -1), axis=0)) == 40


@pytest.mark.parametrize("epsilon", [EPSILON, 2.5 / 255])
def test_attacked_images_are_8_bit_and_never_leave_the_ball(epsilon: float) -> None:
    x, y = make_images(10, 3), np.arange(10) % CLASSES

    found = attacked_images(make_network(), x, y, seed=1, epsilon=epsilon)

    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - x).max() == int(epsilon * 255 + 1e-6)


def test_accuracy_falls_under_attack_and_is_the_clean_one_without_reach() -> None:
    predictor, x = make_network(), make_images(60, 3)
    y = predictor.predict_proba(x).argmax(axis=1)
    groups = np.arange(60)

    clean = attacked_accuracy(predictor, x, y, groups, seed=0, resamples=200, epsilon=0.0)
    attacked = attacked_accuracy(predictor, x, y, groups, seed=0, resamples=200)
    harder = attacked_accuracy(predictor, x, y, groups, seed=0, resamples=200, epsilon=32 / 255)

    assert (clean.value, clean.n) == (1.0, 60)
    assert attacked.value < 0.8
    assert harder.value < attacked.value
    assert attacked.low < attacked.value < attacked.high


def test_what_cannot_be_attacked_is_refused_with_the_way_out() -> None:
    predictor, x, y = make_network(), make_images(2, 3), np.array([0, 1])
    with pytest.raises(InputError, match="divide 8-bit pixels by 255"):
        pgd(predictor, x, y, seed=0)
    with pytest.raises(InputError, match="divide 8-bit pixels by 255"):
        pgd(predictor, np.full(x.shape, np.nan), y, seed=0)
    with pytest.raises(InputError, match=r"epsilon in \[0, 1\]"):
        pgd(predictor, as_floats(x), y, seed=0, epsilon=8.0)
    with pytest.raises(ShapeError, match="one label per row"):
        pgd(predictor, as_floats(x), y[:1], seed=0)
    with pytest.raises(ShapeError, match="use `pgd` for floats"):
        attacked_images(predictor, as_floats(x), y, seed=0)
