"""Fog between camera and object, and too much light."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array

DENSITY = 0.9  # of the light that is fog where it is thickest, at severity 1
THINNEST = 0.5  # of the thickest
BRIGHTER = 0.6  # of the full range, at severity 1
PATCHES = (2, 4, 8)  # per side; each finer layer counts half as much


def fog(image: Array, severity: float, rng: np.random.Generator) -> Array:
    """Blend with white, through patches of fog that are larger than details of the object."""
    thickness = _cloud(image.shape[0], image.shape[1], rng)
    share = (DENSITY * severity) * (THINNEST + (1.0 - THINNEST) * thickness)[:, :, None]
    foggy: Array = image + share * (255.0 - image)
    return foggy


def _cloud(height: int, width: int, rng: np.random.Generator) -> Array:
    """Return value noise of three octaves, ``(height, width)`` in ``[0, 1]``.

    References:
        Perlin 1985, doi:10.1145/325165.325247 (the sum of octaves).
    """
    cloud, total, weight = np.zeros((height, width)), 0.0, 1.0
    for patches in PATCHES:
        grid = rng.random((patches + 1, patches + 1))
        cloud += weight * (_between(height, patches) @ grid @ _between(width, patches).T)
        total += weight
        weight /= 2.0
    return cloud / total


def _between(length: int, patches: int) -> Array:
    """Return the matrix that interpolates ``patches + 1`` nodes at ``length`` pixel centres."""
    place = (np.arange(length) + 0.5) / length * patches
    nodes = np.arange(patches + 1)
    matrix: Array = np.maximum(0.0, 1.0 - np.abs(place[:, None] - nodes[None, :]))
    return matrix


def brightness(image: Array, severity: float, rng: np.random.Generator) -> Array:
    """Expose for too long: every value grows alike until it is white."""
    brighter: Array = np.minimum(image + BRIGHTER * 255.0 * severity, 255.0)
    return brighter
