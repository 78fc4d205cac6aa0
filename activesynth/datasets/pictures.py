"""Encoded pictures from outside, checked by their header before they are decoded."""

from __future__ import annotations

import io
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from activesynth.datasets.arrays import over_budget
from activesynth.datasets.parameters import Pictures
from activesynth.datasets.refusals import ItemError, Refusals
from activesynth.datasets.rows import Working
from activesynth.domain.canonical import Array

FORMATS = ("PNG", "JPEG")


def decode_picture(source: Path | bytes, parameters: Pictures) -> Array:
    """Return one picture as uint8, ``(height, width, channels)``.

    Raises:
        ItemError: ``bad_picture`` if it is no PNG or JPEG or is damaged, ``oversized_picture`` if
            it has too many pixels, ``animated_picture`` if it has several frames.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with Image.open(stream, formats=FORMATS) as image:
            width, height = image.size
            if width * height > parameters.max_pixels:
                raise ItemError(
                    "oversized_picture",
                    f"{width} x {height} pixels, more than `max_pixels` {parameters.max_pixels}",
                )
            frames = int(getattr(image, "n_frames", 1))
            if frames > 1 and image.format == "PNG":
                raise ItemError("animated_picture", f"{frames} frames, a picture has one")
            return _pixels(image, parameters)
    except ItemError:
        raise
    except Image.DecompressionBombError as error:
        raise ItemError(
            "oversized_picture", f"far more pixels than `max_pixels`: {error}"
        ) from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        finding = "no such header" if isinstance(error, UnidentifiedImageError) else error
        raise ItemError("bad_picture", f"not a readable PNG or JPEG: {finding}") from error


def _pixels(image: Image.Image, parameters: Pictures) -> Array:
    if image.mode.startswith("I"):  # 16-bit greys, which convert() would clip to white
        wide = np.asarray(image).astype(np.int64)
        flat: Image.Image = Image.fromarray((np.clip(wide, 0, 65535) >> 8).astype(np.uint8))
    else:
        flat = ImageOps.exif_transpose(image)
    flat = flat.convert(parameters.mode)
    if parameters.size is not None and flat.size != (parameters.size, parameters.size):
        flat = flat.resize((parameters.size, parameters.size), Image.Resampling.BILINEAR)
    pixels = np.asarray(flat, np.uint8)
    return pixels[..., np.newaxis] if pixels.ndim == 2 else pixels


@dataclass(frozen=True, slots=True)
class _Picture:
    """A decoded picture, its name, and what else is known about it."""

    name: str
    pixels: Array
    facts: Any


class PictureCollector:
    """Gathers pictures within the byte budget, and refuses the bad ones."""

    def __init__(self, parameters: Pictures, refusals: Refusals, working: Working) -> None:
        """Start empty."""
        self._parameters = parameters
        self._refusals = refusals
        self._working = working
        self._pictures: list[_Picture] = []
        self._bytes = 0

    def add(self, name: str, source: Path | bytes | None, facts: Any) -> None:
        """Decode one picture, which is called ``name`` and of which ``facts`` are known.

        Raises:
            InputError: ``too_large`` when the decoded pictures exceed the budget.
        """
        self._working(name)
        try:
            if source is None:
                raise ItemError("empty_cell", "there is no picture in the cell")
            pixels = decode_picture(source, self._parameters)
        except ItemError as error:
            self._refusals.add(name, error)
            return
        self._bytes += pixels.nbytes
        if self._bytes > self._parameters.max_bytes:
            raise over_budget("the pictures", self._bytes, self._parameters.max_bytes)
        self._pictures.append(_Picture(name, pixels, facts))

    def stacked(self) -> tuple[Array, list[str], list[Any]]:
        """Return the pictures of the commonest size with their names and facts.

        The others are refused as ``picture_size``. Without any picture the array has no rows.
        """
        if not self._pictures:
            return np.zeros((0, 1, 1, 1), np.uint8), [], []
        counts = Counter(picture.pixels.shape for picture in self._pictures)
        height, width, channels = max(counts, key=lambda shape: counts[shape])
        kept = []
        for picture in self._pictures:
            if picture.pixels.shape == (height, width, channels):
                kept.append(picture)
                continue
            other = f"{picture.pixels.shape[1]} x {picture.pixels.shape[0]} pixels"
            error = ItemError("picture_size", f"{other}, most have {width} x {height}; set `size`")
            self._refusals.add(picture.name, error)
        x = np.stack([picture.pixels for picture in kept])
        return x, [picture.name for picture in kept], [picture.facts for picture in kept]
