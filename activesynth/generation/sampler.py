"""The noise schedule, and few-step sampling by diffusers' DPM-Solver++(2M)."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np
from torch import Tensor

from activesynth.domain.canonical import Array

TIMES = 1000
"""Number of discrete noise levels; time 0 is nearly clean, time 999 nearly pure noise."""

MAX_BETA = 0.999


def cosine_alphas() -> Array:
    """Return the share of signal variance left at each time, ``(1000,)`` float64, falling.

    References:
        Nichol and Dhariwal 2021, equation 17, arXiv:2102.09672.
    """
    points = np.arange(TIMES + 1) / TIMES
    level = np.cos((points + 0.008) / 1.008 * math.pi / 2) ** 2
    return np.cumprod(1.0 - np.minimum(1.0 - level[1:] / level[:-1], MAX_BETA))


def solver(steps: int, device: Any) -> Any:
    """Return a scheduler of the caller's own, set to ``steps`` steps.

    It is deterministic (an ODE solver), so all randomness lies in the initial noise.
    """
    # It counts its steps, so nobody may share one; and every block of rows wants its own.
    scheduler = copy.deepcopy(_scheduler())
    scheduler.set_timesteps(steps, device=device)
    return scheduler


@cache
def _scheduler() -> Any:
    """Build it once: its thousand noise levels are a loop of Python's, as long as a few steps.

    The import takes seconds and happens here: fitting and scoring do without it.
    """
    from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

    return DPMSolverMultistepScheduler(
        num_train_timesteps=TIMES,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        algorithm_type="dpmsolver++",
        solver_order=2,
        lambda_min_clipped=-5.1,
        final_sigmas_type="zero",
    )


def denoise(
    predict: Callable[[Tensor, Tensor], Tensor],
    noise: Tensor,
    *,
    steps: int,
    shift: Callable[[Tensor], Tensor] | None = None,
    start: Tensor | None = None,
    strength: float = 1.0,
) -> Tensor:
    """Turn noise ``(n, k)`` into samples with at most ``steps`` calls of ``predict(noisy, times)``.

    Args:
        predict: The denoiser; returns v.
        noise: Standard normal noise.
        steps: Steps from pure noise.
        shift: Called with the denoised estimate of every step. The estimate moves by the standard
            deviation of the noise at that step times the result: far while all is open, hardly at
            the end, where a push could only leave the data. In v this is the result itself.
        start: Clean rows ``(n, k)`` that are noised to the level where the last
            ``strength * steps`` steps begin, at least one, and denoised from there.
        strength: In ``(0, 1]``; looked at only with ``start``.

    References:
        Meng et al. 2022 (SDEdit: starting from rows), arXiv:2108.01073.
    """
    scheduler = solver(steps, noise.device)
    first, values = 0, noise
    if start is not None:
        first = steps - max(1, round(strength * steps))
        scheduler.set_begin_index(first)
        signal, spread = _levels(scheduler, first)
        values = signal * start + spread * noise
    for position in range(first, steps):
        time = scheduler.timesteps[position]
        v = predict(values, time.expand(len(values)))
        if shift is not None:
            signal, spread = _levels(scheduler, position)
            v = v - shift(signal * values - spread * v)
        values = scheduler.step(v, time, values, return_dict=False)[0]
    return values


def _levels(scheduler: Any, position: int) -> tuple[float, float]:
    """Return the factors of signal and noise at a step; their squares sum to 1."""
    ratio = float(scheduler.sigmas[position])
    signal = 1.0 / math.sqrt(1.0 + ratio**2)
    return signal, ratio * signal
