"""Schedule and sampler, against diffusers' own schedule and a case solved by hand."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from activesynth.generation.sampler import TIMES, cosine_alphas, denoise, solver


def test_the_schedule_is_the_one_the_sampler_uses() -> None:
    scheduler = solver(12, "cpu")

    np.testing.assert_allclose(cosine_alphas(), scheduler.alphas_cumprod, rtol=2e-4, atol=1e-8)


def test_a_perfect_denoiser_of_a_gaussian_gives_that_gaussian() -> None:
    mean, spread = 1.5, 0.4
    alphas = torch.from_numpy(cosine_alphas()).float()

    def perfect(noisy: Tensor, times: Tensor) -> Tensor:
        """Return the posterior mean of v when clean values are N(mean, spread**2)."""
        signal, noise = alphas[times].sqrt()[:, None], (1 - alphas[times]).sqrt()[:, None]
        total = signal**2 * spread**2 + noise**2
        clean = mean + signal * spread**2 / total * (noisy - signal * mean)
        return (signal * noisy - clean) / noise

    start = torch.from_numpy(np.random.default_rng(0).standard_normal((4000, 1), np.float32))
    drawn = denoise(perfect, start, steps=24).numpy()

    np.testing.assert_allclose(drawn.mean(), mean, atol=0.03)
    np.testing.assert_allclose(drawn.std(), spread, rtol=0.1)
    # An ODE in one dimension keeps the order of its starting points.
    assert (np.diff(drawn[np.argsort(start.numpy()[:, 0]), 0]) > -1e-5).all()


def test_alphas_fall_from_clean_to_noise() -> None:
    alphas = cosine_alphas()

    assert alphas.shape == (TIMES,)
    assert (np.diff(alphas) < 0).all()
    assert alphas[0] > 0.999
    assert alphas[-1] < 1e-6


def test_solvers_share_nothing_that_sampling_changes() -> None:
    one = solver(12, "cpu")
    values = torch.ones(2, 3)
    for time in one.timesteps[:5]:
        values = one.step(values, time, values, return_dict=False)[0]

    other = solver(4, "cpu")

    assert (len(one.timesteps), len(other.timesteps)) == (12, 4)
    assert (one.step_index, other.step_index) == (5, None)
    assert all(output is None for output in other.model_outputs)
