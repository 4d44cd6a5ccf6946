"""Accounts that are suspended for a reason, and accounts that were deleted"""

import sqlalchemy as sa
from alembic import op

from stablehand.store.models import UtcTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("accounts", sa.Column("suspended_reason", sa.Text(), nullable=False, server_default=""))
    op.add_column("accounts", sa.Column("deleted_at", UtcTime(), nullable=True))
    op.add_column("accounts", sa.Column("erased_at", UtcTime(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("Restore a backup to go back: `stablehand restore FILE`.")
