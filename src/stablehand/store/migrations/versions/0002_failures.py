"""Attempts, dead letters, breakers, and what is decided about agents"""

import json

import sqlalchemy as sa
from alembic import op

from stablehand.store.models import Number, UtcTime

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "attempts",
        sa.Column("number", Number, nullable=False),
        sa.Column("shot_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("began_at", UtcTime(), nullable=True),
        sa.Column("ended_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("attempts_pkey")),
        sqlite_autoincrement=True,
    )
    op.create_index("attempts_of_shot", "attempts", ["shot_id", "number"], unique=False)
    op.create_index("attempts_by_age", "attempts", ["ended_at"], unique=False)
    dead_letters = op.create_table(
        "dead_letters",
        sa.Column("number", Number, nullable=False),
        sa.Column("shot_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("checkpoint_id", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=True),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("ended_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["shot_id"], ["shots.id"], name=op.f("dead_letters_shot_id_fkey")),
        sa.PrimaryKeyConstraint("number", name=op.f("dead_letters_pkey")),
        sa.UniqueConstraint("shot_id", name=op.f("dead_letters_shot_id_key")),
        sqlite_autoincrement=True,
    )
    op.create_index("dead_letters_of_account", "dead_letters", ["account_id", "number"], unique=False)
    op.create_index("dead_letters_of_job", "dead_letters", ["job_id"], unique=False)
    op.create_table(
        "breakers",
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("checkpoint_id", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("failures", sa.Integer(), nullable=False),
        sa.Column("crashes", sa.Integer(), nullable=False),
        sa.Column("retry_at", UtcTime(), nullable=True),
        sa.Column("probe", sa.Text(), nullable=True),
        sa.Column("bars", sa.JSON(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("changed_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["checkpoint_id"], ["checkpoints.id"], name=op.f("breakers_checkpoint_id_fkey")),
        sa.PrimaryKeyConstraint("pool", "checkpoint_id", name=op.f("breakers_pkey")),
    )
    op.add_column("shots", sa.Column("not_before", UtcTime(), nullable=True))
    for column in (
        sa.Column("loading", sa.Text(), nullable=True),
        sa.Column("standing", sa.String(length=16), nullable=False, server_default="working"),
        sa.Column("standing_reason", sa.Text(), nullable=False, server_default=""),
        sa.Column("standing_since", UtcTime(), nullable=True),
        sa.Column("probe_at", UtcTime(), nullable=True),
        sa.Column("pauses", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("troubles", sa.JSON(), nullable=False, server_default="[]"),
        sa.Column("removed_at", UtcTime(), nullable=True),
    ):
        op.add_column("agents", column)
    failed = (
        op.get_bind()
        .execute(
            sa.text(
                "SELECT id AS shot_id, job_id, account_id, checkpoint_id, pool, error, finished_at FROM shots"
                " WHERE state = 'failed' ORDER BY finished_at"
            ).columns(error=sa.Text(), finished_at=UtcTime())
        )
        .mappings()
        .all()
    )
    letters = [{**row, "code": _code(row["error"]), "ended_at": row["finished_at"]} for row in failed]
    for letter in letters:
        del letter["error"], letter["finished_at"]
    if letters:
        op.bulk_insert(dead_letters, letters)


def _code(error: object) -> str:
    """The code of an error as a database hands JSON out: as text, or read already."""
    value = json.loads(error) if isinstance(error, str) else error
    return str(value["code"]) if isinstance(value, dict) else "unknown"


def downgrade() -> None:
    raise NotImplementedError("Restore a backup to go back: `stablehand restore FILE`.")
