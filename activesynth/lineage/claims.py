"""Handing out the next items of the queue, each to one person for a while.

Who takes items locks their rows and skips those that another is taking in this moment. What a
statement sees of the claims may be older than its locks, so the insert looks again: it takes over
only a claim that is over, and hands out only what it took.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlalchemy import Connection, text

from activesynth.domain.records import QueueItem
from activesynth.domain.sharing import CLAIM, KINDS, QuestionKind
from activesynth.lineage.engine import Database
from activesynth.lineage.rows import queue_item

ROUNDS = 20
"""How often in a row others may be quicker: each time somebody got items, so it hardly goes on."""

# The one active iteration of the campaign: as scalars, so that the index gives the queue's order.
_FIRST = """
    q.campaign = :campaign AND q.state = 'open'
    AND q.iteration = (SELECT number FROM turn) AND q.fence = (SELECT fence FROM turn)
"""
_TURN = """
    turn AS MATERIALIZED (
        SELECT number, fence FROM activesynth.iterations
        WHERE campaign = :campaign AND state IN ('open', 'waiting')
          AND questions_closed IS NULL
    ),
"""
# Others' answers as two ranges, which an index has where one's own are nearly all.
# Newest wins: what this person said about an item and did not take back, a skip as well.
_SECOND = """
    q.campaign = :campaign AND q.awaits_second
    AND (q.answered_by < :annotator OR q.answered_by > :annotator)
    AND EXISTS (
        SELECT FROM activesynth.iterations i
        WHERE i.campaign = q.campaign AND i.number = q.iteration AND i.fence = q.fence)
    AND NOT EXISTS (
        SELECT FROM activesynth.second_opinions o
        WHERE o.item = q.id AND o.annotator = :annotator AND o.action <> 'undo'
          AND NOT EXISTS (
              SELECT FROM activesynth.second_opinions l
              WHERE l.item = o.item AND l.annotator = o.annotator AND l.number > o.number))
"""
# One's own are looked up one by one: claims come and go, and where the planner knows nothing of how
# few they are, or how many are open, it may go through the whole queue instead.
# Claims are inserted in the order of their key, as `release` locks them: no two wait in a circle.
_CLAIM = """
    WITH {turn}
    own AS (
        SELECT q.*, 0 AS place
        FROM activesynth.annotation_claims c
        CROSS JOIN LATERAL (
            SELECT * FROM activesynth.annotation_items i WHERE i.id = c.item
            FOR UPDATE SKIP LOCKED
        ) q
        WHERE c.annotator = :annotator AND {wanted}
        ORDER BY q.iteration, q.position, q.id LIMIT :limit
    ),
    {free},
    chosen AS MATERIALIZED ({chosen}),
    taken AS (
        INSERT INTO activesynth.annotation_claims AS c (item, annotator, claimed_until)
        SELECT id, :annotator, now() + :claim FROM chosen ORDER BY id
        ON CONFLICT (item) DO UPDATE
        SET annotator = excluded.annotator, claimed_until = excluded.claimed_until
        WHERE c.annotator = excluded.annotator OR c.claimed_until <= now()
        RETURNING item
    )
    SELECT chosen.*, taken.item IS NOT NULL AS is_taken
    FROM chosen LEFT JOIN taken ON taken.item = chosen.id
    ORDER BY chosen.place, chosen.iteration, chosen.position, chosen.id
"""
_FREE = """
    free{place} AS (
        SELECT q.*, {place} AS place FROM activesynth.annotation_items q
        WHERE {wanted} AND NOT EXISTS (
            SELECT FROM activesynth.annotation_claims c
            WHERE c.item = q.id AND (c.claimed_until > now() OR c.annotator = :annotator))
        ORDER BY q.iteration, q.position, q.id LIMIT {rest}
        FOR UPDATE OF q SKIP LOCKED
    )
"""
_RELEASE = """
    DELETE FROM activesynth.annotation_claims WHERE item IN (
        SELECT item FROM activesynth.annotation_claims
        WHERE annotator = :annotator ORDER BY item FOR UPDATE
    ) AND annotator = :annotator
