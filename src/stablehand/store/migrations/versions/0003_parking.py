"""Parked states, uploads that agents put into the store themselves, and pictures by age"""

import sqlalchemy as sa
from alembic import op

from stablehand.store.models import UtcTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_MAY_EXPIRE = sa.text("deleted_at IS NULL AND NOT starred")


def upgrade() -> None:
    op.create_table(
        "parked",
        sa.Column("shot_id", sa.Text(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("object_key", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("offers", sa.Integer(), nullable=False),
        sa.Column("step", sa.Integer(), nullable=False),
        sa.Column("steps", sa.Integer(), nullable=False),
        sa.Column("device_seconds", sa.Float(), nullable=False),
        sa.Column("recipe_fingerprint", sa.Text(), nullable=False),
        sa.Column("checkpoint_sha256", sa.Text(), nullable=True),
        sa.Column("checkpoint_stamp", sa.Text(), nullable=False),
        sa.Column("runtime", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("device_kind", sa.Text(), nullable=False),
        sa.Column("device_name", sa.Text(), nullable=False),
        sa.Column("precision", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["shot_id"], ["shots.id"], name=op.f("parked_shot_id_fkey")),
        sa.PrimaryKeyConstraint("shot_id", name=op.f("parked_pkey")),
    )
    op.add_column("uploads", sa.Column("staged_key", sa.Text(), nullable=True))
    op.create_index("images_by_age", "images", ["created_at"], sqlite_where=_MAY_EXPIRE, postgresql_where=_MAY_EXPIRE)
