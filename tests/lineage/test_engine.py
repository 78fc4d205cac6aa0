"""How connections are opened."""

from __future__ import annotations

import io

import pytest
from sqlalchemy import Connection, text

from activesynth.domain.effects import Unwatched
from activesynth.errors import ConflictError, TransientError
from activesynth.lineage.engine import Database, make_engine


def end_session(url: str, connection: Connection) -> None:
    """End the session of ``connection`` as a crash of the server would, from another one."""
    session = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    engine = make_engine(url)
    with engine.connect() as other:
        other.execute(text("SELECT pg_terminate_backend(:session, 5000)"), {"session": session})
    engine.dispose()


def copy_a_row(connection: Connection) -> None:
    """Copy past SQLAlchemy, as staging does."""
    connection.execute(text("CREATE TEMPORARY TABLE staged (number integer)"))
    cursor = connection.connection.cursor()
    cursor.copy_expert("COPY staged (number) FROM STDIN", io.StringIO("1\n"))


def test_what_an_address_sets_for_its_sessions_wins_over_our_limits(database_url: str) -> None:
    engine = make_engine(f"{database_url}&options=-c%20lock_timeout%3D7s")

    with engine.connect() as connection:
        shown = [
            connection.execute(text(f"SHOW {name}")).scalar_one()
            for name in ("lock_timeout", "idle_in_transaction_session_timeout")
        ]
    engine.dispose()

    assert shown == ["7s", "1min"]


def test_a_session_lost_before_a_copy_is_a_passing_failure_and_leaves_the_pool(
    database_url: str,
) -> None:
    engine = make_engine(database_url)
    database = Database(engine, Unwatched())

    with (
        pytest.raises(TransientError, match="did not answer"),
        database.writing("lost") as connection,
    ):
        cursor = connection.connection.cursor()
        end_session(database_url, connection)
        cursor.copy_expert("COPY activesynth.outbox (key) FROM STDIN", io.StringIO("1\n"))

    assert engine.pool.checkedout() == 0
    with database.writing("again") as connection:
        copy_a_row(connection)
    database.close()


def test_a_session_lost_while_another_error_passes_through_is_a_passing_failure(
    database_url: str,
) -> None:
    engine = make_engine(database_url)
    database = Database(engine, Unwatched())

    with (
        pytest.raises(TransientError, match="did not answer"),
        database.writing("lost") as connection,
    ):
        end_session(database_url, connection)
        raise ConflictError("somebody else was faster")

    assert engine.pool.checkedout() == 0
    database.close()
