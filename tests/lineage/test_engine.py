"""How connections are opened."""

from __future__ import annotations

import io
import os
import signal
import threading
import time
from collections.abc import Callable, Collection
from datetime import timedelta

import pytest
from sqlalchemy import Connection, QueuePool, text

from activesynth.domain.effects import Unwatched
from activesynth.domain.termination import Terminated, ending_when_asked
from activesynth.errors import ConflictError, TransientError
from activesynth.lineage import schema
from activesynth.lineage.bulk import Spooled, spooled, stage
from activesynth.lineage.engine import Database, make_engine
from activesynth.lineage.leases import Leases
from activesynth.lineage.lineage import Lineage


def end_session(url: str, connection: Connection) -> None:
    """End the session of ``connection`` as a crash of the server would, from another one."""
    session = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    engine = make_engine(url)
    with engine.connect() as other:
        other.execute(text("SELECT pg_terminate_backend(:session, 5000)"), {"session": session})
    engine.dispose()


def copy_after_a_crash(database: Database, url: str) -> None:
    """Copy past SQLAlchemy, as staging does."""
    with database.writing("copy") as connection:
        cursor = connection.connection.cursor()
        end_session(url, connection)
        cursor.copy_expert("COPY activesynth.outbox (key) FROM STDIN", io.StringIO("1\n"))


def fail_after_a_crash(database: Database, url: str) -> None:
    """Leave a transaction by an error that is not one of the database."""
    with database.writing("conflict") as connection:
        end_session(url, connection)
        raise ConflictError("somebody else was faster")


def test_what_an_address_sets_for_its_sessions_wins_over_our_limits(database_url: str) -> None:
    engine = make_engine(f"{database_url}&options=-c%20lock_timeout%3D7s")

    with engine.connect() as connection:
        shown = [
            connection.execute(text(f"SHOW {name}")).scalar_one()
            for name in ("lock_timeout", "idle_in_transaction_session_timeout")
        ]
    engine.dispose()

    assert shown == ["7s", "1min"]


@pytest.mark.parametrize("work", [copy_after_a_crash, fail_after_a_crash])
def test_a_lost_session_is_a_passing_failure_and_leaves_the_pool(
    database_url: str, work: Callable[[Database, str], None]
) -> None:
    engine = make_engine(database_url)
    database = Database(engine, Unwatched())

    with pytest.raises(TransientError, match="did not answer"):
        work(database, database_url)

    assert isinstance(engine.pool, QueuePool)
    assert engine.pool.checkedout() == 0
    with database.reading() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    database.close()


def test_leases_whose_taking_was_interrupted_are_let_go_of(
    lineage: Lineage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(leases: Leases, digests: Collection[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Leases, "keep", interrupted)
    with pytest.raises(KeyboardInterrupt):
        lineage.store.hold(["a" * 64])
    held = lineage.store.held(timedelta(hours=1))
    lineage.store.release()

    assert held == ["a" * 64]
    assert lineage.store.held(timedelta(hours=1)) == []


def end_at_a_copy(url: str) -> None:
    """Tell this process to end as soon as some session copies; give up where none does."""
    copying = "SELECT EXISTS (SELECT FROM pg_stat_progress_copy)"
    deadline, is_copying = time.monotonic() + 30, False
    engine = make_engine(url)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as other:
        while not is_copying and time.monotonic() < deadline:
            is_copying = other.execute(text(copying)).scalar_one()
    engine.dispose()
    if is_copying:
        os.kill(os.getpid(), signal.SIGTERM)


def copy_at_length(database: Database, rows: Spooled) -> None:
    with database.writing("copy") as connection:
        stage(connection, rows)
        signal.sigtimedwait([], 30)  # where it comes late, it comes here


def test_who_is_told_to_end_during_a_copy_ends_and_has_not_lost_the_database(
    lineage: Lineage, database_url: str
) -> None:
    database = Database(make_engine(database_url), Unwatched())
    records = ({"campaign": "c", "sample": f"s{n}", "parent": "p"} for n in range(1_000_000))
    with spooled(schema.sample_parents, records) as rows, ending_when_asked():
        assert rows is not None
        asking = threading.Thread(target=end_at_a_copy, args=(database_url,))
        asking.start()
        try:
            with pytest.raises(Terminated):
                copy_at_length(database, rows)
        finally:
            asking.join()
    database.close()
