"""Corruptions of uint8 images whose rows depend on their own seed alone."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.errors import ConfigurationError, InputError, ShapeError
from activesynth.perturbations.kernels import KERNELS

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def row_seeds(seed: int, rows: int) -> Array:
    """Return one uint64 seed per row position, ``(rows,)``: the SplitMix64 sequence of ``seed``.

    A row's seed depends on ``seed`` and its position, not on how many rows there are.

    References:
        Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195.
    """
    with np.errstate(over="ignore"):
        z = np.uint64(seed % 2**64) + _GOLDEN * np.arange(1, rows + 1, dtype=np.uint64)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Array = z ^ (z >> np.uint64(31))
    return mixed


def apply(name: str, x: Array, *, severity: float | Array, seed: int | Array) -> Array:
    """Return a corrupted copy of the images ``x``.

    Severity 0 is the identity; a larger severity does the same damage, only stronger.

    Args:
        name: One of ``KERNELS``: ``blur``, ``noise``, ``rotation``, ``jpeg`` and so on.
        x: Images, uint8 ``(n, height, width, channels)``.
        severity: In ``[0, 1]``, for all rows or one per row ``(n,)``.
        seed: A number from which every row position derives its own seed, or one uint64 seed
            per row ``(n,)``.

    Returns:
        Images of the same shape and dtype; each row depends on its own pixels, severity and seed.

    Raises:
        ConfigurationError: If there is no such corruption.
        InputError: If a severity lies outside ``[0, 1]``.
        ShapeError: If ``x`` is not uint8 ``(n, height, width, channels)``, or seeds or severities
            are not one per row.
    """
    kernel = KERNELS.get(name)
    if kernel is None:
        raise ConfigurationError(f"unknown corruption {name!r}; there are: {', '.join(KERNELS)}.")
    if x.ndim != 4 or x.dtype != np.uint8:
        raise ShapeError(
            f"corruption {name!r} needs uint8 images (n, height, width, channels), "
            f"got {x.dtype} {x.shape}; convert the rows to uint8 pixels first."
        )
    strength = _per_row("severity", severity, len(x), np.float64)
    if not ((strength >= 0.0) & (strength <= 1.0)).all():
        raise InputError(
            f"severity must lie in [0, 1], got {strength.min():g} to {strength.max():g}; "
            "divide by the largest severity you use.",
            reason="severity",
        )
    seeds = row_seeds(seed, len(x)) if isinstance(seed, int | np.integer) else seed
    seeds = _per_row("seed", seeds, len(x), np.uint64)

    result = x.copy()
    for row in np.flatnonzero(strength):
        rng = np.random.Generator(np.random.PCG64(int(seeds[row])))
        corrupted = kernel(x[row].astype(np.float64), float(strength[row]), rng)
        result[row] = np.rint(np.clip(corrupted, 0.0, 255.0)).astype(np.uint8)
    return result


def _per_row(what: str, value: float | Array, rows: int, dtype: type[np.generic]) -> Array:
    values = np.asarray(value, dtype)
    if values.ndim == 0:
        return np.full(rows, values)
    if values.shape != (rows,):
        raise ShapeError(f"{what} must be one number or {rows}, one per row; got {values.shape}")
    return values


class ImageCorruption:
    """A corruption of images under the name of its kernel."""

    name = ""

    def apply(self, x: Array, *, severity: float, seed: int) -> Array:
        """Return a corrupted copy of ``x``; see :func:`apply`."""
        return apply(self.name, x, severity=severity, seed=seed)


class Blur(ImageCorruption):
    """Out of focus."""

    name = "blur"


class Noise(ImageCorruption):
    """A noisy sensor."""

    name = "noise"


class Rotation(ImageCorruption):
    """A turned camera."""

    name = "rotation"


class Occlusion(ImageCorruption):
    """Something in front of the object."""

    name = "occlusion"


class Shadow(ImageCorruption):
    """Part of the scene in the shade."""

    name = "shadow"


class Contrast(ImageCorruption):
    """Haze, or a washed-out exposure."""

    name = "contrast"


class Shot(ImageCorruption):
    """A sensor that catches too little light."""

    name = "shot"


class Impulse(ImageCorruption):
    """Broken cells of a sensor, or lost bits."""

    name = "impulse"


class MotionBlur(ImageCorruption):
    """A camera that moved sideways."""

    name = "motion_blur"


class ZoomBlur(ImageCorruption):
    """A camera that moved towards the object."""

    name = "zoom_blur"


class Fog(ImageCorruption):
    """Fog or smoke in the scene."""

    name = "fog"


class Brightness(ImageCorruption):
    """An exposure that was too long."""

    name = "brightness"


class Elastic(ImageCorruption):
    """Uneven glass, or a crumpled page."""

    name = "elastic"


class Pixelate(ImageCorruption):
    """A picture that was enlarged from few pixels."""

    name = "pixelate"


class Jpeg(ImageCorruption):
    """A picture that was stored in too few bytes."""

    name = "jpeg"
