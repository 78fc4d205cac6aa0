"""Keep what the garbage collection needs: leases of blobs, and blobs in quarantine.

Revision ID: 0006
"""

from __future__ import annotations

from alembic import op

from activesynth.lineage.migrations.comments import explain
from activesynth.lineage.migrations.sixth.tables import COMMENTS, TABLES

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql(TABLES)
    explain(connection, COMMENTS)


def downgrade() -> None:
    connection = op.get_bind()
    for name in ("blob_leases", "blob_quarantine"):
        connection.exec_driver_sql(f"DROP TABLE activesynth.{name}")
