"""Let people be asked whether the label of a train row is right.

Revision ID: 0003
"""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    _allow("'label', 'review', 'recheck'", "")
    op.get_bind().exec_driver_sql(
        "COMMENT ON COLUMN activesynth.annotation_items.kind IS "
        "'label (real, from the pool), review (synthetic) or recheck (real, label doubted)'"
    )


def downgrade() -> None:
    # Questions of the new kind that were asked stay: they are part of what happened.
    _allow("'label', 'review'", " NOT VALID")
    op.get_bind().exec_driver_sql(
        "COMMENT ON COLUMN activesynth.annotation_items.kind IS "
        "'label (real, from the pool) or review (synthetic)'"
    )


def _allow(kinds: str, how: str) -> None:
    op.get_bind().exec_driver_sql(
        "ALTER TABLE activesynth.annotation_items "
        "DROP CONSTRAINT annotation_items_kind_check, "
        f"ADD CONSTRAINT annotation_items_kind_check CHECK (kind IN ({kinds})){how}"
    )
