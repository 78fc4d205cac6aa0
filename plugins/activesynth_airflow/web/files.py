"""What pages load: our scripts and styles, plotly from its wheel, and pictures of samples."""

from __future__ import annotations

import io
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from fastapi import APIRouter, HTTPException
from starlette.responses import Response

from activesynth.domain.canonical import Array
from activesynth.errors import MissingArtifactError, PlatformStateError
from activesynth_airflow.web.access import READING
from activesynth_airflow.web.door import Door, Doors

router = APIRouter(dependencies=READING)

FOLDER = Path(__file__).parent / "static"
KINDS = {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
EDGE = 512
"""Pixels: what is larger is made smaller before it is sent."""
KEPT = {"Cache-Control": "private, max-age=3600"}


@router.get("/static/{name}")
def static(name: str) -> Response:
    """Return a file of ours, or plotly.js; the names are those that lie in one folder."""
    if name == "plotly.min.js":
        return Response(_plotly(), media_type="text/javascript", headers=KEPT)
    path = _static_files().get(name)
    if path is None:
        raise HTTPException(404)
    return Response(path.read_bytes(), media_type=KINDS[path.suffix], headers=KEPT)


@router.get("/campaigns/{campaign}/pictures/{sample}")
def picture(campaign: str, sample: str, doors: Doors) -> Response:
    """Return the picture of a sample, drawn anew from its numbers."""
    place = doors.platform.reader.sample_place(campaign, sample)
    if place is None:
        raise HTTPException(404)
    return draw(doors, campaign, str(place["shard"]), int(place["row"]))


def draw(doors: Door, campaign: str, shard: str, row: int) -> Response:
    """Return a row as PNG; what its source sent is never passed on.

    Raises:
        HTTPException: 404 where the row is gone, or is no picture.
    """
    try:
        rows = doors.shard(shard)
    except MissingArtifactError as error:
        raise HTTPException(404, str(error)) from None
    if not 0 <= row < len(rows):
        raise HTTPException(404)
    pixels = doors.modality(doors.manifest(campaign)).as_pixels(rows.x[row : row + 1])
    if pixels is None:
        raise HTTPException(404, "samples of this kind of data have no picture.")
    return Response(png(pixels[0]), media_type="image/png", headers=KEPT)


def png(pixels: Array) -> bytes:
    """Encode ``(height, width, 3)`` uint8 as PNG, no edge longer than 512 pixels."""
    from PIL import Image

    image: Any = Image.fromarray(pixels)
    image.thumbnail((EDGE, EDGE))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()


@cache
def _static_files() -> dict[str, Path]:
    return {path.name: path for path in FOLDER.iterdir() if path.suffix in KINDS}


@cache
def _plotly() -> bytes:
    spec = find_spec("plotly")
    for folder in spec.submodule_search_locations or [] if spec else []:
        found = Path(folder) / "package_data" / "plotly.min.js"
        if found.exists():
            return found.read_bytes()
    raise PlatformStateError("plotly is not installed; run `make setup`.")
