"""Rows for a terminal: pictures with two pixels per character cell, others as numbers."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array

RESET = "\x1b[0m"
UPPER_HALF = "▀"


def fitted(picture: Array, columns: int) -> Array:
    """Bring a picture to at most ``columns`` wide: average when larger, repeat when much smaller.

    Args:
        picture: uint8, shape ``(height, width, 3)``.
        columns: Widest result, in pixels.

    Returns:
        uint8, shape ``(h, w, 3)`` with ``h`` and ``w`` at most ``columns``.
    """
    side = max(picture.shape[:2])
    if side <= columns:
        factor = max(1, columns // (2 * side))
        return np.repeat(np.repeat(picture, factor, axis=0), factor, axis=1)
    height, width = (max(1, length * columns // side) for length in picture.shape[:2])
    rows = np.arange(height) * picture.shape[0] // height
    cols = np.arange(width) * picture.shape[1] // width
    sums = np.add.reduceat(np.add.reduceat(picture.astype(np.int64), rows, axis=0), cols, axis=1)
    sizes = np.outer(np.diff([*rows, picture.shape[0]]), np.diff([*cols, picture.shape[1]]))
    averaged: Array = (sums // sizes[..., np.newaxis]).astype(np.uint8)
    return averaged


def as_blocks(picture: Array, columns: int = 64) -> str:
    """Draw a picture with half blocks in 24-bit colours, a line per two rows of pixels.

    Args:
        picture: uint8, shape ``(height, width, 3)``.
        columns: Widest drawing, in characters.
    """
    pixels = fitted(picture, columns)
    if len(pixels) % 2:
        pixels = np.concatenate([pixels, np.zeros_like(pixels[:1])])
    lines = [
        "".join(
            f"\x1b[38;2;{_rgb(upper)};48;2;{_rgb(lower)}m{UPPER_HALF}"
            for upper, lower in zip(pixels[row], pixels[row + 1], strict=True)
        )
        for row in range(0, len(pixels), 2)
    ]
    return "\n".join(line + RESET for line in lines) + "\n"


def as_numbers(row: Array, columns: int = 80) -> str:
    """Write a row that is no picture as its numbers, the middle left out where there are many."""
    return np.array2string(row, max_line_width=columns, precision=4, threshold=200) + "\n"


def _rgb(pixel: Array) -> str:
    return f"{pixel[0]};{pixel[1]};{pixel[2]}"
