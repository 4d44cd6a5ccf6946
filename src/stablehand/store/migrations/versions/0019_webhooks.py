"""Webhooks, and the signing secrets of accounts"""

import sqlalchemy as sa
from alembic import op

from stablehand.store.models import UtcTime

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "webhooks",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("types", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("paused_at", UtcTime(), nullable=True),
        sa.Column("disabled_at", UtcTime(), nullable=True),
        sa.Column("disabled_reason", sa.Text(), nullable=False),
        sa.Column("failing_since", UtcTime(), nullable=True),
        sa.Column("last_arrived_at", UtcTime(), nullable=True),
        sa.Column("secret_version", sa.Integer(), nullable=False),
        sa.Column("rotated_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="webhooks_pkey"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="webhooks_account_id_fkey"),
    )
    op.create_index("webhooks_account_id", "webhooks", ["account_id"])
    op.create_table(
        "account_secrets",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("secret_version", sa.Integer(), nullable=False),
        sa.Column("rotated_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", name="account_secrets_pkey"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="account_secrets_account_id_fkey"),
    )
    open_ = sa.text("state <> 'arrived'")
    op.create_index(
        "dispatches_open_of_road",
        "dispatches",
        ["channel", "destination", "state"],
        sqlite_where=open_,
        postgresql_where=open_,
    )


def downgrade() -> None:
    raise NotImplementedError("Restore a backup to go back: `stablehand restore FILE`.")
