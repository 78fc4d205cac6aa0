"""Autoguidance leads away from the model's own early weights, and costs nothing where it is off."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits

from activesynth.bootstrap import catalog
from activesynth.domain.canonical import Array
from activesynth.domain.exchange import State
from activesynth.errors import ConfigurationError, InputError
from activesynth.generation.blocks import in_blocks
from activesynth.generation.diffusion import DiffusionGenerator, LatentDiffusion
from activesynth.generation.parameters import DiffusionParameters
from activesynth.generation.sampler import TIMES, denoise
from activesynth.generation.scoring import seeded_noise
from generation_rows import digit_data, request


def generator(**changes: float) -> DiffusionGenerator:
    return DiffusionGenerator(
        DiffusionParameters(steps=100, guidance=1.0).model_copy(update=changes)
    )


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def plain() -> State:
    return generator().fit(digit_data()[0], seed=0)


@pytest.fixture(scope="module")
def with_weak() -> State:
    return generator(weak_share=0.2).fit(digit_data()[0], seed=0)


def test_weak_weights_are_kept_beside_the_same_strong_ones(plain: State, with_weak: State) -> None:
    kept = {name for name in with_weak.tensors if name.startswith("model.weak.")}

    strong = {name.replace("weak", "denoiser") for name in kept}
    assert with_weak.tensors.keys() - kept == plain.tensors.keys()
    assert strong == {name for name in plain.tensors if name.startswith("model.")}
    for name, value in plain.tensors.items():
        np.testing.assert_array_equal(with_weak.tensors[name], value)


def weights(state: State, part: str) -> list[Array]:
    return [state.tensors[name] for name in sorted(state.tensors) if name.startswith(part)]


def test_weights_kept_later_are_nearer_to_the_last_ones(with_weak: State) -> None:
    later = generator(weak_share=0.9).fit(digit_data()[0], seed=0)

    gaps = [
        sum(
            float(np.abs(weak - strong).sum())
            for weak, strong in zip(
                weights(state, "model.weak."), weights(state, "model.denoiser."), strict=True
            )
        )
        for state in (with_weak, later)
    ]

    assert gaps[0] > 2 * gaps[1] > 0


def test_states_without_autoguidance_are_described_as_before(plain: State) -> None:
    assert not {"weak_share", "autoguidance"} & plain.facts["parameters"].keys()


def test_it_adds_the_way_from_the_weak_to_the_strong_prediction(with_weak: State) -> None:
    guided = generator(weak_share=0.2, autoguidance=2.5)
    fitted = guided._load(with_weak)
    model = fitted.model
    assert isinstance(model, LatentDiffusion)
    wanted = request(np.arange(10), np.arange(10))
    tokens = fitted.conditions.tokens(wanted.labels, wanted.clusters, wanted.levels)

    def by_hand(noise: Array, tokens: Array) -> Array:
        asked = torch.from_numpy(tokens)

        def v(noisy: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
            assert model.weak is not None
            weak = model.weak(noisy, times / TIMES, asked)
            led: torch.Tensor = weak + 2.5 * (model.denoiser(noisy, times / TIMES, asked) - weak)
            return led

        with torch.no_grad():
            return fitted.latents.unclipped(denoise(v, torch.from_numpy(noise), steps=12).numpy())

    expected = in_blocks(by_hand, seeded_noise(wanted.seeds, (fitted.latents.size,)), tokens)

    made = guided.generate(with_weak, wanted).x.reshape(10, -1)
    np.testing.assert_allclose(made, np.clip(expected, 0, 255), atol=0.6)
    assert (generator(weak_share=0.2).generate(with_weak, wanted).x.reshape(10, -1) != made).any()


def test_one_means_off_bit_for_bit(plain: State, with_weak: State) -> None:
    wanted = request(np.arange(10))

    made = generator(weak_share=0.2, autoguidance=1.0).generate(with_weak, wanted)

    np.testing.assert_array_equal(made.x, generator().generate(plain, wanted).x)
    # The state knows that it has weak weights, whatever the parameters say.
    np.testing.assert_array_equal(made.x, generator().generate(with_weak, wanted).x)


def test_without_weak_weights_it_is_refused(plain: State) -> None:
    with pytest.raises(InputError, match="fitted without `weak_share`"):
        generator(weak_share=0.2, autoguidance=2.0).generate(plain, request([0]))
    with pytest.raises(ConfigurationError, match="set weak_share"):
        catalog().create("generator", "diffusion", {"autoguidance": 2.0})
