"""Tables of predictions in CSV, Parquet or npz, read column by column within a budget.

``predictions_apart`` is the door: it reads in a process of its own, as sources are read.
"""

from __future__ import annotations

import csv
import sys
import tokenize
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from activesynth.datasets.decoder_errors import DecoderErrors
from activesynth.datasets.parameters import SourceParameters
from activesynth.datasets.rows import Working
from activesynth.datasets.sandbox import decode_arrays_apart
from activesynth.domain.canonical import Array
from activesynth.domain.prediction_tables import DRAW, FIELD, PROB
from activesynth.errors import InputError

MAX_BYTES = 1 << 30
MAX_ROWS = 5_000_000
MAX_COLUMNS = 20_000


NAMES, COLUMN = "names", "column."
ERRORS = DecoderErrors(FIELD, FIELD, FIELD, "diagnose a sample of the rows")


class PredictionParameters(SourceParameters):
    """A table of predictions: a file of at most 1 GiB, read within 10 minutes."""

    max_bytes: int = MAX_BYTES
    max_seconds: int = 600


def predictions_apart(path: Path) -> dict[str, Array]:
    """Return what :func:`read_columns` does, read by a process that can hurt nobody.

    Raises:
        InputError: As :func:`read_columns`, or as :func:`decode_arrays_apart`.
        PlatformStateError: ``no_decoder`` if that process cannot be started.
    """
    _reader_of(path)
    found = decode_arrays_apart(
        f"{__name__}:read", PredictionParameters(path=path.absolute()), ERRORS
    )
    return {str(name): found[f"{COLUMN}{k}"] for k, name in enumerate(found[NAMES])}


def read(parameters: PredictionParameters, working: Working) -> dict[str, Array]:
    """Read a table for :func:`predictions_apart`; columns are numbered, their names come beside."""
    working(parameters.path.name)
    columns = read_columns(parameters.path)
    numbered = {f"{COLUMN}{k}": column for k, column in enumerate(columns.values())}
    return {NAMES: np.array(list(columns), np.str_), **numbered}


def read_columns(path: Path) -> dict[str, Array]:
    """Return the columns of a table by name, texts or numbers, ``(n,)`` each.

    An npz archive may hold ``probs`` ``(n, classes)``, ``draws`` ``(draws, n, classes)`` and
    ``classes`` ``(classes,)`` instead of a column for each; they come out as such columns.

    Raises:
        InputError: ``missing_path``, ``unsupported``, ``unreadable``, ``too_large``,
            ``duplicate_column``, ``missing_column``, ``pickled`` or ``shape``.
    """
    return _reader_of(path)(path)


def _reader_of(path: Path) -> Callable[[Path], dict[str, Array]]:
    if not path.is_file():
        raise InputError(
            f"--predictions: there is no file {str(path)!r}; give the path of a .csv, .parquet or "
            ".npz file.",
            reason="missing_path",
            field=FIELD,
        )
    readers = {".csv": _read_csv, ".parquet": _read_parquet, ".npz": _read_npz}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"--predictions: {path.name!r} is no .csv, .parquet or .npz file; save the table as "
            "one of them.",
            reason="unsupported",
            field=FIELD,
        )
    _within("the file", path.stat().st_size, MAX_BYTES, "bytes")
    return reader


def _within(what: str, size: int, limit: int, unit: str) -> None:
    if size > limit:
        raise InputError(
            f"--predictions: {what} has {size} {unit}, the limit is {limit}; diagnose a sample of "
            "the rows.",
            reason="too_large",
            field=FIELD,
        )


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"--predictions: {path.name!r} is no readable {path.suffix[1:].lower()} file: {error}",
        reason="unreadable",
        field=FIELD,
    )


def _check_names(names: list[str]) -> None:
    _within("the table", len(names), MAX_COLUMNS, "columns")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(
            f"--predictions: the column {twice[0]!r} is there more than once; keep one.",
            reason="duplicate_column",
            field=FIELD,
        )


def _read_csv(path: Path) -> dict[str, Array]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = csv.reader(file, strict=True)
            names = [name.strip() for name in next(rows, [])]
            _check_names(names)
            cells = list(_csv_rows(rows, len(names)))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _unreadable(path, error) from error
    columns = list(zip(*cells, strict=True)) or [()] * len(names)
    return {name: _csv_column(name, cells) for name, cells in zip(names, columns, strict=True)}


def _csv_column(name: str, cells: Sequence[str]) -> Array:
    """Return texts, or numbers where there should be some and there are: a quarter of the bytes."""
    texts = np.array(cells, dtype=str)
    if not name.startswith((PROB, DRAW)):
        return texts
    try:
        return texts.astype(np.float64)
    except ValueError:
        return texts


