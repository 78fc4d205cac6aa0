"""Keep what was erased for a withdrawn person, without keeping the person.

Revision ID: 0007
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from activesynth.lineage.migrations.seventh.tables import COMMENTS, ORIGINS, TABLES

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql(TABLES)
    connection.exec_driver_sql(ORIGINS.format(more=", 'erased'"))
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
    connection.exec_driver_sql(ORIGINS.format(more=""))
    for name in ("erased_manifests", "erased_blobs", "erased_names", "erasures"):
        connection.exec_driver_sql(f"DROP TABLE activesynth.{name}")
