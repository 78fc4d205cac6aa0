"""Images: uint8, height by width by channels."""

from __future__ import annotations

import numpy as np

from activesynth.domain.canonical import Array
from activesynth.domain.samples import SampleSet
from activesynth.errors import InputError

MIN_SIDE, MAX_SIDE = 8, 256


class ImageModality:
    """Binds corruption weaknesses to the corruption generator, all others to the chosen one."""

    name = "image"

    def check(self, samples: SampleSet) -> None:
        """Refuse rows that are no small grey or colour images.

        Raises:
            InputError: With the field, the value and the limit.
        """
        x = samples.x
        if x.dtype != np.uint8 or x.ndim != 4 or x.shape[3] not in (1, 3):
            raise InputError(
                f"`x`: images must be uint8 of shape (n, height, width, 1 or 3), got {x.dtype} "
                f"{x.shape}; convert them when reading the source.",
                reason="image_shape",
                field="x",
            )
        sides = x.shape[1:3]
        if min(sides) < MIN_SIDE or max(sides) > MAX_SIDE:
            raise InputError(
                f"`x`: image sides must be {MIN_SIDE} to {MAX_SIDE} pixels, got {sides}; "
                "set the source's target size.",
                reason="image_size",
                field="x",
            )

    def generator_for(self, weakness_kind: str, chosen: str) -> str:
        """Return ``corruption`` for corruption weaknesses, else the campaign's generator."""
        return "corruption" if weakness_kind == "corruption" else chosen

    def as_pixels(self, x: Array) -> Array:
        """Return ``(n, height, width, 3)`` uint8, grey repeated over the channels."""
        return np.repeat(x, 3, axis=3) if x.shape[3] == 1 else x
