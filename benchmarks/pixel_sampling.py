"""A UNet over pixels by our sampler, against diffusers' own pipelines at equal Fréchet distance."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn.functional import mse_loss

from activesynth.domain.canonical import Array
from activesynth.domain.ports import silent
from activesynth.generation.checkpoints.checkpoint import CheckpointGenerator
from activesynth.generation.checkpoints.denoiser import Placement
from activesynth.generation.checkpoints.engine import Engine
from activesynth.generation.checkpoints.folder import open_folder
from activesynth.generation.checkpoints.parameters import CheckpointParameters
from activesynth.generation.checkpoints.pictures import to_pictures
from activesynth.generation.checkpoints.solver import Process
from benchmarks.measure import Case
from benchmarks.sampling import (
    BATCH,
    Comparison,
    Ruler,
    digit_data,
    real_digits,
    requested,
)

SIDE, ROWS, QUICK_ROWS = 8, 512, 192
TRAINING, ROUNDS = 800, 3
STEPS = (5, 8, 10, 12, 15, 20, 25, 30, 40, 50, 75, 100)


def measure(*, quick: bool) -> list[Case]:
    """Train an unconditional UNet, save it as a checkpoint, and time both on the same weights."""
    real = real_digits()
    with tempfile.TemporaryDirectory(prefix="activesynth-bench-") as name:
        folder = Path(name)
        _save_trained(folder, real.x, 5 if quick else TRAINING)
        parameters = CheckpointParameters(
            path=name,
            unconditional=True,
            batch=BATCH,
            device="cpu",
            calibration_rows=BATCH,
            **({"steps": 2} if quick else {}),
        )
        generator = CheckpointGenerator(parameters)
        state = generator.fit(digit_data(real), seed=0)
        opened = open_folder(folder, generator.pipelines)
        placement = Placement(torch.device("cpu"), torch.float32)
        engine = Engine(
            generator.load(opened, placement), Process.of(opened.config("scheduler")), parameters
        )
        labels = np.zeros(QUICK_ROWS if quick else ROWS, np.int64)

        def whole(seed: int) -> Array:
            return generator.generate(state, requested(labels, seed)).x

        def in_steps(steps: int, seed: int) -> Array:
            seeds = requested(labels, seed).seeds
            own = replace(engine, parameters=parameters.model_copy(update={"steps": steps}))
            return own.draw(seeds, labels[:, None], (SIDE, SIDE, 1), silent)

        def unscored(seed: int) -> Array:
            return in_steps(parameters.steps, seed)

        comparison = Comparison(
            Ruler(real.x, steps=5 if quick else 300),
            range(1),
            1 if quick else ROUNDS,
            (2, 3) if quick else STEPS,
        )
        pipelines = {
            "stock pipeline, DPM-Solver++": _dpm(folder),
            "stock DDIMPipeline": _ddim(folder),
        }
        return comparison.cases(
            {"ours, with confidence": whole, "ours, samples alone": unscored},
            parameters.steps,
            {
                "ours, samples alone, fewest steps": in_steps,
                **{kind: partial(_stock, found, len(labels)) for kind, found in pipelines.items()},
            },
        )


def _stock(pipeline: Any, rows: int, steps: int, seed: int) -> Array:
    chance = torch.Generator().manual_seed(seed)
    parts = [
        pipeline(
            batch_size=min(BATCH, rows - start),
            num_inference_steps=steps,
            generator=chance,
            output_type="np",
        ).images
        for start in range(0, rows, BATCH)
    ]
    images: Array = np.rint(np.concatenate(parts) * 255.0).astype(np.uint8)
    return images


def _dpm(folder: Path) -> Any:
    from diffusers.pipelines.ddpm.pipeline_ddpm import DDPMPipeline
    from diffusers.schedulers.scheduling_dpmsolver_multistep import DPMSolverMultistepScheduler

    pipeline: Any = DDPMPipeline.from_pretrained(folder, use_safetensors=True)
    pipeline.scheduler = DPMSolverMultistepScheduler.from_config(pipeline.scheduler.config)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _ddim(folder: Path) -> Any:
    from diffusers.pipelines.ddim.pipeline_ddim import DDIMPipeline

    pipeline: Any = DDIMPipeline.from_pretrained(folder, use_safetensors=True)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _save_trained(folder: Path, x: Array, steps: int) -> None:
    """Train a small UNet to say the noise, with diffusers' own defaults, and save its pipeline."""
    from diffusers.models.unets.unet_2d import UNet2DModel
    from diffusers.pipelines.ddpm.pipeline_ddpm import DDPMPipeline
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    torch.manual_seed(0)
    unet = UNet2DModel(
        sample_size=SIDE,
        in_channels=1,
        out_channels=1,
        block_out_channels=(16, 32),
        layers_per_block=1,
        norm_num_groups=8,
        down_block_types=("DownBlock2D", "AttnDownBlock2D"),
        up_block_types=("AttnUpBlock2D", "UpBlock2D"),
    )
    scheduler = DDPMScheduler()
    pictures = to_pictures(x, (1, SIDE, SIDE))
    optimiser = torch.optim.Adam(unet.parameters(), lr=2e-3)
    decay = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
    for _ in range(steps):
        clean = pictures[torch.randint(len(pictures), (64,))]
        noise = torch.randn_like(clean)
        times = torch.randint(len(scheduler), (len(clean),))
        loss = mse_loss(unet(scheduler.add_noise(clean, noise, times), times).sample, noise)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        decay.step()
    DDPMPipeline(unet.eval(), scheduler).save_pretrained(folder)
