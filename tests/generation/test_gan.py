"""The GAN serves the same requests as the diffusion, and its three losses stay apart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import torch
from scipy.spatial.distance import pdist
from scipy.stats import binomtest
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import State
from activesynth.generation.gan import GanGenerator, LatentGan, _fixed, _run
from activesynth.generation.parameters import GanParameters
from generation_rows import CLUSTERS, digit_data, digits, request

GENERATOR = GanGenerator(GanParameters())


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


def flat(x: Array) -> Array:
    return x.reshape(len(x), -1).astype(float)


def test_samples_have_label_and_cluster_asked_for(state: State) -> None:
    data, codebook = digit_data()
    x, y = (part[900:] for part in digits())
    judge = LogisticRegression(max_iter=2000, C=1e-4).fit(flat(x), y)
    clusters = np.repeat(np.arange(CLUSTERS), 15)

    labelled = GENERATOR.generate(state, request(np.repeat(np.arange(10), 20)))
    placed = GENERATOR.generate(state, request(np.full(180, -1), clusters))

    right = int((judge.predict(flat(labelled.x)) == labelled.y).sum())
    landed = int((codebook.predict(flat(placed.x)) == clusters).sum())
    largest_share = np.bincount(data.clusters).max() / len(data.clusters)
    assert binomtest(right, 200).proportion_ci(0.95, "wilson").low > 0.7
    assert binomtest(landed, 180).proportion_ci(0.95, "wilson").low > 2 * largest_share


def test_samples_of_one_class_do_not_collapse(state: State) -> None:
    real = digit_data()[0].samples
    batch = GENERATOR.generate(state, request(np.repeat(np.arange(10), 20)))

    ratios = [
        np.median(pdist(flat(batch.x[batch.y == label])))
        / np.median(pdist(flat(real.x[real.y == label])))
        for label in range(10)
    ]

    assert 0.25 < np.median(ratios) < 1.3


def test_confidence_falls_with_the_reconstruction(state: State) -> None:
    x, y = (part[900:1100] for part in digits())
    noise = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1)).astype(np.uint8)

    unseen = GENERATOR.confidence(state, x, y)
    wrong = GENERATOR.confidence(state, x, (y + 1) % 10)
    nothing = GENERATOR.confidence(state, noise, np.zeros(50, np.int64))

    assert (unseen > wrong).mean() > 0.7
    assert np.median(unseen) > np.median(nothing)


def test_a_fixed_critic_passes_a_gradient_on_and_takes_none(state: State) -> None:
    model = GENERATOR._load(state).model
    assert isinstance(model, LatentGan)
    values = torch.randn(5, 32, generator=torch.Generator().manual_seed(0)).requires_grad_()
    tokens = torch.zeros(5, 3, dtype=torch.int64)
    values = values[:, : model.critic.enter.in_features].detach().requires_grad_()

    held = _fixed(model.critic, values, tokens)
    held.sum().backward()  # type: ignore[no-untyped-call]

    assert torch.equal(held, _run(model.critic, values, tokens))
    assert values.grad is not None
    assert values.grad.abs().sum() > 0
    assert all(weight.grad is None for weight in model.critic.parameters())


def test_reconstruction_is_measured_where_asked_for_and_is_what_it_says(state: State) -> None:
    assert "reconstruction" not in state.facts
    data = digit_data()[0]
    asked = GanGenerator(GanParameters(steps=60, reconstruction=True)).fit(data, seed=0)
    fitted = GanGenerator(GanParameters(steps=60))._load(asked)
    rng = np.random.default_rng(4)
    real = flat(data.samples.x)

    found = fitted.reconstruction(data.samples.x, data.clusters, seed=4)

    noise = rng.standard_normal((len(real), *fitted.model.noise_shape), np.float32)
    free = np.full(len(real), -1)
    tokens = fitted.conditions.tokens(free, data.clusters, free)
    drawn = flat(fitted.draw(noise, tokens, lambda done, total: None))
    by_hand = np.mean([((a - b) ** 2).mean() for a, b in zip(real, drawn, strict=True)])
    assert found == pytest.approx(by_hand / float(fitted.latents.unit[0]) ** 2)
    assert asked.facts["reconstruction"] == pytest.approx(found, rel=0.2)
