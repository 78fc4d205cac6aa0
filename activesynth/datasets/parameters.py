"""What each source can be told, checked when a campaign file is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

GIBIBYTE = 1 << 30
Budget = Annotated[int, Field(ge=1024)]
Side = Annotated[int, Field(ge=4, le=2048)]


class SourceParameters(BaseModel):
    """What all sources that read files share.

    ``path`` may be relative: it starts at the folder in ``ACTIVESYNTH_DATA``, or at the working
    directory where that is not set. ``max_bytes`` is the
    largest decoded size of everything together; the source refuses before it would hold more.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    path: Path
    max_bytes: Budget = 2 * GIBIBYTE


class NpzParameters(SourceParameters):
    """An npz archive; names of arrays that are not given are guessed from the usual ones."""

    x: str | None = None
    y: str | None = None
    groups: str | None = None
    classes: str | None = None


class Pictures(SourceParameters):
    """How encoded pictures are decoded.

    ``size`` is the side in pixels that every picture is resized to; without it all must have the
    same size already. ``mode`` is three channels or one. A picture of more than ``max_pixels`` is
    refused by its header, before it is decoded.
    """

    size: Side | None = None
    mode: Literal["RGB", "L"] = "RGB"
    max_pixels: Annotated[int, Field(ge=16)] = 50_000_000


class FolderParameters(Pictures):
    """A folder of class folders; pictures in the folder called ``unlabelled`` have no label.

    ``group_pattern`` is a regular expression over the file name; what its first parentheses match
    is the group that no split may separate (a patient, a movie).
    """

    unlabelled: str = "unlabelled"
    group_pattern: str | None = None

    @field_validator("group_pattern")
    @classmethod
    def _compiles(cls, pattern: str | None) -> str | None:
        try:
            groups = re.compile(pattern).groups if pattern is not None else 1
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        if groups < 1:
            raise ValueError("needs one pair of parentheses around the group's name")
        return pattern


class ParquetParameters(Pictures):
    """A parquet file, or a folder of them, with encoded pictures in one column."""

    image: str = "image"
    label: str = "label"
    group: str | None = None
