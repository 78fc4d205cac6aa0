"""Synthetic samples of an iteration, a page at a time, those that filters let through."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, text

from activesynth.lineage.plain import plain_numbers

LOOKED_AT, LOOKS = 500, 10
"""Candidates whose scores are looked at by one statement, and statements of one request: no index
knows of scores, and a filter may let nothing through."""

_CANDIDATES = """
    SELECT s.id AS sample, s.iteration, s.label, s.verdict, s.verdict_reason, s.weakness,
           w.title AS weakness_title, s.scores, s.generator, s.seed,
           (SELECT array_agg(p.parent ORDER BY p.parent) FROM activesynth.sample_parents p
            WHERE p.campaign = s.campaign AND p.sample = s.id) AS parents
    FROM {samples} s
    LEFT JOIN activesynth.weaknesses w
      ON w.campaign = s.campaign AND w.iteration = s.iteration AND w.id = s.weakness
    WHERE s.campaign = :campaign AND s.iteration = :iteration AND s.origin = 'synthetic'
      AND s.id > :after
      AND (CAST(:verdict AS text) IS NULL OR s.verdict = :verdict)
      AND (CAST(:reason AS text) IS NULL OR s.verdict_reason = :reason)
      AND (CAST(:weakness AS text) IS NULL OR s.weakness = :weakness)
      AND (CAST(:label AS integer) IS NULL OR s.label = :label){more}
    ORDER BY s.id LIMIT :limit
"""
_SCORED = """
      AND CAST(s.scores ->> :score AS double precision) BETWEEN :least AND :most"""
_ALL = text(_CANDIDATES.format(samples="activesynth.samples", more=""))
# The last one that was looked at comes with each row, and alone where none has such a score.
_LOOKED = """
    WITH looked AS MATERIALIZED (
        SELECT * FROM activesynth.samples
        WHERE campaign = :campaign AND iteration = :iteration AND origin = 'synthetic'
          AND id > :after
        ORDER BY id LIMIT :looked_at
    ), found AS ({found})
    SELECT f.*, l.last FROM (SELECT max(id) AS last FROM looked) l LEFT JOIN found f ON true
    ORDER BY f.sample
"""
_BY_SCORE = text(_LOOKED.replace("{found}", _CANDIDATES.format(samples="looked", more=_SCORED)))


@dataclass(frozen=True, slots=True)
class Wanted:
    """Filters; what is None lets everything through. The score lies from ``least`` to ``most``."""

    verdict: str | None
    reason: str | None
    weakness: str | None
    label: int | None
    score: str | None
    least: float
    most: float


def some_candidates(
    connection: Connection, campaign: str, iteration: int, wanted: Wanted, after: str, limit: int
) -> tuple[list[dict[str, Any]], str | None]:
    """Return at most ``limit`` candidates by id behind ``after``, and the key to go on after.

    By score there may be fewer of them, or none, and others behind the key; at the end it is None.
    """
    values = {**asdict(wanted), "campaign": campaign, "iteration": iteration, "after": after}
    if wanted.score is None:
        found = _rows(connection, _ALL, values | {"limit": limit})
        return found, found[-1]["sample"] if len(found) == limit else None
    found = []
    values["looked_at"] = LOOKED_AT
    for _ in range(LOOKS):
        rows = _rows(connection, _BY_SCORE, values | {"limit": limit - len(found)})
        last = rows[0]["last"]
        found += [row for row in rows if row["sample"] is not None]
        for row in rows:
            del row["last"]
        if last is None or len(found) == limit:
            return found, None if last is None else found[-1]["sample"]
        values["after"] = last
    return found, values["after"]


def _rows(connection: Connection, query: Any, values: dict[str, Any]) -> list[dict[str, Any]]:
    return [plain_numbers(row) for row in connection.execute(query, values).mappings()]
