"""Calls of dialects that wait for their pictures, and what their clients have set for themselves"""

import sqlalchemy as sa
from alembic import op

from stablehand.store.models import Number, UtcTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "calls",
        sa.Column("number", Number, nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("batches", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("resumable_until", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="calls_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("calls_of_credential", "calls", ["credential", "number"])
    op.create_index("calls_job_id", "calls", ["job_id"])
    op.create_index("calls_created_at", "calls", ["created_at"])
    op.create_table(
        "client_options",
        sa.Column("credential", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("chosen", sa.JSON(), nullable=False),
        sa.Column("changed_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("credential", name="client_options_pkey"),
    )


def downgrade() -> None:
    raise NotImplementedError("Restore a backup to go back: `stablehand restore FILE`.")
