"""Make the first schema: tables, views, and comments on all of them.

Revision ID: 0001
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from activesynth.lineage.migrations.first import (
    comments,
    data_tables,
    loop_tables,
    view_comments,
    views,
)

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    for script in (loop_tables.TABLES, data_tables.TABLES, views.VIEWS):
        connection.exec_driver_sql(script)
    _comment("TABLE", comments.TABLES)
    _comment("VIEW", view_comments.VIEWS)
    connection.exec_driver_sql(
        "COMMENT ON SCHEMA activesynth IS 'Who made what from what: campaigns, their iterations, "
        "dataset versions, samples and numbers. Read the views first.'"
    )


def downgrade() -> None:
    connection = op.get_bind()
    for name in views.NAMES:
        connection.exec_driver_sql(f"DROP VIEW activesynth.{name}")
    tables = ", ".join(f"activesynth.{name}" for name in comments.TABLES)
    # In one statement, because campaigns and dataset_versions point at each other.
    connection.exec_driver_sql(f"DROP TABLE {tables}")


def _comment(kind: str, meanings: dict[str, dict[str, str]]) -> None:
    connection = op.get_bind()
    for relation, columns in meanings.items():
        for column, meaning in columns.items():
            target = f'COLUMN activesynth.{relation}."{column}"'
            if not column:
                target = f"{kind} activesynth.{relation}"
            # COMMENT takes no parameters, so the server itself quotes the text.
            quoted = connection.execute(text("SELECT quote_literal(:it)"), {"it": meaning})
            connection.exec_driver_sql(f"COMMENT ON {target} IS {quoted.scalar_one()}")
