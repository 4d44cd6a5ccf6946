"""Links to pictures"""

import sqlalchemy as sa
from alembic import op

from stablehand.store.models import Number, UtcTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "links",
        sa.Column("number", Number, autoincrement=True, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=True),
        sa.Column("image_ids", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("until", UtcTime(), nullable=False),
        sa.Column("revoked_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="links_pkey"),
        sa.UniqueConstraint("id", name="links_id_key"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="links_account_id_fkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("links_of_account", "links", ["account_id", "number"])
    op.create_index("links_until", "links", ["until"])
    op.create_table(
        "link_stamps",
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("stamp", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", name="link_stamps_pkey"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="link_stamps_account_id_fkey"),
    )


def downgrade() -> None:
    raise NotImplementedError("Restore a backup to go back: `stablehand restore FILE`.")
