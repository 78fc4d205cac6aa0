"""Sample rows into the real lineage schema: the commit's COPY, against INSERT."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import insert

from activesynth.domain.effects import Unwatched
from activesynth.domain.records import Bundle, SampleRow, VersionRow
from activesynth.lineage.engine import Database
from activesynth.lineage.lineage import Lineage, open_lineage
from activesynth.lineage.plain import record_for
from activesynth.lineage.schema import samples
from benchmarks.database import temporary_database
from benchmarks.measure import Case, measured


def measure(*, quick: bool) -> list[Case]:
    """Time a whole commit by COPY, then bare inserts: many rows a statement, and one."""
    count = 1000 if quick else 100_000
    rows = tuple(_row(number) for number in range(count))
    with temporary_database() as place:
        lineage = open_lineage(place.url, Unwatched())
        for name in ("copied", "batched", "single"):
            lineage.store.register_campaign(name, {})
        copied, _ = measured(
            "COPY, whole commit",
            lambda: _commit(lineage, rows),
            note=f"{count} rows, with encoding, upsert and moving the head",
        )
        batched, _ = measured(
            "INSERT of many values",
            lambda: _insert(lineage.database, "batched", rows),
            note="rows only, SQLAlchemy's batches",
        )
        single, _ = measured(
            "INSERT row by row",
            lambda: _insert_singly(lineage.database, "single", rows),
            note="rows only, one transaction",
        )
        lineage.close()
    return [copied, batched, single]


def _row(number: int) -> SampleRow:
    scores = {"entropy": number / 7, "distance": number / 3}
    return SampleRow(f"sample-{number:08d}", "real", "shard", number, number % 10, scores=scores)


def _records(campaign: str, rows: tuple[SampleRow, ...]) -> list[dict[str, Any]]:
    return [record_for(samples, row, campaign=campaign, iteration=None) for row in rows]


def _commit(lineage: Lineage, rows: tuple[SampleRow, ...]) -> None:
    version = VersionRow("root", None, "root", {"train": len(rows)})
    bundle = Bundle(version=version, samples=rows)
    lineage.store.commit_version("copied", bundle, expected_head=None)


def _insert(database: Database, campaign: str, rows: tuple[SampleRow, ...]) -> None:
    with database.writing("batched") as connection:
        connection.execute(insert(samples), _records(campaign, rows))


def _insert_singly(database: Database, campaign: str, rows: tuple[SampleRow, ...]) -> None:
    records = [
        {**record, "scores": json.dumps(record["scores"])} for record in _records(campaign, rows)
    ]
    names = list(records[0])
    columns = ", ".join(f'"{name}"' for name in names)
    values = ", ".join(f"%({name})s" for name in names)
    statement = f"INSERT INTO {samples.fullname} ({columns}) VALUES ({values})"  # noqa: S608
    with database.writing("single") as connection:
        cursor = connection.connection.cursor()
        for record in records:
            cursor.execute(statement, record)
