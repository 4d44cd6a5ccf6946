"""What accounts want to be told by mail"""

import sqlalchemy as sa
from alembic import op

from stablehand.store.models import UtcTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "mail_choices",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("results", sa.Boolean(), nullable=True),
        sa.Column("failures", sa.Boolean(), nullable=True),
        sa.Column("notices", sa.Boolean(), nullable=True),
        sa.Column("stopped_at", UtcTime(), nullable=True),
        sa.Column("limit_told_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", name="mail_choices_pkey"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="mail_choices_account_id_fkey"),
    )


def downgrade() -> None:
    raise NotImplementedError("Restore a backup to go back: `stablehand restore FILE`.")
