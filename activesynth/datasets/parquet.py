"""Reads parquet files with encoded pictures in one column, streamed in small batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from activesynth.datasets.arrays import over_budget
from activesynth.datasets.labels import as_texts, encode_labels
from activesynth.datasets.parameters import ParquetParameters
from activesynth.datasets.pictures import PictureCollector
from activesynth.datasets.refusals import ItemError, Refusals
from activesynth.datasets.rows import Rows, Working, kept_rows
from activesynth.errors import InputError

BATCH_ROWS = 16


def read(parameters: ParquetParameters, working: Working) -> Rows:
    """Return all rows; a picture cell is bytes or has ``bytes``.

    Raises:
        InputError: ``unreadable``, ``missing_column``, ``too_large``, ``too_many_rows``,
            ``bad_class_name``, ``too_many_classes``, ``empty`` or ``too_many_refused``.
    """
    refusals = Refusals(parameters)
    collector = PictureCollector(parameters, refusals, working)
    encoded = count = 0
    for file, batch in _batches(parameters, refusals):
        encoded += batch.nbytes
        if encoded > parameters.max_bytes:
            raise over_budget(f"the file {file!r}", encoded, parameters.max_bytes)
        for row in batch.to_pylist():
            name = f"{file} row {count}"
            count += 1
            refusals.check_rows(count)
            if parameters.group is not None and row[parameters.group] in (None, ""):
                refusals.add(name, ItemError("bad_group", "the group is empty"))
                continue
            collector.add(name, _cell(row.pop(parameters.image)), row)
    x, names, found = collector.stacked()
    y, classes, wrong = encode_labels([row[parameters.label] for row in found])
    groups = None
    if parameters.group is not None:
        groups = as_texts([row[parameters.group] for row in found])
    attributes = {name: as_texts([row[name] for row in found]) for name in parameters.attributes}
    return kept_rows(Rows(x, y, classes, groups, attributes), names, wrong, refusals)


def _batches(parameters: ParquetParameters, refusals: Refusals) -> Iterator[tuple[str, Any]]:
    wanted = {"image": parameters.image, "label": parameters.label}
    if parameters.group is not None:
        wanted["group"] = parameters.group
    wanted.update({f"attributes: {name}": name for name in parameters.attributes})
    for path in _files(parameters.path):
        try:
            with pq.ParquetFile(path) as file:
                _check(path, file, wanted, parameters, refusals)
                columns = list(dict.fromkeys(wanted.values()))
                for batch in file.iter_batches(
                    batch_size=BATCH_ROWS, columns=columns, use_threads=False
                ):
                    yield path.name, batch
        except MemoryError:
            raise
        except (pa.ArrowException, OSError, ValueError) as error:
            raise InputError(
                f"`source.parameters.path`: {path.name!r} is no readable parquet file: {error}; "
                "write it again, or give another file.",
                reason="unreadable",
                field="source.parameters.path",
            ) from error


def _files(path: Path) -> list[Path]:
    return sorted(path.glob("*.parquet")) if path.is_dir() else [path]


def _check(
    path: Path,
    file: Any,
    wanted: dict[str, str],
    parameters: ParquetParameters,
    refusals: Refusals,
) -> None:
    """Refuse by the footer what need not be decoded."""
    for role, name in wanted.items():
        if name not in file.schema_arrow.names:
            field = f"source.parameters.{role.partition(':')[0]}"
            raise InputError(
                f"`{field}`: {path.name!r} has no column {name!r}; it has "
                f"{file.schema_arrow.names[:20]}; name the right one.",
                reason="missing_column",
                field=field,
            )
    metadata = file.metadata
    refusals.check_rows(metadata.num_rows)
    claimed = sum(
        metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups)
    )
    if claimed > parameters.max_bytes:
        raise over_budget(f"the file {path.name!r}", claimed, parameters.max_bytes)


def _cell(value: Any) -> bytes | None:
    """Take the bytes of a picture, also where they are wrapped as ``{bytes, path}``."""
    if isinstance(value, dict):
        value = value.get("bytes")
    return value if isinstance(value, bytes) and value else None
