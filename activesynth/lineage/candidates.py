"""Synthetic samples of an iteration, a page at a time, those that filters let through."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Connection, text

from activesynth.lineage.plain import plain_numbers

LOOKED_AT = 500
"""Candidates whose scores are looked at by one statement: no index knows of scores."""

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
) -> list[dict[str, Any]]:
    """Return at most ``limit`` candidates by id, those behind ``after``, with their parents."""
    values = {**asdict(wanted), "campaign": campaign, "iteration": iteration, "after": after}
    if wanted.score is None:
        return _rows(connection, _ALL, values | {"limit": limit})
    found: list[dict[str, Any]] = []
    values["looked_at"] = LOOKED_AT
    while len(found) < limit and values["after"] is not None:
        rows = _rows(connection, _BY_SCORE, values | {"limit": limit - len(found)})
        values["after"] = rows[0]["last"]
        for row in rows:
            del row["last"]
        found += [row for row in rows if row["sample"] is not None]
    return found


def _rows(connection: Connection, query: Any, values: dict[str, Any]) -> list[dict[str, Any]]:
    return [plain_numbers(row) for row in connection.execute(query, values).mappings()]
