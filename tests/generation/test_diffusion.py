"""The latent diffusion: it makes what was asked for, and does not copy what it saw."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import pairwise_distances
from threadpoolctl import threadpool_limits

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import State
from activesynth.errors import InputError, ShapeError
from activesynth.generation.blocks import in_blocks
from activesynth.generation.diffusion import DiffusionGenerator, LatentDiffusion
from activesynth.generation.parameters import DiffusionParameters, VaeParameters
from activesynth.generation.sampler import TIMES, denoise
from activesynth.generation.scoring import seeded_noise
from activesynth.generation.vae import VaeGenerator
from generation_rows import CLUSTERS, blob_data, digit_data, digits, request, sample_set

PLAIN = DiffusionGenerator(DiffusionParameters(guidance=1.0))
GUIDED = DiffusionGenerator(DiffusionParameters())
BRIEF = DiffusionGenerator(DiffusionParameters(steps=600, batch=64))


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def state() -> State:
    return GUIDED.fit(digit_data()[0], seed=0)


@pytest.fixture(scope="module")
def blobs() -> State:
    return BRIEF.fit(blob_data(), seed=0)


def flat(x: Array) -> Array:
    return x.reshape(len(x), -1).astype(float)


def test_samples_have_the_label_asked_for(state: State) -> None:
    x, y = (part[900:] for part in digits())
    judge = LogisticRegression(max_iter=2000, C=1e-4).fit(flat(x), y)
    batch = GUIDED.generate(state, request(np.repeat(np.arange(10), 20)))

    right = int((judge.predict(flat(batch.x)) == batch.y).sum())

    assert binomtest(right, 200).proportion_ci(0.95, "wilson").low > 0.85


def test_samples_fall_into_the_cluster_asked_for(state: State) -> None:
    data, codebook = digit_data()
    clusters = np.repeat(np.arange(CLUSTERS), 15)
    batch = GUIDED.generate(state, request(np.full(180, -1), clusters))

    landed = int((codebook.predict(flat(batch.x)) == clusters).sum())

    largest_share = np.bincount(data.clusters).max() / len(data.clusters)
    assert binomtest(landed, 180).proportion_ci(0.95, "wilson").low > 2 * largest_share


def test_samples_are_no_copies_and_no_strangers(state: State) -> None:
    real = flat(digit_data()[0].samples.x)
    among_real = pairwise_distances(real)
    np.fill_diagonal(among_real, np.inf)
    batch = GUIDED.generate(state, request(np.repeat(np.arange(10), 20)))

    nearest = pairwise_distances(flat(batch.x), real).min(axis=1)

    typical = float(np.median(among_real.min(axis=1)))
    assert 0.7 * typical < np.median(nearest) < 1.4 * typical
    assert (nearest < 0.1 * typical).mean() < 0.02


def test_guidance_one_is_plain_conditional_sampling_bit_for_bit(state: State) -> None:
    fitted = PLAIN._load(state)
    assert isinstance(fitted.model, LatentDiffusion)
    denoiser = fitted.model.denoiser
    wanted = request(np.arange(10), np.arange(10), np.arange(10) % 3)
    tokens = fitted.conditions.tokens(wanted.labels, wanted.clusters, wanted.levels)

    def plain(noise: Array, tokens: Array) -> Array:
        asked = torch.from_numpy(tokens)
        with torch.no_grad():
            latents = denoise(
                lambda noisy, times: denoiser(noisy, times / TIMES, asked),
                torch.from_numpy(noise),
                steps=12,
            )
        return fitted.latents.restore(latents.numpy())

    expected = in_blocks(plain, seeded_noise(wanted.seeds, (fitted.latents.size,)), tokens)

    np.testing.assert_array_equal(PLAIN.generate(state, wanted).x, expected)
    assert (GUIDED.generate(state, wanted).x != expected).any()


def test_the_level_asked_for_moves_the_sample(blobs: State) -> None:
    free = np.full(90, -1)
    levels = np.repeat([0, 1, 2], 30)
    batch = BRIEF.generate(blobs, request(free, free, levels, first_seed=0))

    means = [batch.x[levels == level, 2].mean() for level in range(3)]

    np.testing.assert_allclose(means, [0.0, 0.01, 0.02], atol=0.004)


def test_a_table_keeps_the_scale_of_each_column(blobs: State) -> None:
    # Guidance above 1 pushes columns beyond the values that the condition stands for.
    batch = PLAIN.generate(blobs, request([0] * 60 + [1] * 60, [2] * 120, first_seed=0))

    assert batch.x.dtype == np.float32
    assert batch.x.shape == (120, 3)
    np.testing.assert_allclose(batch.x[:60, 0].mean(), 0.0, atol=0.2)
    np.testing.assert_allclose(batch.x[60:, 0].mean(), 1.0, atol=0.2)
    np.testing.assert_allclose(batch.x[:, 1].mean(), 200.0, atol=20.0)


def test_a_free_label_is_drawn_from_the_cluster_asked_for() -> None:
    data = blob_data()
    tied = dataclasses.replace(data, clusters=data.samples.y)
    state = DiffusionGenerator(DiffusionParameters(steps=2)).fit(tied, seed=0)

    batch = BRIEF.generate(state, request(np.full(40, -1), np.repeat([0, 1], 20)))

    np.testing.assert_array_equal(batch.y, np.repeat([0, 1], 20))


def test_a_label_nobody_showed_becomes_one_that_was(blobs: State) -> None:
    data = dataclasses.replace(blob_data(), classes=5)
    state = DiffusionGenerator(DiffusionParameters(steps=2)).fit(data, seed=0)

    batch = BRIEF.generate(state, request([4] * 30))

    assert set(batch.y.tolist()) == {0, 1}


def test_rows_without_a_label_teach_too() -> None:
    data = blob_data()
    hidden = data.samples.y.copy()
    hidden[::2] = -1
    state = BRIEF.fit(dataclasses.replace(data, samples=data.samples.with_labels(hidden)), seed=0)

    batch = BRIEF.generate(state, request([0] * 50 + [1] * 50))

    assert batch.x[50:, 0].mean() - batch.x[:50, 0].mean() > 0.8


def test_confidence_falls_from_seen_rows_to_noise_and_to_wrong_labels(state: State) -> None:
    data = digit_data()[0]
    x, y = (part[900:1100] for part in digits())
    noise = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1)).astype(np.uint8)

    seen = np.median(GUIDED.confidence(state, data.samples.x, data.samples.y))
    unseen = GUIDED.confidence(state, x, y)
    wrong = GUIDED.confidence(state, x, (y + 1) % 10)
    nothing = GUIDED.confidence(state, noise, np.zeros(50, np.int64))

    assert seen == pytest.approx(0.5, abs=0.01)
    assert seen > np.median(unseen) > np.median(nothing)
    assert (unseen > wrong).mean() > 0.6
    assert nothing.max() < np.quantile(unseen, 0.1)


def test_a_broken_fit_never_returns_a_sample(blobs: State) -> None:
    tensors = dict(blobs.tensors)
    name = next(name for name in tensors if name.endswith("leave.bias"))
    tensors[name] = np.full_like(tensors[name], np.nan)

    with pytest.raises(InputError, match="3 of 3 generated rows are NaN") as caught:
        BRIEF.generate(State(tensors, blobs.facts), request([0, 1, 0]))

    assert caught.value.reason == "generated_not_finite"


def test_rows_too_large_for_their_type_are_never_returned() -> None:
    x = np.where(blob_data().samples.x > [0.5, 50.0, 0.005], 3.3e38, -3.3e38).astype(np.float32)
    data = dataclasses.replace(blob_data(), samples=sample_set(x, blob_data().samples.y))
    state = BRIEF.fit(data, seed=0)

    with pytest.raises(InputError, match="generated rows are NaN or infinite"):
        BRIEF.generate(state, request([0] * 64))


def test_a_state_of_another_part_is_refused(blobs: State) -> None:
    with pytest.raises(InputError, match="fitted by 'diffusion', not by 'vae'"):
        VaeGenerator(VaeParameters()).generate(blobs, request([0]))


def test_rows_unlike_the_data_are_refused(blobs: State) -> None:
    with pytest.raises(ShapeError, match=r"\(3,\) and dtype float32"):
        BRIEF.confidence(blobs, np.zeros((2, 4), np.float32), np.zeros(2, np.int64))
    with pytest.raises(InputError, match="NaN"):
        BRIEF.confidence(blobs, np.full((2, 3), np.nan, np.float32), np.zeros(2, np.int64))


def test_the_state_knows_its_own_architecture(blobs: State) -> None:
    other = DiffusionGenerator(DiffusionParameters(width=128, blocks=4))

    np.testing.assert_array_equal(
        other.generate(blobs, request([0, 1])).x, BRIEF.generate(blobs, request([0, 1])).x
    )
