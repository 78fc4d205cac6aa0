"""Keep generators with a corpus of their own, registered experiments and their scores.

Revision ID: 0004
"""

from __future__ import annotations

from alembic import op

from activesynth.lineage.migrations.comments import explain
from activesynth.lineage.migrations.fourth.tables import COMMENTS, TABLES

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql(TABLES)
    explain(connection, COMMENTS)


def downgrade() -> None:
    connection = op.get_bind()
    for name in ("experiment_scores", "experiment_cells", "experiments", "generators"):
        connection.exec_driver_sql(f"DROP TABLE activesynth.{name}")
