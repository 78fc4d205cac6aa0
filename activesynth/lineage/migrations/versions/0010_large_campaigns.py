"""Let pages of large campaigns find their rows by an index, and counts without counting.

Revision ID: 0010
"""

from __future__ import annotations

from alembic import op

from activesynth.lineage.migrations.comments import explain
from activesynth.lineage.migrations.tenth.tables import (
    COMMENTS,
    INDEXES,
    REPLACED,
    TABLE,
    VIEWS,
    VIEWS_BEFORE,
)

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    _make(INDEXES)
    _drop(REPLACED)
    connection.exec_driver_sql(TABLE)
    connection.exec_driver_sql(VIEWS)
    explain(connection, COMMENTS)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(VIEWS_BEFORE)
    op.get_bind().exec_driver_sql("DROP TABLE activesynth.verdict_counts")
    _make(REPLACED)
    _drop(INDEXES)


def _make(indexes: dict[str, str]) -> None:
    for name, place in indexes.items():
        op.get_bind().exec_driver_sql(f"CREATE INDEX {name} ON activesynth.{place}")


def _drop(indexes: dict[str, str]) -> None:
    for name in indexes:
        op.get_bind().exec_driver_sql(f"DROP INDEX activesynth.{name}")
