"""Whether a database has the tables that this version works with; light, for every command asks."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import text

from activesynth.domain.effects import Unwatched
from activesynth.errors import PlatformStateError
from activesynth.lineage.engine import Database, make_engine

NEWEST = "0012"
"""The last revision in ``migrations/versions``; revisions are numbers, so they sort as text."""

_REVISION = "SELECT version_num FROM activesynth.migrations"
_EXISTS = "SELECT to_regclass('activesynth.migrations')"


def check_tables(url: str) -> None:
    """Return when the database at ``url`` is at the newest revision.

    Raises:
        PlatformStateError: If our tables are missing, older, or newer than this version.
        TransientError: If the server does not answer.
        ConfigurationError: If ``url`` is not an address of PostgreSQL.
    """
    database = Database(make_engine(url), Unwatched())
    try:
        found = _revision(database)
    finally:
        database.close()
    if found == NEWEST:
        return
    if found is not None and found > NEWEST:
        raise PlatformStateError(
            f"the tables in {database.where} are those of a newer activesynth (revision {found}, "
            f"this one knows {NEWEST}); update activesynth, or name another database.",
            reason="newer_tables",
            field="ACTIVESYNTH_DATABASE_URL",
        )
    problem = (
        "has no tables of activesynth yet; make them"
        if found is None
        else f"has the tables of an older activesynth (revision {found}, needed is {NEWEST}); "
        "bring them up to date"
    )
    raise PlatformStateError(
        f"the database {database.where} {problem} with `activesynth database upgrade`.",
        reason="not_migrated",
        field="ACTIVESYNTH_DATABASE_URL",
    )


def server_time(url: str) -> datetime:
    """Return the moment by the database's clock.

    Raises:
        TransientError: If the server does not answer.
        ConfigurationError: If ``url`` is not an address of PostgreSQL.
    """
    database = Database(make_engine(url), Unwatched())
    try:
        with database.reading() as connection:
            found: datetime = connection.execute(text("SELECT clock_timestamp()")).scalar_one()
            return found
    finally:
        database.close()


def _revision(database: Database) -> str | None:
    with database.reading() as connection:
        if connection.execute(text(_EXISTS)).scalar_one() is None:
            return None
        found = connection.execute(text(_REVISION)).scalar_one_or_none()
        return None if found is None else str(found)
