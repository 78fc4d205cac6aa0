"""Fréchet and kernel distances against TorchMetrics, SciPy and closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor, nn
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.kid import KernelInceptionDistance
from torchmetrics.image.mifid import MemorizationInformedFrechetInceptionDistance

from activesynth.domain.canonical import Array
from activesynth.errors import InputError, ShapeError
from activesynth.evaluation.estimable import NotEstimable
from activesynth.evaluation.fidelity import (
    FrechetDistance,
    KernelDistance,
    MemorisationInformedDistance,
    frechet_distance,
    kernel_distance,
    memorisation_informed_distance,
)

DIMENSION = 6


class Flat(nn.Module):
    """Features that are given as they are, in place of Inception's."""

    num_features = DIMENSION

    def forward(self, x: Tensor) -> Tensor:
        return x.flatten(1)


def make_features(rows: int, shift: float = 0.0, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(DIMENSION, DIMENSION))
    return rng.normal(shift, 1.0, (rows, DIMENSION)) @ mixing


def as_images(features: Array) -> Tensor:
    return torch.from_numpy(features).reshape(len(features), DIMENSION, 1, 1)


def frechet(real: Array, synthetic: Array) -> FrechetDistance:
    found = frechet_distance(real, synthetic)
    assert isinstance(found, FrechetDistance)
    return found


def kernel(real: Array, synthetic: Array, **options: int) -> KernelDistance:
    found = kernel_distance(real, synthetic, seed=0, **options)
    assert isinstance(found, KernelDistance)
    return found


def informed(train: Array, synthetic: Array) -> MemorisationInformedDistance:
    found = memorisation_informed_distance(train, synthetic)
    assert isinstance(found, MemorisationInformedDistance)
    return found


@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_the_frechet_distance_agrees_with_torchmetrics_and_scipy(shift: float) -> None:
    real, synthetic = make_features(80), make_features(60, shift, seed=1)
    metric = FrechetInceptionDistance(feature=Flat()).set_dtype(torch.float64)
    metric.update(as_images(real), real=True)
    metric.update(as_images(synthetic), real=False)
    covariances = [np.cov(rows, rowvar=False) for rows in (real, synthetic)]
    mixed = np.trace(covariances[0] + covariances[1] - 2 * sqrtm(covariances[0] @ covariances[1]))
    gap = real.mean(axis=0) - synthetic.mean(axis=0)

    found = frechet(real, synthetic)

    assert found.value == pytest.approx(float(metric.compute()), rel=1e-6)
    assert found.value == pytest.approx(float((gap @ gap + mixed).real), rel=1e-6)
    assert (found.n_real, found.n_synthetic, found.dimension) == (80, 60, DIMENSION)


def test_the_frechet_distance_to_itself_is_zero_and_that_of_a_shift_its_square() -> None:
    real = make_features(50)

    assert frechet(real, real).value == pytest.approx(0.0, abs=1e-8)
    assert frechet(real, real + 2.0).value == pytest.approx(4.0 * DIMENSION)


def test_one_feature_gives_the_distance_of_two_normal_distributions() -> None:
    real, synthetic = make_features(50)[:, :1], 3.0 * make_features(50, seed=1)[:, :1]
    expected = (real.mean() - synthetic.mean()) ** 2
    expected += (real.std(ddof=1) - synthetic.std(ddof=1)) ** 2

    assert frechet(real, synthetic).value == pytest.approx(expected)


def test_fewer_than_two_rows_per_feature_are_not_estimable() -> None:
    enough, few = make_features(2 * DIMENSION), make_features(2 * DIMENSION - 1)

    assert frechet_distance(enough, few) == NotEstimable("a Fréchet distance", 11, 12)
    assert isinstance(frechet_distance(enough, enough), FrechetDistance)
    assert "at least 12 are needed" in str(frechet_distance(few, enough))
    assert isinstance(memorisation_informed_distance(few, enough), NotEstimable)
    assert kernel_distance(enough, few[:9], seed=0) == NotEstimable("a kernel distance", 9, 10)


def test_one_subset_of_all_rows_gives_torchmetrics_kernel_distance() -> None:
    real, synthetic = make_features(40), make_features(40, 0.3, seed=1)
    metric = KernelInceptionDistance(feature=Flat(), subsets=1, subset_size=40)
    metric = metric.set_dtype(torch.float64)
    metric.update(as_images(real), real=True)
    metric.update(as_images(synthetic), real=False)

    found = kernel(real, synthetic, subsets=1)

    assert found.value == pytest.approx(float(metric.compute()[0]), rel=1e-6)
    assert (found.spread, found.subset_size) == (0.0, 40)


def test_the_kernel_distance_is_zero_on_average_between_samples_of_one_distribution() -> None:
    values = [
        kernel(make_features(30, seed=s), make_features(30, seed=1000 + s), subsets=1).value
        for s in range(300)
    ]
    apart = kernel(make_features(30), make_features(30, 1.0, seed=1), subsets=1).value

    assert abs(np.mean(values)) < 3 * np.std(values) / np.sqrt(300)
    assert min(values) < 0.0
    assert apart > 3 * np.std(values)


def test_subsets_come_from_the_seed_and_centre_on_the_whole() -> None:
    real, synthetic = make_features(100), make_features(120, 0.5, seed=1)
    found = kernel_distance(real, synthetic, seed=3, subsets=100, subset_size=40)
    whole = kernel(real, synthetic[:100], subsets=1)

    assert isinstance(found, KernelDistance)
    assert found == kernel_distance(real, synthetic, seed=3, subsets=100, subset_size=40)
    assert found != kernel_distance(real, synthetic, seed=4, subsets=100, subset_size=40)
    assert found.value == pytest.approx(whole.value, abs=found.spread)


@pytest.mark.parametrize("noise", [0.02, 0.1, 5.0])
def test_the_memorisation_informed_distance_agrees_with_torchmetrics(noise: float) -> None:
    train = make_features(60)
    synthetic = train[:50] + noise * make_features(50, seed=1)
    # TorchMetrics looks for the nearest synthetic row of each real one; the paper, and we, look
    # from the synthetic side. The Fréchet part is symmetric, so its two sides are handed over.
    metric = MemorizationInformedFrechetInceptionDistance(feature=Flat()).set_dtype(torch.float64)
    metric.update(as_images(synthetic), real=True)
    metric.update(as_images(train), real=False)

    found = informed(train, synthetic)

    assert found.value == pytest.approx(float(metric.compute()), rel=1e-5)


def test_copies_of_train_rows_get_a_large_distance_where_frechet_sees_none() -> None:
    train, fresh = make_features(200), make_features(200, seed=5)
    copies = np.concatenate([train[:190], fresh[:10]])

    assert informed(train, copies).frechet.value < informed(train, fresh).frechet.value
    assert informed(train, copies).is_penalised
    assert informed(train, copies).value > informed(train, fresh).value


def test_features_that_do_not_fit_are_refused() -> None:
    real = make_features(30)
    with pytest.raises(ShapeError, match="of one encoder"):
        frechet_distance(real, real[:, :3])
    with pytest.raises(InputError, match="finite features"):
        kernel_distance(real, np.where(real > 2, np.nan, real), seed=0)
    with pytest.raises(ShapeError, match="subsets >= 1"):
        kernel_distance(real, real, seed=0, subsets=0)
    with pytest.raises(InputError, match=r"must lie in \(0, 1\]"):
        memorisation_informed_distance(real, real, threshold=0.0)
