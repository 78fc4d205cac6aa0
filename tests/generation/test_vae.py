"""The VAE serves the same requests as the diffusion."""

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
from activesynth.generation.parameters import VaeParameters
from activesynth.generation.vae import VaeGenerator
from generation_rows import CLUSTERS, digit_data, digits, request

GENERATOR = VaeGenerator(VaeParameters())


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


def test_samples_of_one_class_are_spread_like_the_real_ones(state: State) -> None:
    real = digit_data()[0].samples
    batch = GENERATOR.generate(state, request([3] * 40))

    spread = np.median(pdist(flat(batch.x)))

    assert 0.4 < spread / np.median(pdist(flat(real.x[real.y == 3]))) < 1.2


def test_confidence_falls_with_the_reconstruction(state: State) -> None:
    x, y = (part[900:1100] for part in digits())
    noise = np.random.default_rng(0).integers(0, 256, (50, 8, 8, 1)).astype(np.uint8)

    unseen = GENERATOR.confidence(state, x, y)
    wrong = GENERATOR.confidence(state, x, (y + 1) % 10)
    nothing = GENERATOR.confidence(state, noise, np.zeros(50, np.int64))

    assert (unseen > wrong).mean() > 0.7
    assert np.median(unseen) > np.median(nothing)
