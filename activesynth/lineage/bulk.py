"""Many rows at once: COPY into a temporary table, then one upsert from there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any

from sqlalchemy import Column, Connection, Table, text
from sqlalchemy.dialects.postgresql import JSONB

from activesynth.errors import InputError
from activesynth.lineage.columns import SCHEMA
from activesynth.lineage.plain import plain
from activesynth.lineage.schema import outbox

Record = Mapping[str, Any]

CHUNK = 1 << 16
"""Characters handed to the driver at once."""
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True, slots=True)
class Staged:
    """Rows that wait in a temporary table of the running transaction."""

    table: Table
    columns: tuple[str, ...]

    @property
    def stage(self) -> str:
        """Return the name of the temporary table."""
        return f"stage_{self.table.name}"


def stage(connection: Connection, table: Table, records: Iterable[Record]) -> Staged | None:
    """Copy ``records`` into a temporary table; nothing is locked and nobody sees it.

    They are encoded while they are sent, so a generator of them is never held whole. All have the
    keys of the first. Equal records may repeat; records that differ under one primary key are a
    contradiction.

    Raises:
        InputError: If two records contradict each other.
    """
    coming = iter(records)
    first = next(coming, None)
    if first is None:
        return None
    staged = Staged(table, tuple(first))
    names = ", ".join(f'"{name}"' for name in staged.columns)
    connection.execute(
        text(
            f"CREATE TEMPORARY TABLE {staged.stage} ON COMMIT DROP AS "  # noqa: S608 - our names
            f"SELECT {names} FROM {SCHEMA}.{table.name} WITH NO DATA"
        )
    )
    stream = _Stream(_lines(staged, chain([first], coming)))
    cursor = connection.connection.cursor()
    try:
        # The driver's own stream: SQLAlchemy has no COPY.
        cursor.copy_expert(f"COPY {staged.stage} ({names}) FROM STDIN", stream, CHUNK)
    except Exception:
        if stream.error is not None:  # the driver tells of a failed read, not of its reason
            raise stream.error from None
        raise
    return staged


def merge(connection: Connection, staged: Staged | None) -> None:
    """Insert the staged rows, replacing those with the same primary key.

    A row keeps the iteration that brought it, and an event that was recorded stays as it left.
    """
    if staged is None:
        return
    keys = [column.name for column in staged.table.primary_key.columns]
    names = ", ".join(f'"{name}"' for name in staged.columns)
    changes = ", ".join(
        f'"{name}" = excluded."{name}"'
        for name in staged.columns
        if name not in keys and name != "iteration"
    )
    is_final = staged.table is outbox or not changes
    action = "NOTHING" if is_final else f"UPDATE SET {changes}"
    connection.execute(
        text(
            f"INSERT INTO {SCHEMA}.{staged.table.name} ({names}) "  # noqa: S608 - our names
            f"SELECT {names} FROM {staged.stage} "
            f"ON CONFLICT ({', '.join(keys)}) DO {action}"
        )
    )


class _Stream:
    """A file to read from, made of lines that are written only when they are asked for."""

    def __init__(self, lines: Iterator[str]) -> None:
        """Begin before the first line."""
        self._lines = lines
        self._rest = ""
        self.error: Exception | None = None

    def read(self, size: int) -> str:
        """Return at most ``size`` characters, none at the end; keep what goes wrong."""
        parts, length = [self._rest], len(self._rest)
        try:
            while length < size:
                line = next(self._lines, "")
                if not line:
                    break
                parts.append(line)
                length += len(line)
        except Exception as error:
            self.error = error
            raise
        text = "".join(parts)
        self._rest = text[size:]
        return text[:size]


def _lines(staged: Staged, records: Iterable[Record]) -> Iterator[str]:
    """Yield the line of each distinct record.

    Of those that came only keys and hashes are kept: a hash of its line tells whether a record
    under a known key is the same again.
    """
    table = staged.table
    columns = [table.columns[name] for name in staged.columns]
    keys = [column.name for column in table.primary_key.columns]
    seen: dict[tuple[Any, ...], int] = {}
    for record in records:
        line = "\t".join(_encoded(column, record[column.name]) for column in columns) + "\n"
        identity = tuple(record[key] for key in keys)
        before = seen.get(identity)
        if before is None:
            seen[identity] = hash(line)
            yield line
        elif before != hash(line):
            raise InputError(
                f"two rows for {table.name} share the key {dict(zip(keys, identity, strict=True))} "
                "but differ elsewhere; the step must hand over one of them.",
                reason="lineage_row",
            )


def _encoded(column: Column[Any], value: Any) -> str:
    """Write a value as COPY's text format wants it."""
    if value is None:
        return "\\N"
    if isinstance(column.type, JSONB):
        written = json.dumps(plain(value), sort_keys=True, ensure_ascii=False)
    elif isinstance(value, (list, tuple)):
        written = "{" + ",".join(str(int(item)) for item in value) + "}"
    elif isinstance(value, bool):
        written = "t" if value else "f"
    elif isinstance(value, float):
        # A subclass such as numpy's float64 would write itself with its type's name.
        written = repr(float(value))
    else:
        written = str(value)
    if "\0" in written:
        raise InputError(
            f"{column.table.name}.{column.name} holds a zero byte, which Postgres text cannot; "
            "remove it from the source.",
            reason="lineage_row",
        )
    return written.translate(_ESCAPES)
