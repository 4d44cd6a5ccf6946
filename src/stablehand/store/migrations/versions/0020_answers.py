"""Answers to requests that came with an Idempotency-Key"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("idempotency_keys") as table:
        table.alter_column("job_id", existing_type=sa.Text(), nullable=True)
        table.add_column(sa.Column("answer", sa.LargeBinary(), nullable=True))


def downgrade() -> None:
    raise NotImplementedError("Restore a backup to go back: `stablehand restore FILE`.")
