"""Let several people share the annotation queue, and keep blind second opinions.

Revision ID: 0009
"""

from __future__ import annotations

from alembic import op

from activesynth.lineage.migrations.comments import explain
from activesynth.lineage.migrations.ninth.tables import COMMENTS, DOWN, UP

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql(UP)
    explain(connection, COMMENTS)


def downgrade() -> None:
    op.get_bind().exec_driver_sql(DOWN)
