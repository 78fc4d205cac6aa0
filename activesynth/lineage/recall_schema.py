"""The table that remembers what was taken back, as the queries see it."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from activesynth.lineage.columns import key, metadata, moment, need

recalls = Table(
    "recalls",
    metadata,
    key("campaign", Text),
    key("version", Text),
    need("samples", Integer),
    need("selection", JSONB),
    need("reason", Text),
    need("recalled_by", Text),
    need("iterations", Integer),
    need("branches", JSONB),
    moment("recorded_at"),
    ForeignKeyConstraint(
        ["campaign", "version"], ["dataset_versions.campaign", "dataset_versions.digest"]
    ),
    CheckConstraint("samples >= 0", name="samples"),
    Index(None, "campaign", "recorded_at", "version"),
)
