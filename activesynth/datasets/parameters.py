"""What each source can be told, checked when a campaign file is read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

GIBIBYTE = 1 << 30
MAX_PIXELS = 50_000_000
Budget = Annotated[int, Field(ge=1024, le=1 << 40)]
Side = Annotated[int, Field(ge=4, le=2048)]
Shape = tuple[Side, Side] | tuple[Side, Side, Literal[1, 3]]
Attributes = tuple[Annotated[str, Field(pattern=r"^[\w .-]{1,60}$")], ...]


class Budgets(BaseModel):
    """How much a source may cost, and how much of it may be bad.

    ``max_bytes`` is the largest decoded size of everything together, ``max_rows`` the largest
    number of items, ``max_seconds`` the longest time that decoding may take (and, apart from that,
    fetching). Bad items are left out and listed; more than the share ``max_refused`` of all items
    refuses the whole source.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    max_bytes: Budget = 2 * GIBIBYTE
    max_rows: Annotated[int, Field(ge=1, le=100_000_000)] = 1_000_000
    max_seconds: Annotated[int, Field(ge=1, le=86_400)] = 900
    max_refused: Annotated[float, Field(ge=0.0, lt=1.0)] = 0.1


class SourceParameters(Budgets):
    """What all sources that read files share; a relative ``path`` is resolved when it is read."""

    path: Path


class NpzParameters(SourceParameters):
    """An npz archive; names of arrays that are not given are guessed from the usual ones.

    ``attributes`` names arrays of texts or numbers that say something about each row. ``rows`` is
    the first row that is read and the one to stop before, so that one archive can serve a campaign
    and, with other rows, the corpus of a generator. ``table`` is a CSV file, perhaps gzipped, with
    a header and a line for every row of the archive in the same order; ``groups`` and
    ``attributes`` that the archive has not are looked up in it.
    """

    x: str | None = None
    y: str | None = None
    groups: str | None = None
    classes: str | None = None
    attributes: Attributes = ()
    rows: tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(ge=1)]] | None = None
    table: Path | None = None

    @field_validator("rows")
    @classmethod
    def _is_a_range(cls, rows: tuple[int, int] | None) -> tuple[int, int] | None:
        if rows is not None and rows[0] >= rows[1]:
            raise ValueError("needs a first row under the one to stop before, as in [0, 1000]")
        return rows


class Pictures(SourceParameters):
    """How encoded pictures are decoded.

    ``size`` is the side in pixels that every picture is resized to; without it all must have the
    same size already. ``mode`` is three channels or one. A picture of more than ``max_pixels`` is
    refused by its header, before it is decoded.
    """

    size: Side | None = None
    mode: Literal["RGB", "L"] = "RGB"
    max_pixels: Annotated[int, Field(ge=16, le=1_000_000_000)] = MAX_PIXELS


class FolderParameters(Pictures):
    """A folder of class folders; pictures in the folder called ``unlabelled`` have no label.

    ``group_pattern`` is a regular expression over the file name; what its first parentheses match
    is the group that no split may separate (a patient, a movie). ``attributes`` is one over the
    path below ``path``, whose named groups ``(?P<name>...)`` are what is known of each picture.
    """

    unlabelled: str = "unlabelled"
    group_pattern: Annotated[str, Field(max_length=500)] | None = None
    attributes: Annotated[str, Field(max_length=500)] | None = None

    @field_validator("group_pattern")
    @classmethod
    def _has_a_group(cls, pattern: str | None) -> str | None:
        if pattern is not None and _compiled(pattern).groups < 1:
            raise ValueError("needs one pair of parentheses around the group's name")
        return pattern

    @field_validator("attributes")
    @classmethod
    def _names_its_groups(cls, pattern: str | None) -> str | None:
        if pattern is not None and not _compiled(pattern).groupindex:
            raise ValueError("needs a named group for each attribute, as in '(?P<camera>c[0-9])'")
        return pattern


class ParquetParameters(Pictures):
    """A parquet file, or a folder of them, with encoded pictures in one column.

    ``attributes`` names columns of texts or numbers that say something about each row.
    """

    image: str = "image"
    label: str = "label"
    group: str | None = None
    attributes: Attributes = ()


class OpenmlParameters(Budgets):
    """A dataset of openml.org by name and version, its numeric columns as one row per sample.

    ``target`` is the column with the label, the dataset's own default target unless given;
    ``group`` and ``attributes`` name further columns that are no input. ``shape`` (height, width
    and perhaps channels) makes pictures of rows of pixels; ``auto`` makes square grey ones where
    rows are n x n whole numbers from 0 to 255, n at least 8, and null never makes any.
    """

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.()+,-]{0,99}$")]
    version: Annotated[int, Field(ge=1, le=10_000)] = 1
    target: str | None = None
    group: str | None = None
    attributes: Attributes = ()
    shape: Shape | Literal["auto"] | None = "auto"


def _compiled(pattern: str) -> re.Pattern[str]:
    try:
        return re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression: {error}") from error
