"""Connections to Postgres: opened with retries, committed under watch, failures explained."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg2
from sqlalchemy import Connection, create_engine
from sqlalchemy.engine import Engine, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_random_exponential

from activesynth.domain.effects import Effects, watched
from activesynth.errors import ActiveSynthError, ConfigurationError, TransientError
from activesynth.lineage.failures import (
    DATABASE_FAILURES,
    OutcomeUnknownError,
    explained,
    place,
)
from activesynth.lineage.leases import Leases

logger = logging.getLogger(__name__)

_SERVER_LIMITS = {
    # A paused process must not hold the campaign's row for ever.
    "idle_in_transaction_session_timeout": "60s",
    "lock_timeout": "30s",
    "timezone": "UTC",
}


def make_engine(url: str) -> Engine:
    """Return an engine for ``url``; nothing is connected before the first use.

    Raises:
        ConfigurationError: If the address is not one of PostgreSQL; the password is not shown.
    """
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError):  # a port that is no number is the latter
        raise ConfigurationError(
            "ACTIVESYNTH_DATABASE_URL is not an address; write "
            "postgresql+psycopg2://user:password@host:port/database.",
            reason="bad_address",
            field="ACTIVESYNTH_DATABASE_URL",
        ) from None
    if parsed.drivername not in ("postgres", "postgresql", "postgresql+psycopg2"):
        raise ConfigurationError(
            f"ACTIVESYNTH_DATABASE_URL starts with {parsed.drivername!r}; lineage needs "
            "postgresql+psycopg2://user:password@host:port/database.",
            reason="bad_address",
            field="ACTIVESYNTH_DATABASE_URL",
        )
    options = " ".join(f"-c {name}={value}" for name, value in _SERVER_LIMITS.items())
    given = parsed.query.get("options", "")
    if isinstance(given, str) and given:
        options = f"{options} {given}"  # what comes last wins
    limits: dict[str, Any] = {
        "connect_timeout": 10,
        "application_name": "activesynth",
        "options": options,
        "keepalives_idle": 30,
        "tcp_user_timeout": 60_000,
    }
    return create_engine(
        parsed.set(drivername="postgresql+psycopg2"),
        pool_pre_ping=True,
        pool_size=4,
        max_overflow=6,
        pool_timeout=30,
        connect_args=limits,
    )


def _invalidate_if_lost(connection: Connection) -> None:
    driver_connection = connection.connection.dbapi_connection
    if driver_connection is not None and driver_connection.closed:
        connection.invalidate()


class Database:
    """Hands out connections whose failures come out as errors of this project."""

    def __init__(self, engine: Engine, effects: Effects) -> None:
        """Use ``engine``; every commit is told to ``effects``."""
        self._engine = engine
        self._effects = effects
        self.leases = Leases()
        self._place = place(engine.url)

    @property
    def where(self) -> str:
        """Return host and database for messages."""
        return self._place

    def close(self) -> None:
        """Let go of what is held, and close all idle connections."""
        try:
            self.release()
        except ActiveSynthError as error:  # leases of those who died expire as well
            logger.warning("leases of blobs are left to expire: %s", error)
        finally:
            self._engine.dispose()

    def release(self) -> None:
        """Let go of the blobs that are held; what was recorded of them stays."""
        if self.leases.may_hold:
            with self.noting() as connection:
                self.leases.drop(connection)
            self.leases.forget()

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection for one read-only transaction."""
        with self._connected() as connection:
            yield connection

    @contextmanager
    def writing(self, label: str) -> Iterator[Connection]:
        """Yield a connection and commit it at the end; ``label`` names the effect.

        Raises:
            OutcomeUnknownError: If the server went away during COMMIT.
            TransientError: If blobs this pool holds may have been removed; nothing is written.
        """
        with self._connected() as connection:
            connection.begin()
            yield connection
            self.leases.confirm(connection)
            with watched(self._effects, "sql.commit", label):
                try:
                    connection.commit()
                except DBAPIError as error:
                    raise self._failed_commit(error) from error

    @contextmanager
    def noting(self) -> Iterator[Connection]:
        """Yield a connection and commit it at the end: notes that are no effect of a step."""
        with self._connected() as connection, connection.begin():
            yield connection

    @contextmanager
    def _connected(self) -> Iterator[Connection]:
        try:
            with self._connect() as connection:
                try:
                    yield connection
                except psycopg2.Error:
                    # What COPY raises goes past SQLAlchemy, which would then roll back, and hand
                    # to its pool, a connection that may be no more.
                    _invalidate_if_lost(connection)
                    raise
        except DATABASE_FAILURES as error:
            raise explained(error, self._place) from error

    def _connect(self) -> Connection:
        """Open a connection; repeated, because nothing was sent yet."""
        retrying = Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=stop_after_attempt(3),
            wait=wait_random_exponential(multiplier=0.1, max=1.0),
            reraise=True,
        )
        return retrying(self._connect_once)

    def _connect_once(self) -> Connection:
        try:
            return self._engine.connect()
        except DATABASE_FAILURES as error:
            raise explained(error, self._place) from error

    def _failed_commit(self, error: DBAPIError) -> Exception:
        failure = explained(error, self._place)
        return OutcomeUnknownError(str(failure)) if isinstance(failure, TransientError) else failure
