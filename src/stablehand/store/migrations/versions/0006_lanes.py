"""Lanes: fair tags, what accounts have queued in them, and what was measured"""

import sqlalchemy as sa
from alembic import op

from stablehand.store.models import UtcTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table, name, kind, default in (
        ("agents", "busy_weight", sa.Float(), "1"),
        ("accounts", "finish_tag", sa.Float(), "0"),
        ("accounts", "owed_tag", sa.Float(), "0"),
        ("shots", "estimate_seconds", sa.Float(), "0"),
        ("charges", "estimate_seconds", sa.Float(), "0"),
        ("charges", "family", sa.Text(), ""),
        ("charges", "device", sa.Text(), ""),
        ("charges", "size_class", sa.Text(), ""),
        ("charges", "weight", sa.Float(), "1"),
        ("charges", "corrected", sa.Boolean(), sa.true()),
    ):
        op.add_column(table, sa.Column(name, kind, nullable=False, server_default=default))
    op.add_column("agents", sa.Column("busy_share", sa.Float(), nullable=True))
    op.create_table(
        "tallies",
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("checkpoint_id", sa.Text(), nullable=False),
        sa.Column("tier_rank", sa.Integer(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("queued", sa.Integer(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("waiting_since", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("pool", "checkpoint_id", "tier_rank", "account_id", name=op.f("tallies_pkey")),
    )
    op.create_table(
        "loads",
        sa.Column("checkpoint_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=False),
        sa.Column("seconds", sa.Float(), nullable=False),
        sa.Column("measured_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["agent_id"], ["agents.id"], name=op.f("loads_agent_id_fkey")),
        sa.PrimaryKeyConstraint("checkpoint_id", "agent_id", name=op.f("loads_pkey")),
    )
    op.drop_index("shots_in_order", "shots")
    op.drop_index("charges_by_checkpoint", "charges")
    _partial_index("shots_in_lane", "shots", ["pool", "checkpoint_id", "tier_rank", "tag", "index"], "state = 'queued'")
    _partial_index("shots_by_claimed_tag", "shots", ["tag"], "token > 0")
    _partial_index("tallies_waiting", "tallies", ["pool", "checkpoint_id", "tier_rank", "waiting_since"], "queued > 0")
    op.create_index("charges_by_kind", "charges", ["family", "device", "size_class", "number"])
    op.create_index("charges_by_family", "charges", ["family", "number"])
    _partial_index("charges_uncorrected", "charges", ["account_id"], "NOT corrected")
    _carry_over()
    if op.get_bind().dialect.name == "postgresql":  # rewritten with every claim; see revision 0004
        op.execute(
            "ALTER TABLE tallies SET (fillfactor = 50, autovacuum_vacuum_scale_factor = 0.01,"
            " autovacuum_vacuum_threshold = 200, autovacuum_vacuum_cost_delay = 1)"
        )


def _partial_index(name: str, table: str, columns: list[str], condition: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))


def _carry_over() -> None:
    """What waits now keeps its order, and every account starts behind its own last shot."""
    op.execute("UPDATE shots SET estimate_seconds = cost")
    op.execute("UPDATE charges SET estimate_seconds = cost")
    op.execute(
        "UPDATE charges SET family ="
        " COALESCE((SELECT family FROM checkpoints WHERE checkpoints.id = charges.checkpoint_id), '')"
    )
    op.execute(
        "UPDATE accounts SET finish_tag ="
        " COALESCE((SELECT MAX(tag + cost) FROM shots WHERE shots.account_id = accounts.id AND state = 'queued'), 0)"
    )
    op.execute(
        "INSERT INTO tallies (pool, checkpoint_id, tier_rank, account_id, queued, seconds, waiting_since)"
        " SELECT shots.pool, shots.checkpoint_id, shots.tier_rank, shots.account_id, COUNT(*),"
        " SUM(shots.cost), MIN(jobs.created_at) FROM shots JOIN jobs ON jobs.id = shots.job_id"
        " WHERE shots.state = 'queued' GROUP BY shots.pool, shots.checkpoint_id, shots.tier_rank, shots.account_id"
    )


def downgrade() -> None:
    raise NotImplementedError("Restore a backup to go back: `stablehand restore FILE`.")
