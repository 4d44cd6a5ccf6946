"""Outbox entries with an id, tries and an end

Entries of versions that had no courier were told to browsers when they were written; they count as delivered.
"""

import sqlalchemy as sa
from alembic import op

from stablehand.store.models import UtcTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_OPEN = sa.text("delivered_at IS NULL AND dead_at IS NULL")
_DEAD = sa.text("dead_at IS NOT NULL")


def upgrade() -> None:
    for name, kind, default in (
        ("id", sa.Text(), ""),
        ("next_try_at", UtcTime(), "1970-01-01 00:00:00.000000"),
        ("tries", sa.Integer(), "0"),
        ("token", sa.BigInteger(), "0"),
        ("error", sa.Text(), ""),
    ):
        op.add_column("outbox", sa.Column(name, kind, nullable=False, server_default=default))
    op.add_column("outbox", sa.Column("delivered_at", UtcTime(), nullable=True))
    op.add_column("outbox", sa.Column("dead_at", UtcTime(), nullable=True))
    op.execute("UPDATE outbox SET id = 'n' || number, next_try_at = created_at, delivered_at = created_at")
    op.create_index("outbox_id", "outbox", ["id"], unique=True)
    op.create_index("outbox_open", "outbox", ["number"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_index("outbox_due", "outbox", ["next_try_at"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_index("outbox_open_of_job", "outbox", ["job_id", "number"], sqlite_where=_OPEN, postgresql_where=_OPEN)
    op.create_index("outbox_dead", "outbox", ["number"], sqlite_where=_DEAD, postgresql_where=_DEAD)


def downgrade() -> None:
    raise NotImplementedError("Restore a backup to go back: `stablehand restore FILE`.")
