"""All pieces, for those that hand them out and those that count them."""

from __future__ import annotations

from bad_inputs import archives, checkpoints, images, stored, tables, texts, uris
from bad_inputs.piece import Piece

PIECES: list[Piece] = [
    *archives.PIECES,
    *images.PIECES,
    *tables.PIECES,
    *checkpoints.PIECES,
    *stored.PIECES,
    *texts.PIECES,
    *uris.PIECES,
]
