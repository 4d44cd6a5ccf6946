"""Pictures to start from, and of which kind a shot is"""

import sqlalchemy as sa
from alembic import op

from stablehand.store.models import UtcTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("shots", sa.Column("kind", sa.String(16), nullable=False, server_default="text"))
    op.create_table(
        "inputs",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("object_key", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("last_used_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "id", name="inputs_pkey"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="inputs_account_id_fkey"),
    )
    op.create_index("inputs_last_used_at", "inputs", ["last_used_at"])


def downgrade() -> None:
    raise NotImplementedError("Restore a backup to go back: `stablehand restore FILE`.")
