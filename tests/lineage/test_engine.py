"""How connections are opened."""

from __future__ import annotations

from sqlalchemy import text

from activesynth.lineage.engine import make_engine


def test_what_an_address_sets_for_its_sessions_wins_over_our_limits(database_url: str) -> None:
    engine = make_engine(f"{database_url}&options=-c%20lock_timeout%3D7s")

    with engine.connect() as connection:
        shown = [
            connection.execute(text(f"SHOW {name}")).scalar_one()
            for name in ("lock_timeout", "idle_in_transaction_session_timeout")
        ]
    engine.dispose()

    assert shown == ["7s", "1min"]
