"""How many synthetic samples of an iteration stand how, kept beside them."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from sqlalchemy import Connection, text

from activesynth.lineage.bulk import Staged
from activesynth.lineage.schema import samples

_TOUCHED = """
    SELECT DISTINCT s.iteration FROM {stage} t
    JOIN activesynth.samples s ON s.campaign = t.campaign AND s.id = t.id
    WHERE s.iteration IS NOT NULL
"""
_HELD = """
    SELECT DISTINCT campaign, iteration FROM activesynth.samples
    WHERE campaign = ANY(:campaigns) AND id = ANY(:samples) AND origin = 'synthetic'
      AND iteration IS NOT NULL
"""
_FORGET = """
    DELETE FROM activesynth.verdict_counts
    WHERE campaign = :campaign AND iteration = ANY(:iterations)
"""
_COUNT = """
    INSERT INTO activesynth.verdict_counts
        (campaign, iteration, weakness, verdict, verdict_reason, count)
    SELECT campaign, iteration, coalesce(weakness, ''), coalesce(verdict, ''),
           coalesce(verdict_reason, ''), count(*)
    FROM activesynth.samples
    WHERE campaign = :campaign AND iteration = ANY(:iterations) AND origin = 'synthetic'
    GROUP BY 1, 2, 3, 4, 5
"""


def count_verdicts(connection: Connection, campaign: str, iterations: Iterable[int]) -> None:
    """Count the samples of these iterations anew; the campaign's row must be locked."""
    values = {"campaign": campaign, "iterations": sorted(set(iterations))}
    if values["iterations"]:
        connection.execute(text(_FORGET), values)
        connection.execute(text(_COUNT), values)


def count_merged(connection: Connection, campaign: str, staged: Collection[Staged]) -> None:
    """Count anew wherever a sample that was just merged belongs, also to an earlier iteration."""
    for rows in staged:
        if rows.table is samples:
            touched = connection.execute(text(_TOUCHED.format(stage=rows.stage))).scalars()
            count_verdicts(connection, campaign, touched)


def iterations_of(
    connection: Connection, campaigns: Collection[str], found: Collection[str]
) -> dict[str, set[int]]:
    """Return campaign -> iterations that made one of these samples."""
    values = {"campaigns": list(campaigns), "samples": list(found)}
    made: dict[str, set[int]] = {}
    for campaign, iteration in connection.execute(text(_HELD), values):
        made.setdefault(campaign, set()).add(iteration)
    return made
