"""Parquet files with encoded pictures in one column, streamed in small batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from activesynth.datasets.assembly import assemble, encode_labels
from activesynth.datasets.locations import located, over_budget
from activesynth.datasets.parameters import ParquetParameters
from activesynth.datasets.pictures import PictureCollector
from activesynth.domain.exchange import SourceData
from activesynth.errors import InputError

BATCH_ROWS = 16


class ParquetSource:
    """Reads pictures, labels and optionally groups; a picture cell is bytes or has ``bytes``."""

    def __init__(self, parameters: ParquetParameters) -> None:
        """Remember what to read."""
        self._parameters = parameters

    def read(self) -> SourceData:
        """Return all rows.

        Raises:
            InputError: ``missing_path``, ``unreadable``, ``missing_column``, ``too_large``,
                ``bad_label``, or ``bad_picture`` naming each bad picture.
        """
        collector = PictureCollector(self._parameters)
        labels: list[Any] = []
        groups: list[str] = []
        encoded = 0
        for name, batch in self._batches():
            encoded += batch.nbytes
            if encoded > self._parameters.max_bytes:
                raise over_budget(f"the file {name!r}", encoded, self._parameters.max_bytes)
            for row in batch.to_pylist():
                collector.add(f"{name} row {len(labels)}", _cell(row[self._parameters.image]))
                labels.append(row[self._parameters.label])
                if self._parameters.group is not None:
                    groups.append(str(row[self._parameters.group]))
        x = collector.stacked()
        y, classes = encode_labels(labels)
        return assemble(x, y, classes, groups=np.array(groups) if groups else None)

    def _batches(self) -> Iterator[tuple[str, Any]]:
        wanted = [self._parameters.image, self._parameters.label]
        if self._parameters.group is not None:
            wanted.append(self._parameters.group)
        for path in self._files():
            try:
                with pq.ParquetFile(path) as file:
                    self._check(path, file, wanted)
                    for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=wanted):
                        yield path.name, batch
            except (pa.ArrowException, OSError) as error:
                raise InputError(
                    f"`source.parameters.path`: {path.name!r} is no readable parquet file: {error}",
                    reason="unreadable",
                ) from error

    def _files(self) -> list[Path]:
        path = located(self._parameters.path)
        return sorted(path.glob("*.parquet")) if path.is_dir() else [path]

    def _check(self, path: Path, file: Any, wanted: list[str]) -> None:
        missing = sorted(set(wanted) - set(file.schema_arrow.names))
        if missing:
            raise InputError(
                f"`source.parameters`: {path.name!r} has no column {missing[0]!r}; it has "
                f"{file.schema_arrow.names[:20]}; name them as `image`, `label` and `group`.",
                reason="missing_column",
            )
        metadata = file.metadata
        claimed = sum(
            metadata.row_group(group).total_byte_size for group in range(metadata.num_row_groups)
        )
        if claimed > self._parameters.max_bytes:
            raise over_budget(f"the file {path.name!r}", claimed, self._parameters.max_bytes)


def _cell(value: Any) -> bytes | None:
    """Take the bytes of a picture, also where they are wrapped as ``{bytes, path}``."""
    if isinstance(value, dict):
        value = value.get("bytes")
    return value if isinstance(value, bytes) and value else None
