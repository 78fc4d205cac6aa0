"""The latent diffusion's sampler, against stock diffusers schedulers at equal Fréchet distance."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import State
from activesynth.domain.ports import silent
from activesynth.generation.conditions import FREE, Conditions
from activesynth.generation.diffusion import DiffusionGenerator, LatentDiffusion
from activesynth.generation.fitted import Fitted
from activesynth.generation.latent import PREFIX
from activesynth.generation.latents import Latents
from activesynth.generation.parameters import DiffusionParameters
from activesynth.generation.sampler import TIMES
from activesynth.generation.scoring import seeded_noise
from activesynth.nn.tensors import load_arrays
from benchmarks.measure import Case
from benchmarks.sampling import (
    BATCH,
    STEPS,
    Comparison,
    Ruler,
    digit_data,
    real_digits,
    requested,
)

SEEDS, ROUNDS = range(3), 5


def measure(*, quick: bool) -> list[Case]:
    """Time as many samples as there are digits, of the same labels, by the same weights."""
    real = real_digits()
    parameters = DiffusionParameters(device="cpu", **({"steps": 20} if quick else {}))
    generator = DiffusionGenerator(parameters)
    state = generator.fit(digit_data(real), seed=0)
    labels = np.asarray(real.y[:256] if quick else real.y, np.int64)
    fitted = _fitted(state, parameters)
    free = np.full(len(labels), FREE)
    tokens = fitted.conditions.tokens(labels, free, free)

    def whole(seed: int) -> Array:
        return generator.generate(state, requested(labels, seed)).x

    def in_steps(steps: int, seed: int) -> Array:
        noise = seeded_noise(requested(labels, seed).seeds, fitted.model.noise_shape)
        own = _fitted(state, parameters.model_copy(update={"sampling_steps": steps}))
        return own.draw(noise, tokens, silent)

    def unscored(seed: int) -> Array:
        return in_steps(parameters.sampling_steps, seed)

    comparison = Comparison(
        Ruler(real.x, steps=5 if quick else 300),
        range(1) if quick else SEEDS,
        1 if quick else ROUNDS,
        (2, 3) if quick else STEPS,
    )
    schedulers = {"stock DPM-Solver++": _dpm, "stock DDIM": _ddim}
    return comparison.cases(
        {"ours, with confidence": whole, "ours, samples alone": unscored},
        parameters.sampling_steps,
        {
            "ours, samples alone, fewest steps": in_steps,
            **{
                name: partial(_stock, fitted, make, torch.from_numpy(tokens), parameters.guidance)
                for name, make in schedulers.items()
            },
        },
    )


def _fitted(state: State, parameters: DiffusionParameters) -> Fitted:
    generator = DiffusionGenerator(parameters)
    latents = Latents.from_state(state.tensors, state.facts)
    conditions = Conditions.from_tensors(state.tensors)
    model = generator.build(latents, conditions.sizes, parameters)
    load_arrays(model, state.tensors, PREFIX)
    return Fitted(model.eval(), latents, conditions)


def _stock(
    fitted: Fitted,
    make: Callable[[], Any],
    tokens: Tensor,
    guidance: float,
    steps: int,
    seed: int,
) -> Array:
    """Sample as diffusers' guides do: a scheduler, a loop, both sides of guidance in one batch."""
    model = fitted.model
    if not isinstance(model, LatentDiffusion):
        raise TypeError(f"needs a latent diffusion, got {type(model).__name__}.")
    scheduler = make()
    chance = torch.Generator().manual_seed(seed)
    parts = []
    with torch.no_grad():
        for batch in torch.split(tokens, BATCH):
            both = torch.cat([torch.zeros_like(batch), batch])
            values = torch.randn((len(batch), *model.noise_shape), generator=chance)
            scheduler.set_timesteps(steps)
            for time in scheduler.timesteps:
                times = time.expand(len(both)) / TIMES
                plain, wanted = model.denoiser(torch.cat([values, values]), times, both).chunk(2)
                v = plain + guidance * (wanted - plain)
                values = scheduler.step(v, time, values).prev_sample
            parts.append(values)
    return fitted.latents.restore(torch.cat(parts).numpy())


def _dpm() -> Any:
    from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

    return DPMSolverMultistepScheduler(
        num_train_timesteps=TIMES,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
    )


def _ddim() -> Any:
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    # Whitened components reach far beyond 1, where the stock setting would clip them.
    return DDIMScheduler(
        num_train_timesteps=TIMES,
        beta_schedule="squaredcos_cap_v2",
        prediction_type="v_prediction",
        clip_sample=False,
    )
