"""The tables that remember what was erased, as the queries see them."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, ForeignKeyConstraint, Index, Table, Text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from activesynth.lineage.columns import key, may, metadata, moment, need

erasures = Table(
    "erasures",
    metadata,
    key("id", Text),
    need("campaigns", ARRAY(Text)),
    need("reason", Text),
    need("salt", Text),
    need("certificate", JSONB),
    moment("recorded_at"),
    moment("finished_at", nullable=True),
)

erased_names = Table(
    "erased_names",
    metadata,
    key("erasure", Text),
    key("kind", Text),
    key("hash", Text),
    ForeignKeyConstraint(["erasure"], ["erasures.id"]),
    CheckConstraint("kind IN ('sample', 'group')", name="kind"),
)

erased_blobs = Table(
    "erased_blobs",
    metadata,
    key("digest", Text),
    need("erasure", Text),
    need("kind", Text),
    may("replacement", Text),
    moment("recorded_at"),
    moment("removed_at", nullable=True),
    ForeignKeyConstraint(["erasure"], ["erasures.id"]),
    Index(None, "erasure"),
)

erased_manifests = Table(
    "erased_manifests",
    metadata,
    key("campaign", Text),
    key("before", Text),
    key("after", Text),
    need("erasure", Text),
    ForeignKeyConstraint(["campaign"], ["campaigns.name"]),
    ForeignKeyConstraint(["erasure"], ["erasures.id"]),
)