"""
_HOLD = """
    INSERT INTO activesynth.annotation_claims (item, annotator, claimed_until)
    SELECT id, :annotator, now() + :claim FROM activesynth.annotation_items
    WHERE id = :item AND state = 'open'
    ON CONFLICT (item) DO UPDATE
    SET annotator = excluded.annotator, claimed_until = excluded.claimed_until
"""
# Whoever has an item for a second opinion keeps it when somebody else changes the first answer.
_END = """
    DELETE FROM activesynth.annotation_claims
    WHERE item = :item AND (:was_open OR annotator = :annotator)
"""
_FORGET = "DELETE FROM activesynth.annotation_claims WHERE claimed_until <= now()"


def _statement(turn: str, wanted: str, parts: Sequence[str], own: str = "true") -> str:
    """Return the statement that claims: one's own, then what is free of each part in turn."""
    rest, free = ":limit - (SELECT count(*) FROM own)", []
    for place, part in enumerate(parts, start=1):
        free.append(_FREE.format(place=place, wanted=f"{wanted} AND {part}", rest=rest))
        rest += f" - (SELECT count(*) FROM free{place})"  # noqa: S608 - our names
    names = ["own", *(f"free{place}" for place in range(1, len(parts) + 1))]
    return _CLAIM.format(
        turn=turn,
        wanted=f"{wanted} AND {own}",
        free=",".join(free),
        chosen=" UNION ALL ".join(f"TABLE {name}" for name in names),
    )


FIRST_CLAIM = _statement(_TURN, _FIRST, ["true"])
SECOND_CLAIM = _statement("", _SECOND, ["true"])


def claim_of_kinds(count: int) -> str:
    """Return the statement that claims open items of ``:kind0`` to ``:kind<count - 1>``.

    Kind by kind, as questions are queued: an index finds the next of one kind, not of several.
    """
    parts = [f"q.kind = :kind{number}" for number in range(count)]
    return _statement(_TURN, _FIRST, parts, own=f"({' OR '.join(parts)})")


def claim_next(
    database: Database,
    campaign: str,
    annotator: str,
    limit: int,
    kinds: Sequence[QuestionKind] | None,
) -> list[QueueItem]:
    """Claim open items of the active iteration and return them, the person's own first."""
    values = claim_values(campaign, annotator, limit)
    if kinds is None:
        return _claim(database, FIRST_CLAIM, values)
    wanted = [kind for kind in KINDS if kind in kinds]
    values |= {f"kind{number}": kind for number, kind in enumerate(wanted)}
    return _claim(database, claim_of_kinds(len(wanted)), values) if wanted else []


def claim_second(database: Database, campaign: str, annotator: str, limit: int) -> list[QueueItem]:
    """Claim items for a second opinion of this person and return them as they were offered."""
    return _claim(database, SECOND_CLAIM, claim_values(campaign, annotator, limit))


def claim_values(campaign: str, annotator: str, limit: int) -> dict[str, object]:
    """Return the parameters of the statements that claim."""
    return {"campaign": campaign, "annotator": annotator, "limit": limit, "claim": CLAIM}


def release_claims(connection: Connection, annotator: str) -> None:
    """Let go of all that a person holds."""
    connection.execute(text(_RELEASE), {"annotator": annotator})


def hold(connection: Connection, item: str, annotator: str) -> None:
    """Give an item that is open, and locked, to a person, whoever held it."""
    values = {"item": item, "annotator": annotator, "claim": CLAIM}
    connection.execute(text(_HOLD), values)


def end_claim(connection: Connection, item: str, annotator: str, *, was_open: bool) -> None:
    """Let go of an item that this person just answered."""
    values = {"item": item, "annotator": annotator, "was_open": was_open}
    connection.execute(text(_END), values)


def forget_claims(connection: Connection) -> None:
    """Delete the claims that are over: of items that nobody answered and nobody will."""
    connection.execute(text(_FORGET))


def _claim(database: Database, query: str, values: Mapping[str, object]) -> list[QueueItem]:
    taken: list[QueueItem] = []
    for _ in range(ROUNDS):
        with database.noting() as connection:
            rows = connection.execute(text(query), values).all()
        taken = [queue_item(row) for row in rows if row.is_taken]
        # Where somebody was quicker with some there may be others, and one's own come first.
        if len(taken) == len(rows):
            break
    return taken
