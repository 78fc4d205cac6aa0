"""Encoded pictures from outside, checked by their header before they are decoded."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from activesynth.datasets.locations import over_budget
from activesynth.datasets.parameters import Pictures
from activesynth.domain.canonical import Array
from activesynth.errors import InputError

FORMATS = ("PNG", "JPEG")
SHOWN = 10


class BadPictureError(ValueError):
    """Says what is wrong with one picture."""


def decode_picture(source: Path | bytes, parameters: Pictures) -> Array:
    """Return one picture as uint8, ``(height, width, channels)``.

    Raises:
        BadPictureError: If it is no PNG or JPEG, is damaged, or has too many pixels.
    """
    stream = io.BytesIO(source) if isinstance(source, bytes) else source
    try:
        with Image.open(stream, formats=FORMATS) as image:
            width, height = image.size
            if width * height > parameters.max_pixels:
                raise BadPictureError(
                    f"{width} x {height} pixels, more than `max_pixels` {parameters.max_pixels}"
                )
            return _pixels(image, parameters)
    except BadPictureError:
        raise
    except Image.DecompressionBombError as error:
        raise BadPictureError(f"far more pixels than `max_pixels`: {error}") from error
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise BadPictureError(f"not a readable PNG or JPEG: {error}") from error


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


class PictureCollector:
    """Gathers pictures within the byte budget, and the bad ones with what is wrong."""

    def __init__(self, parameters: Pictures) -> None:
        """Start empty."""
        self._parameters = parameters
        self._pictures: list[Array] = []
        self._bad: list[str] = []
        self._bytes = 0

    def add(self, name: str, source: Path | bytes | None) -> None:
        """Decode one picture; a bad one is remembered under ``name``.

        Raises:
            InputError: ``too_large`` when the decoded pictures exceed the budget.
        """
        try:
            if source is None:
                raise BadPictureError("the cell is empty")
            picture = decode_picture(source, self._parameters)
            if self._pictures and picture.shape != self._pictures[0].shape:
                raise BadPictureError(
                    f"{picture.shape[1]} x {picture.shape[0]} pixels, the first has "
                    f"{self._pictures[0].shape[1]} x {self._pictures[0].shape[0]}; set `size`"
                )
        except BadPictureError as error:
            self._bad.append(f"{name}: {error}")
            return
        self._bytes += picture.nbytes
        if self._bytes > self._parameters.max_bytes:
            raise over_budget("the pictures", self._bytes, self._parameters.max_bytes)
        self._pictures.append(picture)

    def stacked(self) -> Array:
        """Return all pictures, ``(n, height, width, channels)``.

        Raises:
            InputError: ``bad_picture``, listing the bad ones, or ``empty``.
        """
        if self._bad:
            raise InputError(
                f"{len(self._bad)} pictures cannot be used: {_listed(self._bad)}; "
                "repair or remove them.",
                reason="bad_picture",
            )
        if not self._pictures:
            raise InputError(
                "`source.parameters.path`: there is not a single PNG or JPEG picture.",
                reason="empty",
            )
        return np.stack(self._pictures)


def _listed(complaints: Sequence[str]) -> str:
    more = len(complaints) - SHOWN
    shown: Iterable[str] = complaints[:SHOWN]
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")
