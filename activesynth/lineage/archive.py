"""All rows of the schema ``activesynth`` as files, and back.

By COPY and not by pg_dump: that one has to be as new as the server, is a program to install beside
us, and writes the tables' definitions, which our migrations make anyway. What is loaded here is
loaded into tables of the revision that it was saved from, and then migrated as any database is.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection, Table, select, text

from activesynth.domain.backups import Backup, CampaignHead, SavedRecords, SavedTable
from activesynth.domain.effects import Unwatched
from activesynth.domain.platform import Report
from activesynth.errors import ConflictError, CorruptArtifactError, PlatformStateError
from activesynth.lineage.columns import SCHEMA, metadata
from activesynth.lineage.engine import Database, make_engine
from activesynth.lineage.integrity import recorded_in
from activesynth.lineage.migrate import bring_to, hold_migrations, revision_of
from activesynth.lineage.revision import NEWEST
from activesynth.lineage.schema import campaigns

# What a server or role may have set otherwise; dates are ISO already, the driver sees to that.
_PLAIN_VALUES = (
    "SET LOCAL extra_float_digits = 1",
    "SET LOCAL client_encoding = 'UTF8'",
    "SET LOCAL statement_timeout = 0",
)
PASSING = frozenset({"annotation_claims", "blob_leases", "blob_quarantine"})
"""Notes of processes and people at work, and of one store: another database has none of them."""

_COLUMNS = """
    SELECT c.relname, a.attname, a.attidentity
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = to_regnamespace(:schema) AND c.relkind = 'r'
      AND c.relname <> 'migrations' AND a.attnum > 0 AND NOT a.attisdropped
    ORDER BY 1, 2
"""
_FOREIGN_KEYS = """
    SELECT r.relname, c.conname, pg_get_constraintdef(c.oid) AS definition
    FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid
    WHERE c.connamespace = to_regnamespace(:schema) AND c.contype = 'f'
    ORDER BY 1, 2
"""


class PostgresArchive:
    """Implements :class:`activesynth.domain.backups.LineageArchive`."""

    def __init__(self, url: str) -> None:
        """Name the database; nothing is connected before the first use."""
        self._database = Database(make_engine(url), Unwatched())

    def close(self) -> None:
        """Close all idle connections."""
        self._database.close()

    def save(self, folder: Path, report: Report) -> SavedRecords:
        """Write every table as of one moment; readers and writers go on."""
        tables = {
            table.name: table for table in metadata.sorted_tables if table.name not in PASSING
        }
        with self._database.reading() as connection:
            snapshot = connection.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            # Held before the snapshot is taken, so that no migration comes between the two.
            names = ", ".join(f'{SCHEMA}."{name}"' for name in (*tables, "migrations"))
            snapshot.exec_driver_sql(f"LOCK TABLE {names} IN ACCESS SHARE MODE")
            _use_plain_values(snapshot)
            revision = revision_of(snapshot)
            if revision != NEWEST:
                raise PlatformStateError(
                    f"the tables in {self._database.where} are at revision {revision} and this "
                    f"version works with {NEWEST}; run `activesynth database upgrade`.",
                    reason="not_migrated",
                )
            saved = {}
            for done, (name, table) in enumerate(tables.items(), start=1):
                saved[name] = _save_table(snapshot, table, folder / f"{name}.copy")
                report("backup tables", done, len(tables))
            return SavedRecords(revision, saved, _heads(snapshot), list(recorded_in(snapshot)))

    def check_vacant(self, revision: str) -> None:
        """Return where records of ``revision`` can be loaded."""
        if revision > NEWEST:
            raise PlatformStateError(
                f"the backup is that of a newer activesynth (revision {revision}, this one knows "
                f"{NEWEST}); update activesynth, then restore.",
                reason="newer_tables",
            )
        with self._database.reading() as connection:
            self._refuse_records(connection)

    def load(self, folder: Path, backup: Backup, report: Report) -> None:
        """Load all tables in one transaction, and migrate them to this version in it."""
        self.check_vacant(backup.revision)
        with self._database.writing(f"restore:{backup.revision}") as connection:
            hold_migrations(connection)
            _use_plain_values(connection)
            found = _columns(connection)
            if found:
                names = ", ".join(f'{SCHEMA}."{name}"' for name in found)
                connection.exec_driver_sql(f"LOCK TABLE {names} IN ACCESS EXCLUSIVE MODE")
            self._refuse_records(connection)
            bring_to(connection, backup.revision)
            self._compare_tables(_columns(connection), backup)
            # Campaigns and versions point at each other: no order would satisfy the keys.
            foreign_keys = _drop_foreign_keys(connection)
            for done, (name, saved) in enumerate(backup.tables.items(), start=1):
                _load_table(connection, name, saved, folder / f"{name}.copy")
                report("restore tables", done, len(backup.tables))
            for statement in foreign_keys:
                connection.exec_driver_sql(statement)
            bring_to(connection, NEWEST)

    def counts(self) -> dict[str, int]:
        """Return the number of rows in every table."""
        with self._database.reading() as connection:
            return {name: _count(connection, name) for name in _columns(connection)}

    def heads(self) -> dict[str, CampaignHead]:
        """Return where every campaign stands."""
        with self._database.reading() as connection:
            return _heads(connection)

    def _refuse_records(self, connection: Connection) -> None:
        for name in _columns(connection):
            is_used = text(f'SELECT EXISTS (SELECT FROM {SCHEMA}."{name}")')  # noqa: S608
            if connection.execute(is_used).scalar_one():
                raise ConflictError(
                    f"the database {self._database.where} holds records already (there are rows "
                    f"in {SCHEMA}.{name}); nothing was restored and nothing was changed. Name an "
                    "empty database in ACTIVESYNTH_DATABASE_URL.",
                    reason="used_database",
                    field="ACTIVESYNTH_DATABASE_URL",
                )

    def _compare_tables(self, found: Mapping[str, Mapping[str, bool]], backup: Backup) -> None:
        there = {name: set(columns) for name, columns in found.items()}
        saved = {name: set(table.columns) for name, table in backup.tables.items()}
        if there != saved:
            differing = sorted(
                name for name in {*there, *saved} if there.get(name) != saved.get(name)
            )
            raise CorruptArtifactError(
                f"the backup's tables are not those of revision {backup.revision} "
                f"({', '.join(differing)} differ); nothing was restored, use another backup."
            )


class _Digested:
    """A file that is written and whose digest and size are known at its end."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._seen = hashlib.sha256()
        self.bytes = 0

    @property
    def sha256(self) -> str:
        return self._seen.hexdigest()

    def write(self, data: bytes) -> int:
        self._seen.update(data)
        self.bytes += len(data)
        return self._file.write(data)


