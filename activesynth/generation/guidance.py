"""Pushing samples, while they are denoised, to where a score of a classifier rises.

The classifier is asked at the denoised estimate and never through the denoiser, so a step costs
one gradient of the classifier more. The way back from pixels to components is linear.

References:
    Dhariwal and Nichol 2021 (classifier guidance), arXiv:2105.05233; Bansal et al. 2023 (at the
    denoised estimate), arXiv:2302.07121.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor

from activesynth.domain.canonical import Array
from activesynth.domain.exchange import GenerationRequest, Guide
from activesynth.errors import InputError, ShapeError
from activesynth.generation.conditions import refuse_course
from activesynth.generation.latent_model import Course, LatentModel, Shift, SteerableModel
from activesynth.generation.latents import Latents


def shift_of(guide: Guide | None, latents: Latents) -> Shift | None:
    """Return the shift that a guide asks for; None where there is nothing to push.

    The gradient with respect to the data is brought to the components by the transpose of the
    linear map, through the clipping of pixels, and scaled per row to the length ``guide.scale``:
    one unit is one standard deviation of the training rows along that direction. Rows without a
    gradient stay where they are.

    Raises:
        ShapeError: If the guide returns gradients of another shape, when it is asked.
        InputError: If it returns NaN or infinities.
    """
    if guide is None or guide.scale == 0.0:
        return None
    return partial(_shift, guide, latents)


def course_of(
    model: LatentModel, request: GenerationRequest, latents: Latents, part: str
) -> Course:
    """Return how drawing departs from plain sampling under a request.

    Raises:
        InputError: If the model cannot do it, or the strength or the anchors do not fit.
    """
    if not isinstance(model, SteerableModel):
        refuse_course(request, part)
        return Course()
    if request.strength is None:
        return Course(shift_of(request.guide, latents))
    if not 0.0 < request.strength <= 1.0:
        raise InputError(
            f"`request.strength` is {request.strength}; it must be above 0 and at most 1. Leave it "
            "out to begin at pure noise.",
            reason="bad_strength",
        )
    if request.anchors is None or len(request.anchors) != request.count:
        found = None if request.anchors is None else len(request.anchors)
        raise InputError(
            f"`request.strength` needs one anchor for each of {request.count} samples, got "
            f"{found}; give real rows to start from, or leave the strength out.",
            reason="missing_anchors",
        )
    return Course(shift_of(request.guide, latents), request.strength)


def _shift(guide: Guide, latents: Latents, estimates: Tensor) -> Tensor:
    raw = latents.unclipped(estimates.cpu().numpy())
    is_image = latents.dtype == "uint8"
    inputs = np.clip(raw / 255.0, 0.0, 1.0) if is_image else raw
    shape = (len(raw), *latents.shape)
    slope = guide.gradient(inputs.reshape(shape).astype(np.float32))
    _check(slope, shape)
    flat = slope.reshape(len(raw), -1).astype(np.float64)
    if is_image:
        flat = flat * ((raw > 0.0) & (raw < 255.0))
    direction = latents.pull_back(flat)
    length = np.linalg.norm(direction, axis=1, keepdims=True)
    unit = np.divide(direction, length, out=np.zeros_like(direction), where=length > 0.0)
    return torch.from_numpy((guide.scale * unit).astype(np.float32)).to(estimates.device)


def _check(slope: Array, shape: tuple[int, ...]) -> None:
    if slope.shape != shape:
        raise ShapeError(
            f"`guide.gradient` must return an array like its argument, {shape}, got {slope.shape}."
        )
    if not np.isfinite(slope).all():
        raise InputError(
            "`guide.gradient` returned NaN or an infinity; look for extreme weights in the model "
            "that guides, or generate without guidance.",
            reason="guide_not_finite",
        )
