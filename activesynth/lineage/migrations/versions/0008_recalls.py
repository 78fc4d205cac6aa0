"""Keep what was taken back and why, and find a batch by an index.

Revision ID: 0008
"""

from __future__ import annotations

from alembic import op

from activesynth.lineage.migrations.comments import explain
from activesynth.lineage.migrations.eighth.tables import COMMENTS, INDEXES, ORIGINS, TABLES

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql(TABLES)
    connection.exec_driver_sql(ORIGINS.format(more=", 'recalled'"))
    for name, place in INDEXES.items():
        connection.exec_driver_sql(f"CREATE INDEX {name} ON activesynth.{place}")
    explain(connection, COMMENTS)


def downgrade() -> None:
    connection = op.get_bind()
    # Refused by the server where something was taken back: its reason would be lost.
    connection.exec_driver_sql(ORIGINS.format(more=""))
    for name in INDEXES:
        connection.exec_driver_sql(f"DROP INDEX activesynth.{name}")
    connection.exec_driver_sql("DROP TABLE activesynth.recalls")