def _save_table(connection: Connection, table: Table, path: Path) -> SavedTable:
    names = tuple(column.name for column in table.columns)
    cursor = connection.connection.cursor()
    # The driver's own stream: SQLAlchemy has no COPY.
    with path.open("wb") as file:
        digested = _Digested(file)
        cursor.copy_expert(f"COPY {_target(table.name, names)} TO STDOUT", digested)
        file.flush()
        os.fsync(file.fileno())
    return SavedTable(
        columns=names, rows=cursor.rowcount, sha256=digested.sha256, bytes=digested.bytes
    )


def _load_table(connection: Connection, name: str, saved: SavedTable, path: Path) -> None:
    cursor = connection.connection.cursor()
    with path.open("rb") as file:
        cursor.copy_expert(f"COPY {_target(name, saved.columns)} FROM STDIN", file)
    if cursor.rowcount != saved.rows:
        raise CorruptArtifactError(
            f"{path} holds {cursor.rowcount} rows and the backup says {saved.rows}; nothing was "
            "restored, use another backup."
        )
    for column, counts in _columns(connection)[name].items():
        if counts and saved.rows:
            sequence = f"pg_get_serial_sequence('{SCHEMA}.{name}', '{column}')"
            query = f'SELECT setval({sequence}, max("{column}")) FROM {SCHEMA}."{name}"'  # noqa: S608
            connection.execute(text(query))


def _target(name: str, columns: tuple[str, ...]) -> str:
    listed = ", ".join(f'"{column}"' for column in columns)
    return f'{SCHEMA}."{name}" ({listed})'


def _use_plain_values(connection: Connection) -> None:
    for statement in _PLAIN_VALUES:
        connection.exec_driver_sql(statement)


def _columns(connection: Connection) -> dict[str, dict[str, bool]]:
    """Return table -> column -> whether the column counts by itself; of what a backup holds."""
    found: dict[str, dict[str, bool]] = {}
    for table, column, identity in connection.execute(text(_COLUMNS), {"schema": SCHEMA}):
        if table not in PASSING:
            found.setdefault(table, {})[column] = bool(identity)
    return found


def _drop_foreign_keys(connection: Connection) -> list[str]:
    """Drop all foreign keys; return the statements that make them again and check every row."""
    made_again = []
    for table, name, definition in connection.execute(text(_FOREIGN_KEYS), {"schema": SCHEMA}):
        change = f'ALTER TABLE {SCHEMA}."{table}"'
        connection.exec_driver_sql(f'{change} DROP CONSTRAINT "{name}"')
        made_again.append(f'{change} ADD CONSTRAINT "{name}" {definition}')
    return made_again


def _count(connection: Connection, name: str) -> int:
    query = text(f'SELECT count(*) FROM {SCHEMA}."{name}"')  # noqa: S608
    return int(connection.execute(query).scalar_one())


def _heads(connection: Connection) -> dict[str, CampaignHead]:
    columns = (campaigns.c.name, campaigns.c.head, campaigns.c.head_model, campaigns.c.iterations)
    return {
        row.name: CampaignHead(head=row.head, head_model=row.head_model, iterations=row.iterations)
        for row in connection.execute(select(*columns))
    }
