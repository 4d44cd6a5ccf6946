"""Room for changes in PostgreSQL's pages

Shots, jobs and agents are rewritten again and again. Free room in their pages lets a rewrite that touches no index stay
where it is, and early vacuuming keeps the dead versions of a busy queue from piling up.
"""

from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_OFTEN_VACUUMED = (
    "autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 500, "
    "autovacuum_analyze_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 1"
)


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(f"ALTER TABLE shots SET (fillfactor = 70, {_OFTEN_VACUUMED})")
    op.execute(f"ALTER TABLE jobs SET (fillfactor = 85, {_OFTEN_VACUUMED})")
    op.execute(f"ALTER TABLE uploads SET ({_OFTEN_VACUUMED})")
    op.execute(f"ALTER TABLE agents SET (fillfactor = 50, {_OFTEN_VACUUMED})")


def downgrade() -> None:
    raise NotImplementedError("Restore a backup to go back.")
