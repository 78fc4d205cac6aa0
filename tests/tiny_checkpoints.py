"""Diffusers checkpoints of a few thousand weights, saved by the tests that load them."""

from __future__ import annotations

import atexit
import json
import shutil
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import torch

PIXELS = 16
NAMES = tuple(f"digit {number}" for number in range(10))
SMALL = {"steps": 3, "batch": 8, "calibration_rows": 8}
"""Parameters of any of them for a quick fit."""


def save_unet(
    folder: Path,
    *,
    classes: int | None = 10,
    channels: int = 3,
    side: int = PIXELS,
    **process: Any,
) -> Path:
    """Save a UNet2DModel over pixels with random weights; it knows no classes when None."""
    from diffusers.models.unets.unet_2d import UNet2DModel
    from diffusers.schedulers.scheduling_ddpm import DDPMScheduler

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = UNet2DModel(
            sample_size=side,
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


def save_dit(folder: Path, *, classes: int = 10) -> Path:
    """Save a DiT over 4 x 8 x 8 latents that learns its variance, with a VAE for 16 x 16 pixels."""
    from diffusers.models.transformers.dit_transformer_2d import DiTTransformer2DModel
    from diffusers.schedulers.scheduling_ddim import DDIMScheduler

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        transformer = DiTTransformer2DModel(
            num_attention_heads=2,
            attention_head_dim=8,
            in_channels=4,
            out_channels=8,
            num_layers=1,
            sample_size=8,
            num_embeds_ada_norm=classes,
            norm_num_groups=4,
        )
    parts = {"transformer": transformer, "vae": _vae(), "scheduler": DDIMScheduler()}
    return _save(folder, "DiTPipeline", parts)


def save_stable_diffusion(folder: Path, *, side: int = PIXELS) -> Path:
    """Save a text-to-image UNet over latents of half the side, VAE, text encoder and tokenizer."""
    from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
    from diffusers.schedulers.scheduling_pndm import PNDMScheduler
    from transformers import CLIPTextConfig, CLIPTextModel

    tokenizer = make_tokenizer()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        unet = UNet2DConditionModel(
            sample_size=side // 2,
            in_channels=4,
            out_channels=4,
            block_out_channels=(8, 16),
            layers_per_block=1,
            norm_num_groups=4,
            cross_attention_dim=16,
            attention_head_dim=4,
            down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
            up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        )
        encoder = CLIPTextModel(CLIPTextConfig(**text_sizes(len(tokenizer))))
    parts = {
        "unet": unet,
        "vae": _vae(),
        "text_encoder": encoder,
        "tokenizer": tokenizer,
        "scheduler": PNDMScheduler(
            beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", steps_offset=1
        ),
    }
    return _save(folder, "StableDiffusionPipeline", parts)


def save_clip(folder: Path) -> Path:
    """Save a CLIP for 16 x 16 pixels with its tokenizer."""
    from transformers import CLIPConfig, CLIPModel

    tokenizer = make_tokenizer()
    vision = {"image_size": PIXELS, "patch_size": 8, "hidden_size": 16, "intermediate_size": 32}
    vision |= {"num_hidden_layers": 1, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config=text_sizes(len(tokenizer)), vision_config=vision, projection_dim=8
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        CLIPModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def text_sizes(vocabulary: int) -> dict[str, Any]:
    """Return the sizes of a CLIP text model as small as it gets."""
    return {
        "vocab_size": vocabulary,
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 24,
        "bos_token_id": 0,
        "eos_token_id": 1,
        "pad_token_id": 1,
    }


def make_tokenizer() -> Any:
    """Return a CLIP tokenizer that knows letters, digits and a few pairs."""
    import transformers

    theirs: Any = transformers  # says that merges are text, and takes pairs
    letters = "abcdefghijklmnopqrstuvwxyz0123456789,"
    merges = [("o", "f</w>"), ("p", "h"), ("ph", "o"), ("t", "o</w>")]
    pieces = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{c}</w>" for c in letters)]
    pieces += ["".join(pair) for pair in merges]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    return theirs.CLIPTokenizer(vocab=vocabulary, merges=merges, model_max_length=24)


def _vae() -> Any:
    from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return AutoencoderKL(
            block_out_channels=(4, 8),
            down_block_types=("DownEncoderBlock2D",) * 2,
            up_block_types=("UpDecoderBlock2D",) * 2,
            latent_channels=4,
            norm_num_groups=4,
            sample_size=PIXELS,
        )


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


SAVERS = {"checkpoint": save_unet, "stable-diffusion": save_stable_diffusion}


@cache
def _prepared(name: str) -> dict[str, Any]:
    save: Callable[..., Path] = SAVERS[name]
    return {"path": str(save(_folder() / name, side=8))}


CHECKPOINTS: dict[str, dict[str, Any]] = {
    "checkpoint": {"steps": 2, "batch": 64, "calibration_rows": 64},
    "stable-diffusion": {
        "steps": 2,
        "guidance": 1.0,
        "batch": 64,
        "calibration_rows": 64,
        "class_names": [f"digit {number}" for number in range(10)],
        "lora_steps": 2,
        "lora_rank": 2,
    },
}
"""Generators that need a checkpoint, to the other parameters of a quick fit."""

PREPARED: dict[str, Callable[[], dict[str, Any]]] = {
    name: partial(_prepared, name) for name in CHECKPOINTS
}
"""The same, to what saves a tiny checkpoint, once, and returns the parameter that names it."""
