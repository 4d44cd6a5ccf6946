"""What headers say of how a checkpoint is sampled, and files of weights beside the checkpoints"""

import sqlalchemy as sa
from alembic import op

from stablehand.store.models import UtcTime

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("checkpoints", sa.Column("inpainting", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("checkpoints", sa.Column("prediction", sa.Text(), nullable=True))
    op.add_column(
        "checkpoints", sa.Column("zero_terminal_snr", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("checkpoints", sa.Column("distillation", sa.Text(), nullable=True))
    # An empty stamp is no file's: the next scan reads the headers again and fills these in.
    op.execute("UPDATE checkpoints SET stamp = ''")
    op.create_table(
        "addons",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("family", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("stamp", sa.Text(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("missing_since", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name="addons_pkey"),
        sa.UniqueConstraint("path", name="addons_path_key"),
    )


def downgrade() -> None:
    raise NotImplementedError("Restore a backup to go back: `stablehand restore FILE`.")
