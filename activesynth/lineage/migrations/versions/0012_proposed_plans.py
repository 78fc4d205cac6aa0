"""Keep the plans that people propose for the next iteration.

Revision ID: 0012
"""

from __future__ import annotations

from alembic import op

from activesynth.lineage.migrations.comments import explain
from activesynth.lineage.migrations.twelfth.tables import COMMENTS, DOWN, UP

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql(UP)
    explain(connection, COMMENTS)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(DOWN)
