"""Keep the plans that people propose for the next iteration.

Revision ID: 0012
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from activesynth.lineage.migrations.twelfth.tables import COMMENTS, DOWN, UP

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql(UP)
    for table, columns in COMMENTS.items():
        for column, meaning in columns.items():
            what = (
                f'COLUMN activesynth.{table}."{column}"' if column else f"TABLE activesynth.{table}"
            )
            # COMMENT takes no parameters, so the server itself quotes the text.
            quoted = connection.execute(text("SELECT quote_literal(:it)"), {"it": meaning})
            connection.exec_driver_sql(f"COMMENT ON {what} IS {quoted.scalar_one()}")


def downgrade() -> None:
    op.get_bind().exec_driver_sql(DOWN)
