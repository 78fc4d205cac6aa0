"""CLIP score: how well pictures show what their prompts say."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from activesynth.domain.canonical import Array
from activesynth.errors import ConfigurationError, ShapeError
from activesynth.generation.blocks import in_blocks
from activesynth.generation.checkpoints.denoiser import Placement, load
from activesynth.generation.checkpoints.folder import check_weights, read_json
from activesynth.generation.checkpoints.packages import require
from activesynth.generation.checkpoints.pictures import to_pictures
from activesynth.nn.devices import resolve_device

MEAN = (0.48145466, 0.4578275, 0.40821073)
SPREAD = (0.26862954, 0.26130258, 0.27577711)
"""What CLIP's authors subtract from red, green and blue in [0, 1], and divide by."""

ROWS = 32


def clip_score(
    images: Array, prompts: Sequence[str], model_path: str, *, device: str = "auto"
) -> Array:
    """Return ``100 * max(cosine, 0)`` of each picture and its prompt under a local CLIP.

    Comparable only under one CLIP, and no measure of realism: it rises with what CLIP can read
    off a picture. Pictures are squeezed to CLIP's square by antialiased bicubic interpolation, not
    cropped as CLIP's own preparation does where height and width differ.

    Args:
        images: uint8 of shape ``(n, height, width, 1 or 3)``.
        prompts: One for each image; cut at the length CLIP can read.
        model_path: A folder with config.json, model.safetensors and the tokenizer's files.
        device: ``auto``, ``cpu`` or ``cuda``.

    Returns:
        ``(n,)`` float64 in [0, 100].

    Raises:
        ShapeError: If images and prompts do not align.
        ConfigurationError: If the folder is no CLIP, keeps pickles, or transformers is missing.

    References:
        Hessel et al. 2021, arXiv:2104.08718 (there with the factor 2.5); Radford et al. 2021,
        arXiv:2103.00020.
    """
    if len(images) != len(prompts):
        raise ShapeError(
            f"clip_score needs one prompt for each of {len(images)} images, got {len(prompts)}."
        )
    require("transformers", "accelerate")
    folder = Path(model_path)
    kind = read_json(folder / "config.json").get("model_type")
    if kind != "clip":
        raise ConfigurationError(
            f"{folder / 'config.json'} has the model type {kind!r}; clip_score reads 'clip'.",
            reason="bad_checkpoint",
            field="model_path",
        )
    check_weights(folder, "model")
    from transformers import CLIPModel, CLIPTokenizer

    placement = Placement(resolve_device(device), torch.float32)
    model: Any = load(CLIPModel, folder, placement)
    tokenizer: Any = CLIPTokenizer.from_pretrained(str(folder), local_files_only=True)
    length = int(model.config.text_config.max_position_embeddings)
    ids = np.zeros((0, length), np.int64)
    if len(prompts):
        ids = np.asarray(
            tokenizer(list(prompts), padding="max_length", max_length=length, truncation=True)[
                "input_ids"
            ],
            np.int64,
        )
    side = int(model.config.vision_config.image_size)

    def block(images: Array, ids: Array) -> Array:
        with torch.no_grad():
            answer = model(
                input_ids=torch.from_numpy(ids).to(placement.device),
                pixel_values=_normalised(images, side).to(placement.device),
            )
        cosine = (answer.image_embeds * answer.text_embeds).sum(dim=1)  # both have length 1
        return np.asarray(cosine.double().cpu().numpy())

    return 100.0 * np.maximum(in_blocks(block, images, ids, rows=ROWS), 0.0)


def _normalised(images: Array, side: int) -> Tensor:
    pictures = (to_pictures(images, (3, side, side)) + 1.0) / 2.0
    mean, spread = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, SPREAD))
    return (pictures - mean) / spread
