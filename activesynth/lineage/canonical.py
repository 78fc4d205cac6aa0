"""Everything committed about a campaign, without what differs between two equal runs."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Select, Table, select

from activesynth.domain.effects import Unwatched
from activesynth.lineage import annotation_schema, erasure_schema, schema
from activesynth.lineage.columns import VOLATILE, metadata
from activesynth.lineage.engine import Database, make_engine

_STAGED = {
    schema.steps.name,
    schema.artifacts.name,
    schema.artifact_edges.name,
    annotation_schema.annotation_items.name,
}
"""Tables that also hold rows of iterations that are not committed yet."""
_BESIDE = {
    schema.generators.name,
    schema.experiments.name,
    schema.experiment_cells.name,
    schema.experiment_scores.name,
    schema.blob_quarantine.name,
    schema.blob_leases.name,
    annotation_schema.annotation_claims.name,
    schema.verdict_counts.name,
    annotation_schema.annotation_counts.name,
    annotation_schema.second_opinions.name,
    erasure_schema.erasures.name,
    erasure_schema.erased_names.name,
    erasure_schema.erased_blobs.name,
    erasure_schema.erased_manifests.name,
}
"""Tables of what lies beside campaigns: none of their rows says what a campaign did."""


def canonical_state(url: str, campaign: str) -> dict[str, list[dict[str, Any]]]:
    """Return table name -> sorted rows of the campaign's committed state.

    Two databases in which the same was made compare equal, however often tasks died and ran
    again: times, hosts, seconds, attempts, fences and run keys are left out.
    """
    database = Database(make_engine(url), Unwatched())
    try:
        with database.reading() as connection:
            return {
                table.name: _sorted_rows(connection, table, campaign)
                for table in metadata.sorted_tables
                if table.name not in _BESIDE
            }
    finally:
        database.close()


def _sorted_rows(connection: Connection, table: Table, campaign: str) -> list[dict[str, Any]]:
    rows = [
        {name: int(value) if isinstance(value, Decimal) else value for name, value in row.items()}
        for row in connection.execute(_committed(table, campaign)).mappings()
    ]
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def _committed(table: Table, campaign: str) -> Select[Any]:
    lasting = [column for column in table.columns if not column.info.get(VOLATILE)]
    query = select(*lasting)
    if table is schema.outbox:
        query = query.add_columns(schema.outbox.c.sent_at.is_not(None).label("is_sent"))
    if table is schema.campaigns:
        return query.where(table.c.name == campaign)
    if table is annotation_schema.answers:
        asked = annotation_schema.annotation_items
        query = query.join(asked, asked.c.id == table.c.item)
        return _of_committed(query, asked, campaign)
    if table is schema.iterations:
        return query.where(table.c.campaign == campaign, table.c.state == "committed")
    if table.name in _STAGED:
        return _of_committed(query, table, campaign)
    return query.where(table.c.campaign == campaign)


def _of_committed(query: Select[Any], table: Table, campaign: str) -> Select[Any]:
    turns = schema.iterations
    return query.join(
        turns, (turns.c.campaign == table.c.campaign) & (turns.c.number == table.c.iteration)
    ).where(table.c.campaign == campaign, turns.c.state == "committed")
