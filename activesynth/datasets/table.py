"""A table that lies beside an archive: a CSV file whose lines are the archive's rows."""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from pathlib import Path

import numpy as np

from activesynth.datasets.arrays import over_budget
from activesynth.datasets.labels import as_texts
from activesynth.datasets.refusals import printable
from activesynth.domain.canonical import Array
from activesynth.errors import InputError

TABLE = "source.parameters.table"
CHUNK = 1 << 20
LONGEST_CELL = 100_000


def read_table(path: Path, max_bytes: int) -> dict[str, Array]:
    """Return the columns by their name in the header, each ``(lines,)`` unicode.

    A file whose name ends in ``.gz`` is unpacked, within the budget like any other.

    Raises:
        InputError: ``unreadable`` where it is no CSV in UTF-8 with as many cells in every line,
            ``ambiguous`` where two columns have one name, or ``too_large``.
    """
    csv.field_size_limit(LONGEST_CELL)
    try:
        lines = list(csv.reader(io.StringIO(_text(path, max_bytes), newline=""), strict=True))
    except (OSError, EOFError, zlib.error, csv.Error, UnicodeDecodeError) as error:
        raise _bad(path, "unreadable", f"cannot be read ({printable(str(error))})") from error
    if not lines:
        raise _bad(path, "unreadable", "is empty; the first line names the columns")
    header, body = lines[0], [line for line in lines[1:] if line]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise _bad(path, "ambiguous", f"has two columns called {printable(twice[0], 60)!r}")
    for number, line in enumerate(body):
        if len(line) != len(header):
            finding = f"has {len(line)} cells in row {number} under a header of {len(header)}"
            raise _bad(path, "unreadable", finding)
    return {
        name: as_texts([line[place] for line in body]) if body else np.array([], np.str_)
        for place, name in enumerate(header)
    }


def _text(path: Path, max_bytes: int) -> str:
    """Return what the file holds, without ever holding more of it than the budget."""
    parts: list[bytes] = []
    size = 0
    with gzip.open(path) if path.name.endswith(".gz") else path.open("rb") as stream:
        while part := stream.read(CHUNK):
            size += len(part)
            if size > max_bytes:
                raise over_budget(f"the table {path.name!r}", size, max_bytes)
            parts.append(part)
    return b"".join(parts).decode("utf-8-sig")


def _bad(path: Path, reason: str, finding: str) -> InputError:
    return InputError(
        f"`{TABLE}`: {path.name!r} {finding}; write it as CSV in UTF-8, or leave it out.",
        reason=reason,
        field=TABLE,
    )
