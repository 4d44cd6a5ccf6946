"""Dispatches: notices on their way to destinations outside; whom a job tells"""

import sqlalchemy as sa
from alembic import op

from stablehand.store.columns import Number
from stablehand.store.models import UtcTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_WAITING = sa.text("state = 'waiting'")
_DEAD = sa.text("state = 'dead'")


def upgrade() -> None:
    op.add_column("jobs", sa.Column("notify", sa.JSON(none_as_null=True), nullable=True))
    op.create_table(
        "dispatches",
        sa.Column("number", Number, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("notice_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("noticed_at", UtcTime(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("destination", sa.Text(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("next_try_at", UtcTime(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=True),
        sa.PrimaryKeyConstraint("number", name="dispatches_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("dispatches_id", "dispatches", ["id"], unique=True)
    op.create_index("dispatches_once", "dispatches", ["notice_id", "channel", "destination"], unique=True)
    op.create_index(
        "dispatches_due",
        "dispatches",
        ["next_try_at", "channel", "destination"],
        sqlite_where=_WAITING,
        postgresql_where=_WAITING,
    )
    op.create_index("dispatches_dead", "dispatches", ["number"], sqlite_where=_DEAD, postgresql_where=_DEAD)
    op.create_index("dispatches_of_road", "dispatches", ["channel", "destination", "number"])
    op.create_index("dispatches_of_account", "dispatches", ["account_id", "number"])
    op.create_index("dispatches_by_age", "dispatches", ["ended_at"])
    op.create_table(
        "dispatch_tries",
        sa.Column("number", Number, nullable=False),
        sa.Column("dispatch_id", sa.Text(), nullable=False),
        sa.Column("tried_at", UtcTime(), nullable=False),
        sa.Column("milliseconds", sa.Integer(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="dispatch_tries_pkey"),
        sqlite_autoincrement=True,
    )
    op.create_index("dispatch_tries_of", "dispatch_tries", ["dispatch_id", "number"])


def downgrade() -> None:
    raise NotImplementedError("Restore a backup to go back: `stablehand restore FILE`.")
