"""Let an iteration close its questions, so that no answer comes after those it went on with.

Revision ID: 0011
"""

from __future__ import annotations

from alembic import op

from activesynth.lineage.migrations.comments import explain

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

UP = """
ALTER TABLE activesynth.iterations
    ADD COLUMN questions_closed text,
    ADD COLUMN questions_closed_by text,
    ADD CONSTRAINT iterations_questions_closed_check
        CHECK (questions_closed IN ('answered', 'time_over', 'person')),
    ADD CONSTRAINT iterations_questions_closed_by_check
        CHECK (questions_closed_by IS NULL OR questions_closed = 'person');
"""
DOWN = """
ALTER TABLE activesynth.iterations
    DROP COLUMN questions_closed,
    DROP COLUMN questions_closed_by;
"""
COMMENTS = {
    "questions_closed": (
        "Why the iteration took no more answers: answered, time_over, or person, who went on "
        "without the rest; empty while it takes them, where nothing was asked, and of iterations "
        "before revision 0011"
    ),
    "questions_closed_by": "Who decided to go on without the answers that were missing",
}


def upgrade() -> None:
    connection = op.get_bind()
    connection.exec_driver_sql(UP)
    explain(connection, {"iterations": COMMENTS})


def downgrade() -> None:
    op.get_bind().exec_driver_sql(DOWN)
