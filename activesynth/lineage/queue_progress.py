"""How far the questions of a campaign are, in one query."""

from __future__ import annotations

from sqlalchemy import text

from activesynth.domain.sharing import QueueProgress
from activesynth.lineage.engine import Database

PACE = 20
"""Answers whose pace counts: enough for a median, and few enough to follow a person's day."""

# By single look-ups (OFFSET 0): the planner may not know yet how few claims and answers there are,
# and go through the whole queue instead.
PROGRESS = """
    WITH turn AS MATERIALIZED (
        SELECT number, fence FROM activesynth.iterations
        WHERE campaign = :campaign AND state IN ('open', 'waiting') AND questions_closed IS NULL
    ),
    counted AS (
        SELECT coalesce(sum(count) FILTER (WHERE state = 'open'), 0) AS open,
               coalesce(sum(count) FILTER (WHERE state <> 'open'), 0) AS answered,
               coalesce(sum(count) FILTER (WHERE state = 'skipped'), 0) AS skipped,
               coalesce(sum(count) FILTER (WHERE state = 'rejected'), 0) AS rejected,
               coalesce(sum(count) FILTER (WHERE annotator = :annotator), 0) AS answered_by_me
        FROM activesynth.annotation_counts
        WHERE campaign = :campaign
          AND iteration = (SELECT number FROM turn) AND fence = (SELECT fence FROM turn)
    ),
    looked_at AS (
        SELECT count(*) AS claimed
        FROM activesynth.annotation_claims c
        CROSS JOIN LATERAL (
            SELECT campaign, iteration, fence, state FROM activesynth.annotation_items i
            WHERE i.id = c.item OFFSET 0
        ) q
        WHERE c.claimed_until > now()
          AND (CAST(:annotator AS text) IS NULL OR c.annotator <> :annotator)
          AND q.campaign = :campaign AND q.state = 'open'
          AND q.iteration = (SELECT number FROM turn) AND q.fence = (SELECT fence FROM turn)
    ),
    last_answers AS MATERIALIZED (
        SELECT item, answered_at FROM activesynth.annotations
        WHERE annotator = :annotator AND action <> 'undo'
        ORDER BY answered_at DESC LIMIT :pace
    ),
    gaps AS (
        SELECT extract(epoch FROM answered_at - lag(answered_at) OVER (ORDER BY answered_at))
                   AS seconds
        FROM last_answers a
        WHERE :campaign = (
            SELECT q.campaign FROM activesynth.annotation_items q WHERE q.id = a.item)
    )
    SELECT (SELECT number FROM turn) AS iteration, counted.*, looked_at.claimed,
           (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FROM gaps)
               AS seconds_per_answer
    FROM counted, looked_at
"""


def queue_progress(database: Database, campaign: str, annotator: str | None) -> QueueProgress:
    """Return how far the active iteration is, and how fast the person answers."""
    values = {"campaign": campaign, "annotator": annotator, "pace": PACE}
    with database.reading() as connection:
        row = connection.execute(text(PROGRESS), values).one()
    return QueueProgress(**row._mapping)
