"""Generated pictures: four classes, 8 x 8 grey pixels, groups of four, spectra like photographs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.fft import idctn

from activesynth.domain.canonical import Array

CLASSES, SIDE, GROUP = 4, 8, 4
_AT_ONCE = 50_000


def pictures(count: int, seed: int = 0) -> tuple[Array, Array, Array]:
    """Return uint8 ``(count, 8, 8, 1)``, labels and the names of their groups.

    Frequencies have amplitudes that fall as 1 / f^1.5, as those of photographs do: what is a near
    duplicate then lies as far from other rows as it does in real data, and not by the design of a
    drawing.
    """
    rng = np.random.default_rng(seed)
    frequency = np.hypot(*np.meshgrid(np.arange(SIDE), np.arange(SIDE)))
    amplitude = 1.0 / (1.0 + frequency) ** 1.5
    templates = 1.5 * amplitude * rng.normal(size=(CLASSES, SIDE, SIDE))
    y = rng.integers(0, CLASSES, count)
    x = np.empty((count, SIDE, SIDE, 1), np.uint8)
    for start in range(0, count, _AT_ONCE):
        part = slice(start, min(start + _AT_ONCE, count))
        noise = rng.normal(size=(part.stop - start, SIDE, SIDE))
        spectrum = templates[y[part]] + amplitude * noise
        drawn = idctn(spectrum, axes=(1, 2), norm="ortho")
        x[part, :, :, 0] = np.clip(128 + 160 * drawn, 0, 255)
    return x, y, (np.arange(count) // GROUP).astype(str)


def vectors(count: int, dimension: int = 16, seed: int = 0) -> Array:
    """Return ``(count, dimension)`` float32 in 64 clusters, like embeddings of tiny pictures."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(size=(64, dimension))
    chosen = centres[rng.integers(0, len(centres), count)]
    noise = rng.normal(scale=0.3, size=(count, dimension))
    return np.asarray(chosen + noise, np.float32)


def write_source(path: Path, count: int) -> None:
    """Write the pictures as an archive that the source ``npz`` reads."""
    x, y, groups = pictures(count)
    np.savez(path, x=x, y=y, groups=groups)
