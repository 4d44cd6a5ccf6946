"""Accounts that people sign in to by an identity provider"""

import sqlalchemy as sa
from alembic import op

from stablehand.store.models import UtcTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "identities",
        sa.Column("issuer", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("linked_at", UtcTime(), nullable=False),
        sa.Column("last_used_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("issuer", "subject", name="identities_pkey"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="identities_account_id_fkey"),
    )
    op.create_index("identities_account_id", "identities", ["account_id"])


def downgrade() -> None:
    raise NotImplementedError("Restore a backup to go back: `stablehand restore FILE`.")