def _csv_rows(rows: Iterator[list[str]], width: int) -> Iterator[list[str]]:
    for number, row in enumerate((row for row in rows if row), 1):
        _within("the table", number, MAX_ROWS, "rows or more")
        if len(row) != width:
            raise InputError(
                f"--predictions: row {number} has {len(row)} cells, the header has {width}; quote "
                "cells that hold commas.",
                reason="shape",
                field=FIELD,
            )
        yield [sys.intern(cell.strip()) for cell in row]


def _read_parquet(path: Path) -> dict[str, Array]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            _check_names(list(file.schema_arrow.names))
            _within("the table", file.metadata.num_rows, MAX_ROWS, "rows")
            groups = [file.metadata.row_group(k) for k in range(file.metadata.num_row_groups)]
            _within("the table", sum(g.total_byte_size for g in groups), MAX_BYTES, "bytes")
            table = file.read()
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from error
    return {name: _arrow_column(table[name].to_pylist()) for name in table.column_names}


def _arrow_column(values: list[Any]) -> Array:
    if values and all(isinstance(value, float | int) for value in values):
        return np.array(values)
    return np.array(["" if value is None else str(value) for value in values], dtype=str)


def _read_npz(path: Path) -> dict[str, Array]:
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = _npz_arrays(archive)
    # A header that is no literal is tokenised by numpy.
    except (zipfile.BadZipFile, zlib.error, tokenize.TokenError) as error:
        raise _unreadable(path, error) from error
    except (ValueError, OSError, RuntimeError, EOFError) as error:
        raise _unreadable(path, error) from error
    return _split_up(arrays)


def _npz_arrays(archive: zipfile.ZipFile) -> dict[str, Array]:
    entries = {i.filename.removesuffix(".npy"): i for i in archive.infolist()}
    _check_names([i.filename.removesuffix(".npy") for i in archive.infolist()])
    total = 0
    arrays: dict[str, Array] = {}
    for name, entry in entries.items():
        with archive.open(entry) as stream:
            shape, _, dtype = _header(stream)
        if dtype.hasobject:
            raise InputError(
                f"--predictions: array {name!r} holds pickled objects, which can run code when "
                "read; save it again as numbers or texts.",
                reason="pickled",
                field=FIELD,
            )
        size = prod(shape) * dtype.itemsize
        if not 0 <= size <= entry.file_size:
            raise ValueError(f"{name!r} claims {size} bytes but holds {entry.file_size}")
        total += size
        _within("the archive", total, MAX_BYTES, "bytes")
        with archive.open(entry) as stream:
            arrays[name] = np.lib.format.read_array(stream, allow_pickle=False)
    return arrays


def _header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    version = np.lib.format.read_magic(stream)
    if version not in readers:
        raise ValueError(f"array format {version} is not supported")
    return readers[version](stream)


def _split_up(arrays: dict[str, Array]) -> dict[str, Array]:
    """Turn the arrays over all classes into one column per class."""
    probs, draws = arrays.pop("probs", None), arrays.pop("draws", None)
    names = arrays.pop("classes", None)
    if probs is not None:
        if probs.ndim != 2 or (names is not None and names.shape != probs.shape[1:]):
            raise InputError(
                f"--predictions: `probs` must be (rows, classes) with one name per class, got "
                f"{probs.shape} and {'no' if names is None else len(names)} names.",
                reason="shape",
                field=FIELD,
            )
        classes = [str(k) for k in (range(probs.shape[1]) if names is None else names.tolist())]
        arrays |= {f"{PROB}{name}": probs[:, k] for k, name in enumerate(classes)}
        if draws is not None:
            if draws.ndim != 3 or draws.shape[1:] != probs.shape:
                raise InputError(
                    f"--predictions: `draws` must be (draws, rows, classes) like `probs` "
                    f"{probs.shape}, got {draws.shape}.",
                    reason="shape",
                    field=FIELD,
                )
            arrays |= {
                f"{DRAW}{d}.{name}": draws[d, :, k]
                for d in range(len(draws))
                for k, name in enumerate(classes)
            }
    flat = {name: array for name, array in arrays.items() if array.ndim == 1}
    bad = sorted(set(arrays) - set(flat))
    if bad or len({len(array) for array in flat.values()}) > 1:
        shapes = {name: array.shape for name, array in sorted(arrays.items())}
        raise InputError(
            f"--predictions: the arrays must align on their rows, got the shapes {shapes}.",
            reason="shape",
            field=FIELD,
        )
    return flat
