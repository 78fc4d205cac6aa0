"""Keep what the garbage collection needs: leases of blobs, and blobs in quarantine.

Revision ID: 0006
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from activesynth.lineage.migrations.sixth.tables import COMMENTS, TABLES

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql(TABLES)
    for table, columns in COMMENTS.items():
        for column, meaning in columns.items():
            what = (
                f'COLUMN activesynth.{table}."{column}"' if column else f"TABLE activesynth.{table}"
            )
            # COMMENT takes no parameters, so the server itself quotes the text.
            quoted = connection.execute(text("SELECT quote_literal(:it)"), {"it": meaning})
            connection.exec_driver_sql(f"COMMENT ON {what} IS {quoted.scalar_one()}")


def downgrade() -> None:
    connection = op.get_bind()
    for name in ("blob_leases", "blob_quarantine"):
        connection.exec_driver_sql(f"DROP TABLE activesynth.{name}")
