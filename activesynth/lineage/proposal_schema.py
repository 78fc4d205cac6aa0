"""The table of plans that people propose, as the queries see it."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from activesynth.lineage.columns import key, metadata, moment, need

proposed_plans = Table(
    "proposed_plans",
    metadata,
    key("campaign", Text),
    key("number", Integer),
    need("action", Text),
    need("amounts", JSONB),
    need("rest", Text),
    need("reason", Text),
    need("proposed_by", Text),
    moment("recorded_at"),
    ForeignKeyConstraint(["campaign"], ["campaigns.name"]),
    CheckConstraint("action IN ('propose', 'withdraw')", name="action"),
    CheckConstraint("rest IN ('automatic', 'none')", name="rest"),
)
