"""What goes wrong with Postgres, sorted by who has to act."""

from __future__ import annotations

import psycopg2
from psycopg2 import errorcodes
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from activesynth.errors import (
    ActiveSynthError,
    ConflictError,
    InputError,
    PlatformStateError,
    TransientError,
)

DATABASE_FAILURES = (SQLAlchemyError, psycopg2.Error)
_NO_SCHEMA = (
    errorcodes.UNDEFINED_TABLE,
    errorcodes.UNDEFINED_COLUMN,
    errorcodes.INVALID_SCHEMA_NAME,
)

# An error of a connection has no code, only the server's words.
_NO_ENTRY = ("password authentication failed", "no pg_hba.conf entry")


class OutcomeUnknownError(TransientError):
    """The connection broke during COMMIT: whoever knows what was written has to look it up."""


class AlreadyWrittenError(ConflictError):
    """A unique key is taken: somebody else committed first; read theirs before giving up."""


def place(url: URL) -> str:
    """Return host, port and database for messages; never the user or the password."""
    host = url.host or str(url.query.get("host", "")) or "localhost"
    port = f":{url.port}" if url.port else ""
    return f"{host}{port}/{url.database}"


def explained(error: Exception, where: str) -> ActiveSynthError:
    """Return our error for a failure of the database at ``where``."""
    cause = error.orig if isinstance(error, DBAPIError) else error
    summary = _summary(cause)
    if isinstance(cause, psycopg2.Error) and cause.pgcode == errorcodes.DISK_FULL:
        return PlatformStateError(
            f"the disk of the database {where} is full ({summary}); free space, then run again: "
            "what was acknowledged is there.",
            reason="database_full",
            field="ACTIVESYNTH_DATABASE_URL",
        )
    if isinstance(cause, psycopg2.OperationalError) and "certificate" in summary:
        return PlatformStateError(
            f"the certificate of Postgres at {where} was not accepted ({summary}); name the file "
            "of the authority that signed it as `sslrootcert` in the address. The driver does not "
            "know the system's authorities: on Debian they are in "
            "/etc/ssl/certs/ca-certificates.crt.",
            reason="database_certificate",
            field="ACTIVESYNTH_DATABASE_URL",
        )
    if isinstance(cause, psycopg2.OperationalError) and any(part in summary for part in _NO_ENTRY):
        return PlatformStateError(
            f"Postgres at {where} refused the login ({summary}); correct user and password in the "
            "address, or what the server admits.",
            reason="database_login",
            field="ACTIVESYNTH_DATABASE_URL",
        )
    if _is_passing(error, cause):
        return TransientError(
            f"Postgres at {where} did not answer ({summary}); tried again later.",
            reason="no_database",
            field="ACTIVESYNTH_DATABASE_URL",
        )
    if isinstance(cause, psycopg2.Error) and cause.pgcode in _NO_SCHEMA:
        return PlatformStateError(
            f"the database {where} lacks tables of this version ({summary}); "
            "make them with `activesynth database upgrade`.",
            reason="not_migrated",
            field="ACTIVESYNTH_DATABASE_URL",
        )
    if isinstance(cause, psycopg2.IntegrityError) and cause.pgcode == errorcodes.UNIQUE_VIOLATION:
        return AlreadyWrittenError(
            f"somebody else wrote the same to {where} ({summary}); run again."
        )
    if isinstance(cause, (psycopg2.IntegrityError, psycopg2.DataError)):
        return InputError(
            f"the lineage database {where} refused a row ({summary}); correct the row that "
            "the detail names.",
            reason="lineage_row",
        )
    return PlatformStateError(
        f"the database {where} refused a statement ({summary}).",
        reason="database_refused",
        field="ACTIVESYNTH_DATABASE_URL",
    )


def _is_passing(error: Exception, cause: object) -> bool:
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    passing = (psycopg2.OperationalError, psycopg2.InterfaceError, PoolTimeoutError)
    return isinstance(cause, passing)


def _summary(cause: object) -> str:
    return " ".join(str(cause).split())[:300]
