"""Days of the ledger that are over, summed up"""

import sqlalchemy as sa
from alembic import op

from stablehand.store.models import Number

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "ledger_days",
        sa.Column("number", Number, nullable=False),
        sa.Column("source", sa.String(8), nullable=False),
        sa.Column("upto", sa.BigInteger(), nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("checkpoint_id", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("lines", sa.Integer(), nullable=False),
        sa.Column("device_seconds", sa.Float(), nullable=False),
        sa.Column("charge_micros", sa.BigInteger(), nullable=False),
        sa.Column("cost_micros", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="ledger_days_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("ledger_days_by_day", "ledger_days", ["day"])
    op.create_index("ledger_days_of_account", "ledger_days", ["account_id", "day"])
    op.create_index("ledger_days_upto", "ledger_days", ["source", "upto"])
    op.drop_index("waste_by_age", "waste")


def downgrade() -> None:
    raise NotImplementedError("Restore a backup to go back: `stablehand restore FILE`.")
