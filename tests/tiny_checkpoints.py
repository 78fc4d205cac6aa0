"""Diffusers checkpoints of a few thousand weights, saved by the tests that load them."""

from __future__ import annotations

import atexit
import json
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch

PIXELS = 16


def save_unet(folder: Path, *, classes: int | None = 10, channels: int = 3, **process: Any) -> Path:
    """Save a UNet2DModel over 16 x 16 pixels with random weights; no classes when None."""
    from diffusers.models.unets.unet_2d import UNet2DModel
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = UNet2DModel(
            sample_size=PIXELS,
            in_channels=channels,
            out_channels=channels,
            block_out_channels=(8, 16),
            layers_per_block=1,
            norm_num_groups=4,
            down_block_types=("DownBlock2D", "AttnDownBlock2D"),
            up_block_types=("AttnUpBlock2D", "UpBlock2D"),
            num_class_embeds=classes,
        )
    return _save(folder, "DDPMPipeline", {"unet": unet, "scheduler": DDPMScheduler(**process)})


def _save(folder: Path, pipeline: str, components: dict[str, Any]) -> Path:
    index: dict[str, Any] = {"_class_name": pipeline, "_diffusers_version": "0.42.1"}
    for name, component in components.items():
        component.save_pretrained(folder / name)
        library = type(component).__module__.split(".")[0]
        index[name] = [library, type(component).__name__]
    (folder / "model_index.json").write_text(json.dumps(index))
    return folder


@cache
def _folder() -> Path:
    """Return a folder that lives as long as this process."""
    folder = Path(mkdtemp(prefix="tiny-checkpoints-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _unet() -> dict[str, Any]:
    return {"path": str(save_unet(_folder() / "unet"))}


PREPARED: dict[str, Callable[[], dict[str, Any]]] = {"checkpoint": _unet}
"""Generators that need a checkpoint, to what saves a tiny one and names it."""

CHECKPOINTS: dict[str, dict[str, Any]] = {
    "checkpoint": {"steps": 2, "batch": 64, "calibration_rows": 64}
}
"""The other parameters of a quick fit."""
