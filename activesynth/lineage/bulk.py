"""Many rows at once: COPY into a temporary table, then one upsert from there."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Column, Connection, Table, text
from sqlalchemy.dialects.postgresql import JSONB

from activesynth.errors import InputError
from activesynth.lineage.columns import SCHEMA
from activesynth.lineage.plain import plain
from activesynth.lineage.schema import outbox

Record = Mapping[str, Any]

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


def stage(connection: Connection, table: Table, records: Sequence[Record]) -> Staged | None:
    """Copy ``records`` into a temporary table; nothing is locked and nobody sees it.

    All records have the keys of the first. Equal records may repeat; records that differ under
    one primary key are a contradiction.

    Raises:
        InputError: If two records contradict each other.
    """
    if not records:
        return None
    staged = Staged(table, tuple(records[0]))
    names = ", ".join(f'"{name}"' for name in staged.columns)
    connection.execute(
        text(
            f"CREATE TEMPORARY TABLE {staged.stage} ON COMMIT DROP AS "  # noqa: S608 - our names
            f"SELECT {names} FROM {SCHEMA}.{table.name} WITH NO DATA"
        )
    )
    columns = [table.columns[name] for name in staged.columns]
    lines = _lines(columns, _distinct(table, records))
    cursor = connection.connection.cursor()
    # The driver's own stream: SQLAlchemy has no COPY.
    cursor.copy_expert(f"COPY {staged.stage} ({names}) FROM STDIN", io.StringIO("".join(lines)))
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


def _distinct(table: Table, records: Sequence[Record]) -> Iterable[Record]:
    keys = [column.name for column in table.primary_key.columns]
    seen: dict[tuple[Any, ...], Record] = {}
    for record in records:
        identity = tuple(record[key] for key in keys)
        if seen.setdefault(identity, record) != record:
            raise InputError(
                f"two rows for {table.name} share the key {dict(zip(keys, identity, strict=True))} "
                "but differ elsewhere; the step must hand over one of them.",
                reason="lineage_row",
            )
    return seen.values()


def _lines(columns: Sequence[Column[Any]], records: Iterable[Record]) -> list[str]:
    return [
        "\t".join(_encoded(column, record[column.name]) for column in columns) + "\n"
        for record in records
    ]


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
