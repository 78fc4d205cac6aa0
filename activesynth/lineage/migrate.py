"""Bring the schema of a lineage database to a revision and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, text
from sqlalchemy.engine import Engine

from activesynth.domain.effects import Unwatched
from activesynth.lineage.columns import SCHEMA
from activesynth.lineage.engine import Database, make_engine

_ADVISORY_LOCK = 0x0A57_1EA6


def upgrade(url: str, revision: str = "head") -> None:
    """Migrate the database up to ``revision``; two callers at once do it one after the other.

    Raises:
        TransientError: If the server does not answer.
        ConfigurationError: If ``url`` is not an address of PostgreSQL.
    """
    with _migrating(make_engine(url), f"upgrade:{revision}") as config:
        command.upgrade(config, revision)


def downgrade(url: str, revision: str) -> None:
    """Migrate the database down to ``revision``; ``base`` removes every table with its rows."""
    with _migrating(make_engine(url), f"downgrade:{revision}") as config:
        command.downgrade(config, revision)


def current(url: str) -> str | None:
    """Return the revision of the database, or None when it was never migrated."""
    database = Database(make_engine(url), Unwatched())
    try:
        with database.reading() as connection:
            return revision_of(connection)
    finally:
        database.close()


def hold_migrations(connection: Connection) -> None:
    """Let nobody else migrate before the transaction of ``connection`` ends."""
    connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))


def bring_to(connection: Connection, revision: str) -> None:
    """Migrate up or down to ``revision`` in the transaction of ``connection``."""
    found = revision_of(connection)
    if found is None or found < revision:
        command.upgrade(_config(connection), revision)
    elif found > revision:
        command.downgrade(_config(connection), revision)


def revision_of(connection: Connection) -> str | None:
    """Return the revision of the tables that ``connection`` sees, or None where there are none."""
    return _context(connection).get_current_revision()


@contextmanager
def _migrating(engine: Engine, label: str) -> Iterator[Config]:
    database = Database(engine, Unwatched())
    try:
        with database.writing(label) as connection:
            hold_migrations(connection)
            yield _config(connection)
    finally:
        database.close()


def _config(connection: Connection) -> Config:
    config = Config()
    scripts = str(Path(__file__).parent / "migrations")
    config.set_main_option("script_location", scripts.replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _context(connection: Connection) -> MigrationContext:
    return MigrationContext.configure(
        connection, opts={"version_table": "migrations", "version_table_schema": SCHEMA}
    )
