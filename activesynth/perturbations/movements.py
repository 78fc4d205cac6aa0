"""Blur of a camera that moves while the shutter is open."""

from __future__ import annotations

import math

import numpy as np

from activesynth.domain.canonical import Array

MOTION = 0.4  # of the shorter side: how far the camera moves at severity 1
ZOOM = 0.5  # how much nearer it comes at severity 1
FEWEST, MOST = 16, 64  # moments that the exposure is averaged over


def motion_blur(image: Array, severity: float, rng: np.random.Generator) -> Array:
    """Average the image along a straight movement in a random direction."""
    angle = rng.uniform(0.0, np.pi)
    length = MOTION * min(image.shape[:2]) * severity
    moments = _moments(2.0 * length) - 0.5
    down, right = length * np.sin(angle) * moments, length * np.cos(angle) * moments
    weights = _line_weights(down, right)
    reach = weights.shape[0] // 2
    padded = np.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
    height, width = image.shape[:2]
    blurred = np.zeros_like(image)
    # A line touches few cells, so adding shifted copies beats a full convolution.
    for row, column in zip(*np.nonzero(weights), strict=True):
        blurred += weights[row, column] * padded[row : row + height, column : column + width]
    return blurred


def _line_weights(down: Array, right: Array) -> Array:
    """Return how much each whole shift counts, by linear interpolation, ``(2 r + 1, 2 r + 1)``."""
    reach = math.ceil(max(np.abs(down).max(), np.abs(right).max()))
    weights = np.zeros((2 * reach + 2, 2 * reach + 2))
    top, left = np.floor(down).astype(np.int64), np.floor(right).astype(np.int64)
    below, beside = down - top, right - left
    for row, row_share in ((0, 1.0 - below), (1, below)):
        for column, column_share in ((0, 1.0 - beside), (1, beside)):
            place = (top + row + reach, left + column + reach)
            np.add.at(weights, place, row_share * column_share / len(down))
    return weights[:-1, :-1]


def zoom_blur(image: Array, severity: float, rng: np.random.Generator) -> Array:
    """Average the image while it grows about its centre."""
    nearer = ZOOM * severity
    moments = _moments(nearer * max(image.shape[:2]) / 4.0)
    blurred = np.zeros_like(image)
    for zoom in 1.0 + nearer * moments:
        blurred += _zoomed(_zoomed(image, float(zoom), 0), float(zoom), 1)
    averaged: Array = blurred / len(moments)
    return averaged


def _zoomed(image: Array, zoom: float, axis: int) -> Array:
    """Stretch one axis about its middle, by linear interpolation; ``zoom`` is 1 or more."""
    length = image.shape[axis]
    middle = (length - 1) / 2.0
    place = middle + (np.arange(length) - middle) / zoom
    first = np.clip(np.floor(place).astype(np.int64), 0, max(0, length - 2))
    share = np.expand_dims(place - first, tuple(n for n in range(image.ndim) if n != axis))
    following = np.minimum(first + 1, length - 1)
    near, far = np.take(image, first, axis=axis), np.take(image, following, axis=axis)
    stretched: Array = near + share * (far - near)
    return stretched


def _moments(pixels: float) -> Array:
    """Return evenly spread moments in (0, 1), about one for each of so many pixels."""
    count = min(max(FEWEST, math.ceil(pixels)), MOST)
    moments: Array = (np.arange(count) + 0.5) / count
    return moments
