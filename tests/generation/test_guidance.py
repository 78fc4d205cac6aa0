"""Guidance raises what it promises to raise, and changes nothing where it is off."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy.stats import bootstrap
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import (
    GenerationRequest,
    Guide,
    State,
    SyntheticBatch,
    TrainingSet,
)
from activesynth.domain.ports import DifferentiablePredictor
from activesynth.errors import InputError, ShapeError
from activesynth.generation.corruption import CorruptionGenerator
from activesynth.generation.diffusion import DiffusionGenerator
from activesynth.generation.guidance import shift_of
from activesynth.generation.latents import Latents
from activesynth.generation.parameters import DiffusionParameters, VaeParameters
from activesynth.generation.sampler import cosine_alphas, denoise
from activesynth.generation.vae import VaeGenerator
from activesynth.uncertainty.scores import predictive_entropy
from digit_sets import make_trainer
from generation_rows import CLUSTERS, blob_data, digit_data, digits, request, sample_set

GENERATOR = DiffusionGenerator(DiffusionParameters())


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    with threadpool_limits(1):
        yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def state() -> State:
    return GENERATOR.fit(digit_data()[0], seed=0)


def ensemble(rows: slice, seed: int) -> DifferentiablePredictor:
    x, y = (part[rows] for part in digits())
    data = TrainingSet(sample_set(x, y), np.ones(len(y)), np.zeros(len(y), bool), None, 10)
    trainer = make_trainer(members=3, hidden=48, steps=150)
    return trainer.load(trainer.fit(data, None, seed=seed))


@pytest.fixture(scope="module")
def model() -> DifferentiablePredictor:
    return ensemble(slice(0, 300), seed=0)


@pytest.fixture(scope="module")
def judge() -> DifferentiablePredictor:
    """Return an ensemble that shares neither rows nor seed with the one that guides."""
    return ensemble(slice(900, 1200), seed=7)


def towards(model: DifferentiablePredictor, scale: float, score: str = "entropy") -> Guide:
    return Guide(lambda x: model.score_and_gradient(x, score)[1], scale)


def wanted(count: int, guide: Guide | None = None, first_seed: int = 0) -> GenerationRequest:
    made = request(np.arange(count) % 10, first_seed=first_seed)
    return dataclasses.replace(made, guide=guide)


def assert_equal(one: SyntheticBatch, other: SyntheticBatch) -> None:
    for name in ("x", "y", "confidence"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_scale_zero_is_no_guidance_bit_for_bit(
    state: State, model: DifferentiablePredictor
) -> None:
    plain = GENERATOR.generate(state, wanted(40))

    unguided = GENERATOR.generate(state, wanted(40, towards(model, 0.0)))
    guided = GENERATOR.generate(state, wanted(40, towards(model, 1.0)))

    assert_equal(unguided, plain)
    assert (guided.x != plain.x).any()


@pytest.mark.parametrize("score", ["entropy", "variance"])
def test_a_larger_scale_gives_more_entropy_by_an_ensemble_that_did_not_guide(
    state: State, model: DifferentiablePredictor, judge: DifferentiablePredictor, score: str
) -> None:
    def entropy(scale: float) -> float:
        batches = [
            GENERATOR.generate(state, wanted(60, towards(model, scale, score), 1000 * seed))
            for seed in range(5)
        ]
        return float(
            np.mean([predictive_entropy(judge.predict_proba(b.x)[None]).mean() for b in batches])
        )

    # Measured with 100 rows a seed: 0.32, 0.43, 0.59 and 0.92 nats by entropy; 0.32, 0.40, 0.50 and
    # 0.70 by variance.
    means = [entropy(scale) for scale in (0.0, 0.5, 1.0, 2.0)]

    assert (np.diff(means) > 0.02).all(), means
    assert means[-1] > 1.5 * means[0], means


def test_half_a_standard_deviation_of_guidance_keeps_the_label(
    state: State, model: DifferentiablePredictor
) -> None:
    x, y = (part[900:] for part in digits())
    reader = LogisticRegression(max_iter=2000, C=1e-4).fit(x.reshape(len(x), -1) * 1.0, y)
    batch = GENERATOR.generate(state, wanted(200, towards(model, 0.5)))

    right = reader.predict(batch.x.reshape(200, -1) * 1.0) == batch.y

    assert right.mean() > 0.9


@pytest.mark.parametrize("size", [1, 7, 64])
def test_a_guided_sample_is_the_same_bits_in_batches_of_any_size(
    state: State, model: DifferentiablePredictor, size: int
) -> None:
    whole = wanted(64, towards(model, 1.0))
    together = GENERATOR.generate(state, whole)
    order = np.random.default_rng(size).permutation(64)[: min(64, 3 * size)]

    for start in range(0, len(order), size):
        rows = order[start : start + size]
        part = dataclasses.replace(
            whole,
            labels=whole.labels[rows],
            clusters=whole.clusters[rows],
            levels=whole.levels[rows],
            seeds=whole.seeds[rows],
        )

        apart = GENERATOR.generate(state, part)

        np.testing.assert_array_equal(apart.x, together.x[rows])
        np.testing.assert_array_equal(apart.confidence, together.confidence[rows])


def lower_bound(differences: Array) -> float:
    interval = bootstrap(
        (differences,), np.mean, n_resamples=1000, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    return float(interval.low)


def test_conditioned_samples_land_in_their_class_more_often_than_free_ones(state: State) -> None:
    x, y = (part[900:] for part in digits())
    reader = LogisticRegression(max_iter=2000, C=1e-4).fit(x.reshape(len(x), -1) * 1.0, y)
    labels = np.arange(120) % 10

    def landed(asked: Array) -> Array:
        made = GENERATOR.generate(state, request(asked)).x
        return np.asarray(reader.predict(made.reshape(120, -1) * 1.0) == labels, float)

    assert lower_bound(landed(labels) - landed(np.full(120, -1))) > 0.5


def test_conditioned_samples_land_in_their_cluster_more_often_than_free_ones(state: State) -> None:
    codebook = digit_data()[1]
    clusters, free = np.arange(120) % CLUSTERS, np.full(120, -1)

    def landed(asked: Array) -> Array:
        made = GENERATOR.generate(state, request(free, asked)).x
        return np.asarray(codebook.predict(made.reshape(120, -1) * 1.0) == clusters, float)

    assert lower_bound(landed(clusters) - landed(free)) > 0.3


@pytest.mark.parametrize("kind", ["uint8", "float32"])
def test_the_shift_is_the_scaled_gradient_of_the_score_by_the_components(kind: str) -> None:
    x = digits()[0][:200] if kind == "uint8" else digits()[0][:200].astype(np.float32) - 100.0
    latents = Latents.fit(x, np.ones(200), 12, 1.0, seed=0)
    points = np.random.default_rng(0).normal(size=(5, 12)).astype(np.float32)
    weight = np.random.default_rng(1).normal(size=(8, 8, 1))
    unit = 255.0 if kind == "uint8" else 1.0

    def score(at: Array) -> Array:
        flat = (at * latents.scale) @ latents.basis * latents.unit + latents.mean
        inputs = np.clip(flat / 255.0, 0, 1) if kind == "uint8" else flat
        return np.asarray(np.sin(inputs.reshape(-1, 8, 8, 1) * weight).sum(axis=(1, 2, 3)))

    shift = shift_of(Guide(lambda rows: weight * np.cos(rows * weight) / unit, 3.0), latents)

    step = 1e-6 * np.eye(12)
    here = points.astype(np.float64)
    slopes = np.stack([(score(here + e) - score(here - e)) / 2e-6 for e in step], axis=1)
    expected = 3.0 * slopes / np.linalg.norm(slopes, axis=1, keepdims=True)
    assert shift is not None
    np.testing.assert_allclose(shift(torch.from_numpy(points)).numpy(), expected, atol=2e-3)


def test_a_row_without_a_gradient_stays_where_it_is() -> None:
    latents = Latents.fit(digits()[0][:50], np.ones(50), 5, 1.0, seed=0)

    shift = shift_of(Guide(np.zeros_like, 2.0), latents)

    assert shift is not None
    assert not shift(torch.ones(3, 5)).any()


def test_each_estimate_moves_by_its_noise_times_the_shift() -> None:
    noise = torch.from_numpy(np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32))
    alphas = cosine_alphas()
    seen: list[float] = []

    def towards_two(noisy: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        seen.append(float(times[0]))
        level = float(alphas[int(times[0])])
        v: torch.Tensor = (level**0.5 * noisy - 2.0) / (1.0 - level) ** 0.5
        return v

    estimates: list[torch.Tensor] = []

    def shift(estimate: torch.Tensor) -> torch.Tensor:
        estimates.append(estimate)
        return torch.tensor([1.0, 0.0, -1.0]).expand(4, 3)

    drawn = denoise(towards_two, noise, steps=6, shift=shift)

    last = (1.0 - alphas[int(seen[-1])]) ** 0.5
    for estimate in estimates:
        np.testing.assert_allclose(estimate.numpy(), 2.0, atol=1e-3)
    np.testing.assert_allclose(drawn.numpy(), 2.0 + last * np.tile([1, 0, -1], (4, 1)), atol=1e-3)


def test_a_table_can_be_guided_too() -> None:
    generator = DiffusionGenerator(DiffusionParameters(steps=300, batch=64))
    state = generator.fit(blob_data(), seed=0)
    up = np.array([0.0, 1.0, 0.0], np.float32)
    plain = generator.generate(state, request([0] * 40))
    guide = Guide(lambda rows: np.broadcast_to(up, rows.shape), 1.0)

    guided = generator.generate(state, dataclasses.replace(request([0] * 40), guide=guide))

    assert (guided.x[:, 1] - plain.x[:, 1]).mean() > 5.0


def test_a_generator_that_cannot_be_guided_says_so(state: State) -> None:
    generator = VaeGenerator(VaeParameters(steps=2))
    fitted = generator.fit(digit_data()[0], seed=0)

    with pytest.raises(InputError, match="'vae' cannot be guided") as caught:
        generator.generate(fitted, wanted(3, Guide(np.ones_like, 0.5)))
    assert caught.value.reason == "cannot_guide"
    assert_equal(
        generator.generate(fitted, wanted(3, Guide(np.ones_like, 0.0))),
        generator.generate(fitted, wanted(3)),
    )


def test_corruption_transforms_and_is_not_guided() -> None:
    anchors = digit_data()[0].samples.take(np.arange(6))
    plain = dataclasses.replace(
        wanted(6),
        anchors=anchors,
        perturbations=np.full(6, "noise"),
        severities=np.full(6, 0.5),
    )
    guided = dataclasses.replace(plain, guide=Guide(np.ones_like, 1.0))

    made = [CorruptionGenerator().generate(State({}), asked) for asked in (plain, guided)]

    assert_equal(*made)


@pytest.mark.parametrize("scale", [-0.1, float("nan"), float("inf")])
def test_a_scale_that_is_no_scale_is_refused(scale: float) -> None:
    with pytest.raises(InputError, match=r"guide\.scale` is .*at least 0"):
        Guide(np.ones_like, scale)


def test_a_gradient_that_cannot_be_followed_is_refused(state: State) -> None:
    with pytest.raises(InputError, match="NaN or an infinity"):
        GENERATOR.generate(state, wanted(3, Guide(lambda x: np.full_like(x, np.nan), 1.0)))
    with pytest.raises(ShapeError, match=r"array like its argument, \(128, 8, 8, 1\)"):
        GENERATOR.generate(state, wanted(3, Guide(lambda x: x[:, 0], 1.0)))


def from_anchors(strength: float | None, rows: Array) -> GenerationRequest:
    real = digit_data()[0].samples.take(rows)
    made = request(real.y, first_seed=0)
    return dataclasses.replace(made, seeds=rows.astype(np.uint64), anchors=real, strength=strength)


def test_a_larger_strength_leaves_less_of_the_anchor(state: State) -> None:
    rows = np.arange(0, 296, 3)
    anchors = digit_data()[0].samples.x[rows].astype(float)

    gaps = [
        float(np.abs(GENERATOR.generate(state, from_anchors(s, rows)).x - anchors).mean())
        for s in (0.1, 0.4, 0.7, 1.0)
    ]
    invented = np.abs(GENERATOR.generate(state, from_anchors(None, rows)).x - anchors).mean()

    assert (np.diff(gaps) > 1.0).all(), gaps
    assert gaps[0] < 0.5 * invented
    np.testing.assert_allclose(gaps[-1], invented, rtol=0.1)


def test_a_sample_from_an_anchor_does_not_depend_on_its_batch(state: State) -> None:
    rows = np.arange(0, 140)
    together = GENERATOR.generate(state, from_anchors(0.5, rows))

    for chosen in (rows[133:], rows[[70]]):
        apart = GENERATOR.generate(state, from_anchors(0.5, chosen))

        np.testing.assert_array_equal(apart.x, together.x[chosen])


def test_anchors_without_a_strength_are_not_looked_at(state: State) -> None:
    rows = np.arange(20)
    asked = from_anchors(None, rows)

    assert_equal(
        GENERATOR.generate(state, asked),
        GENERATOR.generate(state, dataclasses.replace(asked, anchors=None)),
    )


def test_a_start_that_cannot_be_made_is_refused(state: State) -> None:
    asked = from_anchors(0.5, np.arange(4))

    for strength in (0.0, 1.5):
        with pytest.raises(InputError, match="above 0 and at most 1"):
            GENERATOR.generate(state, dataclasses.replace(asked, strength=strength))
    with pytest.raises(InputError, match="one anchor for each of 4 samples"):
        GENERATOR.generate(state, dataclasses.replace(asked, anchors=None))
    vae = VaeGenerator(VaeParameters(steps=2))
    fitted = vae.fit(digit_data()[0], seed=0)
    with pytest.raises(InputError, match="'vae' cannot start from anchors"):
        vae.generate(fitted, asked)
