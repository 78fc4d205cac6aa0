"""Many rows at once: encoded into a file, by COPY into a temporary table, upserted from there."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from typing import IO, Any

from sqlalchemy import Column, Connection, Table, text
from sqlalchemy.dialects.postgresql import JSONB

from activesynth.domain.spool import room_for_spools, spool, uninterrupted
from activesynth.errors import InputError
from activesynth.lineage.columns import SCHEMA
from activesynth.lineage.plain import plain
from activesynth.lineage.schema import outbox

Record = Mapping[str, Any]

CHUNK = 1 << 16
"""Bytes handed to the driver at once."""
_ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


@dataclass(frozen=True, slots=True)
class Spooled:
    """Rows as COPY reads them, encoded before a transaction begins: in it nobody waits for them."""

    table: Table
    columns: tuple[str, ...]
    lines: IO[bytes]


@dataclass(frozen=True, slots=True)
class Staged:
    """Rows that wait in a temporary table of the running transaction."""

    table: Table
    columns: tuple[str, ...]

    @property
    def stage(self) -> str:
        """Return the name of the temporary table."""
        return f"stage_{self.table.name}"


@contextmanager
def spooled(table: Table, records: Iterable[Record]) -> Iterator[Spooled | None]:
    """Encode ``records`` one by one into a temporary file; all have the keys of the first.

    Raises:
        InputError: If a value is none that Postgres can hold.
        PlatformStateError: ``no_spool`` where there is no room for the file.
    """
    coming = iter(records)
    first = next(coming, None)
    if first is None:
        yield None
        return
    names = tuple(first)
    columns = [table.columns[name] for name in names]
    with closing(spool()) as lines:
        with room_for_spools():
            for record in chain([first], coming):
                line = "\t".join(_encoded(column, record[column.name]) for column in columns)
                lines.write(f"{line}\n".encode())
            lines.seek(0)
        yield Spooled(table, names, lines)


def stage(connection: Connection, rows: Spooled) -> Staged:
    """Copy rows into a temporary table; nothing is locked and nobody sees it.

    Equal records may repeat; records that differ under one primary key are a contradiction.

    Raises:
        InputError: If two records contradict each other.
    """
    staged = Staged(rows.table, rows.columns)
    names = ", ".join(f'"{name}"' for name in staged.columns)
    connection.execute(
        text(
            f"CREATE TEMPORARY TABLE {staged.stage} ON COMMIT DROP AS "  # noqa: S608 - our names
            f"SELECT {names} FROM {SCHEMA}.{staged.table.name} WITH NO DATA"
        )
    )
    # The driver's own stream: SQLAlchemy has no COPY. It makes a failed statement of whatever is
    # raised while it reads, and a task that is told to end would seem to have lost its database.
    copy = f"COPY {staged.stage} ({names}) FROM STDIN WITH (ENCODING 'UTF8')"
    connection.connection.cursor().copy_expert(copy, uninterrupted(rows.lines), CHUNK)
    _join_repeated(connection, staged)
    return staged


def _join_repeated(connection: Connection, staged: Staged) -> None:
    """Leave one of equal records; the server looks for them, for here not even keys are held."""
    keys = [column.name for column in staged.table.primary_key.columns]
    listed = ", ".join(f'"{key}"' for key in keys)
    repeated = f"SELECT {listed} FROM {{}} GROUP BY {listed} HAVING count(*) > 1 LIMIT 1"  # noqa: S608
    if connection.execute(text(repeated.format(staged.stage))).first() is None:
        return
    distinct = f"(SELECT DISTINCT * FROM {staged.stage}) AS d"  # noqa: S608 - our names
    contradiction = connection.execute(text(repeated.format(distinct))).first()
    if contradiction is not None:
        raise InputError(
            f"two rows for {staged.table.name} share the key {dict(contradiction._mapping)} "
            "but differ elsewhere; the step must hand over one of them.",
            reason="lineage_row",
        )
    same = " AND ".join(f'a."{key}" = b."{key}"' for key in keys)
    other = f"USING {staged.stage} b WHERE a.ctid < b.ctid AND {same}"
    connection.execute(text(f"DELETE FROM {staged.stage} a {other}"))  # noqa: S608 - our names


def merge(connection: Connection, staged: Staged) -> None:
    """Insert the staged rows, replacing those with the same primary key.

    A row keeps the iteration that brought it, and an event that was recorded stays as it left.
    """
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
