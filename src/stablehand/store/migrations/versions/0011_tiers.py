"""Tiers that may change: each shot keeps the weight it was tagged with; accounts may have quotas of their own"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shots", sa.Column("weight", sa.Float(), nullable=False, server_default="1"))
    # The two tiers there have been.
    op.execute("UPDATE shots SET weight = 4 WHERE tier_rank = 0 AND state IN ('queued', 'running')")
    op.add_column("accounts", sa.Column("quotas", sa.JSON(), nullable=True))
    op.create_index("charges_of_account", "charges", ["account_id", "created_at"])
    op.drop_index("charges_account_id", "charges")


def downgrade() -> None:
    raise NotImplementedError("Restore a backup to go back: `stablehand restore FILE`.")
