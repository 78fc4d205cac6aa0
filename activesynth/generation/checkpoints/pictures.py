"""Between a campaign's images and the pictures that a checkpoint makes."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from activesynth.domain.canonical import Array

LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey, ITU-R BT.601, as Pillow has them."""


def to_pictures(x: Array, shape: tuple[int, int, int]) -> Tensor:
    """Return uint8 images ``(n, height, width, 1 or 3)`` as float32 ``(n, *shape)`` in [-1, 1].

    Args:
        x: The images.
        shape: Channels (1 or 3), height and width of the pictures.
    """
    pictures = torch.from_numpy(np.ascontiguousarray(x)).permute(0, 3, 1, 2).float() / 127.5 - 1.0
    return _resize(_recolour(pictures, shape[0]), shape[1:]).clamp(-1.0, 1.0)


def to_images(pictures: Tensor, shape: tuple[int, ...]) -> Array:
    """Return pictures ``(n, channels, height, width)`` in [-1, 1] as uint8 ``(n, *shape)``.

    Grey is the luma of the colours, colour is grey three times. Sides are resized by antialiased
    bicubic interpolation, each on its own: like a source that is given a ``size``, the aspect is
    not kept. What is beyond the range is clipped.

    Args:
        pictures: On any device, in any float type.
        shape: Height, width and channels (1 or 3) of the images.
    """
    values = _recolour(pictures.detach().float().cpu().clamp(-1.0, 1.0), shape[2])
    values = (_resize(values, (shape[0], shape[1])) + 1.0) * 127.5
    rounded = values.round().clamp(0.0, 255.0).to(torch.uint8)
    return np.ascontiguousarray(rounded.permute(0, 2, 3, 1).numpy())


def _recolour(pictures: Tensor, channels: int) -> Tensor:
    if pictures.shape[1] == channels:
        return pictures
    if channels == 3:
        return pictures.repeat(1, 3, 1, 1)
    weights = torch.tensor(LUMA, device=pictures.device)[None, :, None, None]
    return (pictures * weights).sum(dim=1, keepdim=True)


def _resize(pictures: Tensor, sides: tuple[int, int]) -> Tensor:
    if tuple(pictures.shape[2:]) == tuple(sides):
        return pictures
    return torch.nn.functional.interpolate(
        pictures, size=tuple(sides), mode="bicubic", align_corners=False, antialias=True
    )
