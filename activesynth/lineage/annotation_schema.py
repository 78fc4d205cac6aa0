"""The tables of the annotation queue, as the queries see them."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    DateTime,
    ForeignKeyConstraint,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    text,
)

from activesynth.lineage.columns import key, may, metadata, moment, need, run_fact

CLOSED = (
    CheckConstraint(
        "questions_closed IN ('answered', 'time_over', 'person')", name="questions_closed"
    ),
    CheckConstraint(
        "questions_closed_by IS NULL OR questions_closed = 'person'", name="questions_closed_by"
    ),
)
"""Of ``iterations``: why its questions are closed, and by whom."""

annotation_items = Table(
    "annotation_items",
    metadata,
    key("id", Text),
    need("campaign", Text),
    need("iteration", Integer),
    run_fact("fence", Integer),
    need("position", Integer),
    need("sample", Text),
    need("kind", Text),
    need("shard", Text),
    need("row", Integer),
    may("proposed", Integer),
    need("version", Integer),
    moment("offered_at"),
    # What the answers say, kept beside them: among 100,000 items nobody looks for the open ones.
    need("state", Text),
    may("answered_by", Text),
    need("second", Boolean),
    # Second opinions come when they come, also after the commit.
    run_fact("awaits_second", Boolean),
    ForeignKeyConstraint(["campaign", "iteration"], ["iterations.campaign", "iterations.number"]),
    CheckConstraint("kind IN ('label', 'review', 'recheck')", name="kind"),
    CheckConstraint("state IN ('open', 'labelled', 'rejected', 'skipped')", name="state"),
    CheckConstraint("(state = 'open') = (answered_by IS NULL)", name="answered_by"),
    Index(None, "campaign", "iteration", "position"),
    Index(None, "campaign", "sample"),
    Index(
        "annotation_items_queue_idx",
        *("campaign", "iteration", "fence", "position", "id"),
        postgresql_where=text("state = 'open'"),
    ),
    Index(
        "annotation_items_kind_idx",
        *("campaign", "iteration", "fence", "kind", "position", "id"),
        postgresql_where=text("state = 'open'"),
    ),
    Index(
        "annotation_items_second_idx",
        *("campaign", "iteration", "position", "id"),
        postgresql_where=text("awaits_second"),
    ),
    # For who gave nearly all first answers themselves.
    Index(
        "annotation_items_answered_by_idx",
        *("campaign", "answered_by"),
        postgresql_where=text("awaits_second"),
    ),
)

answers = Table(
    "annotations",
    metadata,
    key("item", Text),
    key("item_version", Integer),
    need("sample", Text),
    need("action", Text),
    may("label", Integer),
    need("annotator", Text),
    may("undoes", Integer),
    moment("answered_at"),
    ForeignKeyConstraint(["item"], ["annotation_items.id"]),
    ForeignKeyConstraint(["item", "undoes"], ["annotations.item", "annotations.item_version"]),
    UniqueConstraint("item", "undoes"),
    CheckConstraint("action IN ('accept', 'reject', 'relabel', 'skip', 'undo')", name="action"),
    CheckConstraint("(action = 'undo') = (undoes IS NOT NULL)", name="undoes"),
    Index(None, "annotator", "answered_at"),
)

annotation_claims = Table(
    "annotation_claims",
    metadata,
    key("item", Text),
    need("annotator", Text),
    need("claimed_until", DateTime(timezone=True)),
    ForeignKeyConstraint(["item"], ["annotation_items.id"]),
    Index(None, "annotator"),
    Index(None, "claimed_until"),
)

# Counting 100,000 items takes longer than all else that is done for an answer.
annotation_counts = Table(
    "annotation_counts",
    metadata,
    key("campaign", Text),
    key("iteration", Integer),
    key("fence", Integer),
    key("state", Text),
    key("annotator", Text),
    need("count", Integer),
    ForeignKeyConstraint(["campaign", "iteration"], ["iterations.campaign", "iterations.number"]),
)

second_opinions = Table(
    "second_opinions",
    metadata,
    key("item", Text),
    key("annotator", Text),
    key("number", Integer),
    need("action", Text),
    may("label", Integer),
    moment("given_at"),
    ForeignKeyConstraint(["item"], ["annotation_items.id"]),
    CheckConstraint("action IN ('accept', 'reject', 'relabel', 'skip', 'undo')", name="action"),
    CheckConstraint("(label IS NOT NULL) = (action IN ('accept', 'relabel'))", name="label"),
    Index(None, "annotator"),
)
