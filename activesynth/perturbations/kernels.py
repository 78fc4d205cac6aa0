"""The corruption kernels: one image and one severity in, one corrupted image out.

Every kernel takes a float64 image ``(height, width, channels)`` with values in ``[0, 255]``, a
severity in ``(0, 1]`` and a generator of its own, and draws the same random numbers at every
severity: a larger severity is the same damage, only stronger. Lengths are relative to the
shorter side of the image, so that 8x8 and 224x224 are hurt alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.perturbations.compression import jpeg, pixelate
from activesynth.perturbations.elastic import elastic
from activesynth.perturbations.movements import motion_blur, zoom_blur
from activesynth.perturbations.noises import impulse, shot
from activesynth.perturbations.weather import brightness, fog

Kernel = Callable[[Array, float, np.random.Generator], Array]

BLUR_SIGMA = 0.15  # of the shorter side, at severity 1
NOISE_SIGMA = 0.3 * 255.0
MAX_ANGLE = 45.0  # degrees; beyond it digits and letters change their meaning
WINDOW = 0.6  # of the shorter side: 36 % of a square image is hidden at severity 1
SHADE = 0.8
FLATNESS = 0.85


def blur(image: Array, severity: float, rng: np.random.Generator) -> Array:
    """Smooth with a Gaussian whose variance is proportional to the severity."""
    from scipy.ndimage import gaussian_filter

    # Not the width: at 8x8 a third of the full width would be less than half a pixel, no blur.
    sigma = BLUR_SIGMA * min(image.shape[:2]) * severity**0.5
    blurred: Array = gaussian_filter(image, (sigma, sigma, 0.0), mode="nearest")
    return blurred


def noise(image: Array, severity: float, rng: np.random.Generator) -> Array:
    """Add white Gaussian noise to every pixel and channel."""
    noisy: Array = image + NOISE_SIGMA * severity * rng.standard_normal(image.shape)
    return noisy


def rotation(image: Array, severity: float, rng: np.random.Generator) -> Array:
    """Turn about the centre, to the left or to the right; the edge is continued outwards."""
    from scipy.ndimage import rotate

    sign = 1.0 if rng.random() < 0.5 else -1.0
    turned: Array = rotate(
        image, sign * MAX_ANGLE * severity, reshape=False, order=1, mode="nearest"
    )
    return turned


def occlusion(image: Array, severity: float, rng: np.random.Generator) -> Array:
    """Hide a square behind the image's mean colour.

    The square keeps its centre while it grows, and edge pixels are covered in part, so that
    small images do not jump from one severity to the next.
    """
    side = WINDOW * min(image.shape[:2]) * severity
    cover = np.outer(
        _covered(image.shape[0], side, rng.random()), _covered(image.shape[1], side, rng.random())
    )[:, :, None]
    hidden: Array = image * (1.0 - cover) + image.mean(axis=(0, 1)) * cover
    return hidden


def _covered(length: int, side: float, place: float) -> Array:
    """Return how much of each of ``length`` pixels a window of width ``side`` covers."""
    # The centre is drawn for the largest window, so that smaller ones lie inside larger ones.
    reach = min(WINDOW * length, float(length)) / 2.0
    centre = reach + place * (length - 2.0 * reach)
    left = np.arange(length)
    overlap = np.minimum(left + 1.0, centre + side / 2) - np.maximum(left, centre - side / 2)
    covered: Array = np.clip(overlap, 0.0, 1.0)
    return covered


def shadow(image: Array, severity: float, rng: np.random.Generator) -> Array:
    """Darken one side of a random line near the centre, with a soft edge."""
    angle = rng.uniform(0.0, 2.0 * np.pi)
    offset = rng.uniform(-0.25, 0.25)
    height, width = image.shape[:2]
    row = (np.arange(height) + 0.5) / height - 0.5
    column = (np.arange(width) + 0.5) / width - 0.5
    distance = np.sin(angle) * row[:, None] + np.cos(angle) * column[None, :] - offset
    shade = 1.0 / (1.0 + np.exp(-distance / 0.05))
    shaded: Array = image * (1.0 - SHADE * severity * shade)[:, :, None]
    return shaded


def contrast(image: Array, severity: float, rng: np.random.Generator) -> Array:
    """Pull every pixel towards the mean of its channel."""
    mean = image.mean(axis=(0, 1))
    flat: Array = mean + (image - mean) * (1.0 - FLATNESS * severity)
    return flat


KERNELS: Mapping[str, Kernel] = {
    "blur": blur,
    "noise": noise,
    "rotation": rotation,
    "occlusion": occlusion,
    "shadow": shadow,
    "contrast": contrast,
    "shot": shot,
    "impulse": impulse,
    "motion_blur": motion_blur,
    "zoom_blur": zoom_blur,
    "fog": fog,
    "brightness": brightness,
    "elastic": elastic,
    "pixelate": pixelate,
    "jpeg": jpeg,
}
