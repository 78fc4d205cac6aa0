"""Keep declared weaknesses and diagnoses on demand; give weaknesses a rank.

Revision ID: 0002
"""

from __future__ import annotations

from alembic import op
from sqlalchemy import text

from activesynth.lineage.migrations.first import comments, view_comments
from activesynth.lineage.migrations.second import tables

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    for script in (tables.TABLES, tables.HISTORY):
        connection.exec_driver_sql(script)
    _comment("TABLE", tables.COMMENTS)
    _comment("VIEW", tables.VIEW_COMMENTS)


def downgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql("DROP VIEW activesynth.weakness_history")
    connection.exec_driver_sql("ALTER TABLE activesynth.weaknesses DROP COLUMN rank")
    connection.exec_driver_sql(tables.HISTORY_BEFORE)
    _comment("VIEW", {"weakness_history": view_comments.VIEWS["weakness_history"]})
    _comment("TABLE", {"weaknesses": {"p_value": comments.TABLES["weaknesses"]["p_value"]}})
    for name in ("weakness_declarations", "diagnoses"):
        connection.exec_driver_sql(f"DROP TABLE activesynth.{name}")


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
