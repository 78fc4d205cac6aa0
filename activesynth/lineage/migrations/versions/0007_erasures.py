"""Keep what was erased for a withdrawn person, without keeping the person.

Revision ID: 0007
"""

from __future__ import annotations

from alembic import op

from activesynth.lineage.migrations.comments import explain
from activesynth.lineage.migrations.seventh.tables import COMMENTS, ORIGINS, TABLES

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql(TABLES)
    connection.exec_driver_sql(ORIGINS.format(more=", 'erased'"))
    explain(connection, COMMENTS)


def downgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql(ORIGINS.format(more=""))
    for name in ("erased_manifests", "erased_blobs", "erased_names", "erasures"):
        connection.exec_driver_sql(f"DROP TABLE activesynth.{name}")
