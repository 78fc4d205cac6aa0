"""The noise process read off a checkpoint, solved where the answer is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from activesynth.errors import ConfigurationError
from activesynth.generation.checkpoints.solver import Process

STABLE_DIFFUSION = {
    "_class_name": "PNDMScheduler",
    "beta_schedule": "scaled_linear",
    "beta_start": 0.00085,
    "beta_end": 0.012,
    "skip_prk_steps": True,
    "steps_offset": 1,
}


def test_the_levels_are_those_of_the_configuration() -> None:
    betas = np.linspace(0.00085**0.5, 0.012**0.5, 1000) ** 2

    process = Process.of(STABLE_DIFFUSION)

    assert process.times == 1000
    np.testing.assert_allclose(process.alphas.numpy(), np.cumprod(1 - betas), rtol=1e-4)


@pytest.mark.parametrize("solver", ["dpm", "ddim"])
@pytest.mark.parametrize("prediction", ["epsilon", "v_prediction", "sample"])
@pytest.mark.parametrize("schedule", ["scaled_linear", "squaredcos_cap_v2"])
def test_who_knows_the_only_picture_there_is_ends_at_it(
    solver: str, prediction: str, schedule: str
) -> None:
    config = STABLE_DIFFUSION | {"prediction_type": prediction, "beta_schedule": schedule}
    process = Process.of(config | {"clip_sample": False})
    picture = torch.linspace(-0.9, 0.9, 8).view(1, 1, 2, 4)

    def knowing(noisy: torch.Tensor, times: torch.Tensor) -> torch.Tensor:
        clean = picture.expand_as(noisy)
        alphas = process.alphas[times].view(-1, 1, 1, 1)
        noise = (noisy - alphas.sqrt() * clean) / (1 - alphas).sqrt()
        return process.target(clean, noise, times)

    noise = torch.randn((5, 1, 2, 4), generator=torch.Generator().manual_seed(0))
    found = process.solve(knowing, noise, steps=10, solver=solver)

    np.testing.assert_allclose(found.numpy(), picture.expand(5, -1, -1, -1).numpy(), atol=0.02)


@pytest.mark.parametrize(
    "config",
    [
        {"prediction_type": "flow_prediction"},
        {"use_flow_sigmas": True},
        {"beta_schedule": "mine"},
        {"num_train_timesteps": "many"},
    ],
)
def test_another_process_is_refused(config: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        Process.of(config)

    assert caught.value.reason == "bad_checkpoint"
