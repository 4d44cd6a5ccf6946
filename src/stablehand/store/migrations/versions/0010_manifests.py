"""By what each picture was drawn, and what had to be done otherwise than asked for"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("images", sa.Column("notes", sa.Text(), nullable=True))
    op.add_column("images", sa.Column("manifest", sa.JSON(none_as_null=True), nullable=True))
    noted = sa.text("notes IS NOT NULL")
    op.create_index("images_noted", "images", ["job_id"], sqlite_where=noted, postgresql_where=noted)


def downgrade() -> None:
    raise NotImplementedError("Restore a backup to go back: `stablehand restore FILE`.")
