"""Let iterations be committed whose campaign has its gate off.

Revision ID: 0005
"""

from __future__ import annotations

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _allow("'promoted', 'refused', 'not_gated'", "")
    op.get_bind().exec_driver_sql(
        "COMMENT ON COLUMN activesynth.iterations.decision IS "
        "'promoted, refused, or not_gated (the gate is off: nothing compared, nothing promoted)'"
    )


def downgrade() -> None:
    # Iterations that were not gated stay: they are part of what happened.
    _allow("'promoted', 'refused'", " NOT VALID")
    op.get_bind().exec_driver_sql(
        "COMMENT ON COLUMN activesynth.iterations.decision IS 'promoted or refused'"
    )


def _allow(decisions: str, how: str) -> None:
    op.get_bind().exec_driver_sql(
        "ALTER TABLE activesynth.iterations "
        "DROP CONSTRAINT iterations_decision_check, "
        f"ADD CONSTRAINT iterations_decision_check CHECK (decision IN ({decisions})){how}"
    )
