"""Contrastive pretraining of the image encoder, without labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import nn

from activesynth.domain.canonical import Array
from activesynth.domain.ports import Progress
from activesynth.models.architecture import Architecture
from activesynth.models.losses import info_nce
from activesynth.models.parameters import EnsembleParameters
from activesynth.nn.blocks import ImageEncoder, ProjectionHead
from activesynth.nn.devices import mixed_precision
from activesynth.nn.images import Augmentation, to_pixels, to_unit
from activesynth.nn.tensors import build


def pretrain_encoder(
    x: Array,
    architecture: Architecture[Any],
    parameters: EnsembleParameters,
    device: torch.device,
    *,
    seed: int,
    progress: Progress,
) -> tuple[ImageEncoder, list[float]]:
    """Train an encoder so that two augmented views of an image lie close together.

    Args:
        x: Images, uint8 ``(n, height, width, channels)``, two or more.
        architecture: Of the encoder.
        parameters: Steps, batch size, tau, augmentation.
        device: Where to train.
        seed: Decides weights, batches and views.
        progress: Told the steps.

    Returns:
        The encoder in evaluation mode, and the loss of every step in nats.
    """
    pixels = to_pixels(x).to(device)
    generator = torch.Generator().manual_seed(seed)
    encoder = build(architecture.make_encoder, device, generator)
    head = build(lambda: ProjectionHead(encoder.features), device, generator)
    both = nn.ModuleList([encoder, head])
    optimiser = torch.optim.Adam(both.parameters(), lr=parameters.learning_rate, fused=True)
    augmentation = Augmentation(**parameters.pretrain_augment.model_dump())
    losses = []
    for step, rows in enumerate(_batches(len(x), parameters, seed)):
        images = to_unit(pixels[torch.from_numpy(rows).to(device)])
        views = torch.cat([augmentation.apply(images, generator) for _ in range(2)])
        with mixed_precision(device):
            first, second = head(encoder(views)).chunk(2)
        loss = info_nce(first, second, parameters.temperature)
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        losses.append(float(loss.detach()))
        progress(step + 1, parameters.pretrain_steps)
    return encoder.eval(), losses


def _batches(count: int, parameters: EnsembleParameters, seed: int) -> Array:
    """Return distinct rows per batch: an image must not be its own negative."""
    size = min(parameters.pretrain_batch_size, count)
    generator = np.random.default_rng(seed)
    return np.stack([generator.permutation(count)[:size] for _ in range(parameters.pretrain_steps)])
