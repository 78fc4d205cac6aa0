"""The latent space, against scikit-learn's PCA and by its own laws."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.decomposition import PCA

from activesynth.generation.latents import Latents
from generation_rows import digit_data


def test_components_are_those_of_scikit_learn_up_to_the_sign() -> None:
    x = digit_data()[0].samples.x
    latents = Latents.fit(x, np.ones(len(x)), 10, 1.0, seed=0)
    reference = PCA(10, whiten=True, svd_solver="full").fit(x.reshape(len(x), -1).astype(float))

    expected = reference.transform(x.reshape(len(x), -1)) * np.sqrt(len(x) / (len(x) - 1))

    signs = np.sign((latents.project(x) * expected).sum(axis=0))
    np.testing.assert_allclose(latents.project(x) * signs, expected, atol=1e-3)


def test_the_sign_of_a_direction_is_fixed() -> None:
    x = digit_data()[0].samples.x

    basis = Latents.fit(x, np.ones(len(x)), 12, 1.0, seed=0).basis

    assert (basis[np.arange(12), np.abs(basis).argmax(axis=1)] > 0).all()


def test_as_many_components_as_the_variance_needs() -> None:
    x = digit_data()[0].samples.x
    latents = Latents.fit(x, np.ones(len(x)), 64, 0.9, seed=0)

    ratio = PCA().fit(x.reshape(len(x), -1).astype(float)).explained_variance_ratio_
    assert latents.size == int(np.searchsorted(np.cumsum(ratio), 0.9)) + 1
    assert latents.residual(x).mean() == pytest.approx(
        1 - np.cumsum(ratio)[latents.size - 1], abs=2e-2
    )


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(6, 40))
def test_data_of_low_rank_comes_back(seed: int, rank: int, rows: int) -> None:
    rng = np.random.default_rng(seed)
    scales = 10.0 ** rng.uniform(-3, 3, 7)
    x = (rng.normal(size=(rows, rank)) @ rng.normal(size=(rank, 7)) + 2.0) * scales
    x = x.astype(np.float32)

    latents = Latents.fit(x, np.ones(rows), 7, 1.0, seed=0)

    np.testing.assert_allclose(latents.restore(latents.project(x)) / scales, x / scales, atol=1e-3)
    assert latents.residual(x).max() < 1e-5


def test_a_row_counts_as_often_as_it_weighs() -> None:
    x = digit_data()[0].samples.x[:60]
    weight = np.random.default_rng(0).integers(1, 4, 60)
    repeated = np.repeat(x, weight, axis=0)

    weighed = Latents.fit(x, weight.astype(float), 5, 1.0, seed=0)
    counted = Latents.fit(repeated, np.ones(len(repeated)), 5, 1.0, seed=0)

    np.testing.assert_allclose(weighed.mean, counted.mean, rtol=1e-5)
    np.testing.assert_allclose(weighed.scale, counted.scale, rtol=1e-4)


def test_pixels_are_rounded_and_stay_in_range() -> None:
    x = digit_data()[0].samples.x
    latents = Latents.fit(x, np.ones(len(x)), 64, 1.0, seed=0)

    far = latents.restore(np.full((1, latents.size), 50.0))

    np.testing.assert_array_equal(latents.restore(latents.project(x)), x)
    assert far.dtype == np.uint8
    assert {0, 255} <= set(far.ravel().tolist())


def test_constant_columns_and_equal_rows_do_no_harm() -> None:
    x = np.full((5, 3), 7.0, np.float32)

    latents = Latents.fit(x, np.ones(5), 64, 0.97, seed=0)

    np.testing.assert_array_equal(latents.restore(latents.project(x)), x)
    assert np.isfinite(latents.residual(x)).all()
