"""Images between numpy and torch, and augmentation that keeps the label."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from activesynth.domain.canonical import Array
from activesynth.errors import InputError

MIN_SIDE, MAX_SIDE = 8, 256


def check_images(x: Array) -> None:
    """Refuse arrays that are no uint8 images ``(n, height, width, channels)``.

    Raises:
        InputError: If dtype, sides (8 to 256) or channels (1 or 3) are others; reason
            ``image_shape``.
    """
    fits = x.dtype == np.uint8 and x.ndim == 4 and x.shape[3] in (1, 3)
    if not (fits and all(MIN_SIDE <= side <= MAX_SIDE for side in x.shape[1:3])):
        raise InputError(
            f"images must be uint8 (n, height, width, channels) with sides from {MIN_SIDE} to "
            f"{MAX_SIDE} and 1 or 3 channels, got {x.dtype} {x.shape}; resize or convert them.",
            reason="image_shape",
            field="x",
        )


def to_pixels(x: Array) -> Tensor:
    """Return uint8 images ``(n, height, width, channels)`` as ``(n, channels, height, width)``.

    Raises:
        InputError: If they are no such images (see :func:`check_images`).
    """
    check_images(x)
    return torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))


def to_unit(pixels: Tensor) -> Tensor:
    """Return uint8 pixels as float32 in ``[0, 1]``."""
    return pixels.float().div_(255.0)


@dataclass(frozen=True, slots=True)
class Augmentation:
    """Random changes that keep the label; each is drawn uniformly and per image.

    Attributes:
        shift: Largest move as a share of the side.
        rotation: Largest angle in degrees, both ways.
        scale: Largest relative zoom, both ways.
        contrast: Largest relative change of contrast, both ways.
        noise: Standard deviation of added Gaussian noise, in units of the full range.
        erase: Side of an erased square as a share of the image side.
        flip: Whether half of the images are mirrored; wrong for digits and letters.
    """

    shift: float = 0.0
    rotation: float = 0.0
    scale: float = 0.0
    contrast: float = 0.0
    noise: float = 0.0
    erase: float = 0.0
    flip: bool = False

    def apply(self, images: Tensor, generator: torch.Generator) -> Tensor:
        """Return a changed copy of ``images``, ``(n, channels, height, width)`` in ``[0, 1]``.

        Random numbers are drawn on the CPU, in the same number whatever the settings.
        """
        count = len(images)
        uniform = torch.rand(count, 8, generator=generator).to(images.device)
        signed = uniform * 2.0 - 1.0
        images = self._warp(images, signed, uniform[:, 4] < 0.5)
        if self.contrast:
            images = images * (1.0 + self.contrast * signed[:, 5]).view(-1, 1, 1, 1)
        if self.noise:
            noise = torch.randn(images.shape, generator=generator).to(images.device)
            images = images + self.noise * noise
        if self.erase:
            images = self._erase(images, uniform[:, 6:8])
        return images.clamp(0.0, 1.0)

    def _warp(self, images: Tensor, signed: Tensor, mirrored: Tensor) -> Tensor:
        if not (self.shift or self.rotation or self.scale or self.flip):
            return images
        height, width = images.shape[2:]
        angle = signed[:, 0] * math.radians(self.rotation)
        zoom = 1.0 + self.scale * signed[:, 1]
        sign = torch.where(mirrored, -1.0, 1.0) if self.flip else torch.ones_like(zoom)
        cosine, sine = torch.cos(angle) * zoom, torch.sin(angle) * zoom
        # Grid coordinates run from -1 to 1 on both axes, so a rotation of pixels needs the ratio
        # of the sides, and a share of the side is two units.
        ratio = height / width
        theta = torch.stack(
            [
                torch.stack([cosine * sign, -sine * ratio, 2 * self.shift * signed[:, 2]], 1),
                torch.stack([sine * sign / ratio, cosine, 2 * self.shift * signed[:, 3]], 1),
            ],
            dim=1,
        )
        grid = functional.affine_grid(theta, list(images.shape), align_corners=False)
        return functional.grid_sample(images, grid, padding_mode="border", align_corners=False)

    def _erase(self, images: Tensor, centre: Tensor) -> Tensor:
        height, width = images.shape[2:]
        rows = torch.arange(height, device=images.device).add(0.5).div(height)
        columns = torch.arange(width, device=images.device).add(0.5).div(width)
        near_row = (rows - centre[:, :1]).abs() < self.erase / 2
        near_column = (columns - centre[:, 1:]).abs() < self.erase / 2
        return images * ~(near_row[:, None, :, None] & near_column[:, None, None, :])
