"""Counts of samples by verdict stay right when samples are taken back or erased."""

from __future__ import annotations

from typing import Any

from sqlalchemy import create_engine, text

from activesynth.operations.erase import Request, erase
from activesynth.operations.person import Withdrawn
from clinic_fixtures import Clinic
from erasure_cases import CLINIC
from ward_fixtures import Ward, batch, take_back

COUNTS = """
    SELECT campaign, iteration, coalesce(weakness, ''), coalesce(verdict, ''),
           coalesce(verdict_reason, ''), count(*)
    FROM activesynth.samples WHERE origin = 'synthetic' AND iteration IS NOT NULL
    GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
"""
KEPT = """
    SELECT campaign, iteration, weakness, verdict, verdict_reason, count
    FROM activesynth.verdict_counts ORDER BY 1, 2, 3, 4, 5
"""


def rows(url: str, query: str) -> list[tuple[Any, ...]]:
    engine = create_engine(url)
    with engine.connect() as connection:
        found = [tuple(row) for row in connection.execute(text(query))]
    engine.dispose()
    return found


def test_counts_hold_after_a_recall(ward: Ward) -> None:
    before = rows(ward.url, KEPT)
    take_back(ward.platform, batch(ward.platform, "iteration"), "bad prompts")

    assert rows(ward.url, KEPT) == rows(ward.url, COUNTS) != before
    assert "recalled" in {row[4] for row in rows(ward.url, KEPT)}


def test_counts_hold_after_an_erasure(clinic: Clinic) -> None:
    before = rows(clinic.url, KEPT)
    query = (
        "SELECT m.parent FROM activesynth.sample_parents m JOIN activesynth.samples s "
        "ON s.campaign = m.campaign AND s.id = m.sample WHERE s.origin = 'synthetic' LIMIT 1"
    )
    ((parent,),) = rows(clinic.url, query)
    erase(Request(Withdrawn(None, (parent,)), (CLINIC,), "withdrew"), clinic.platform,
          is_deleting=True)  # fmt: skip

    assert rows(clinic.url, KEPT) == rows(clinic.url, COUNTS) != before
