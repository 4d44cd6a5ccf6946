"""Money on charges, lines for device time that nobody is charged for, and a ledger that the database itself guards"""

import sqlalchemy as sa
from alembic import op

from stablehand.store.models import Number, UtcTime

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

#: all columns of charges but ``corrected``, which says how far the queue's clock has come, and nothing of money
_FIXED = (
    "number, shot_id, account_id, job_id, agent_id, checkpoint_id, pool, tier, cost, device_seconds, held_seconds,"
    " charge_micros, cost_micros, currency, estimate_seconds, weight, family, device, size_class, created_at"
)
_GUARDS = {
    "charges_no_delete": "DELETE ON charges",
    "charges_no_update": f"UPDATE OF {_FIXED} ON charges",
    "waste_no_delete": "DELETE ON waste",
    "waste_no_update": "UPDATE ON waste",
}
_WORDS = "the ledger is never changed"


def upgrade() -> None:
    for column in (
        sa.Column("pool", sa.Text(), nullable=False, server_default=""),
        sa.Column("tier", sa.Text(), nullable=False, server_default=""),
        sa.Column("held_seconds", sa.Float(), nullable=False, server_default="0"),
        sa.Column("charge_micros", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("cost_micros", sa.BigInteger(), nullable=False, server_default="0"),
        sa.Column("currency", sa.String(3), nullable=False, server_default=""),
    ):
        op.add_column("charges", column)
    op.execute(
        "UPDATE charges SET pool = (SELECT pool FROM shots WHERE shots.id = charges.shot_id),"
        " tier = (SELECT tier FROM jobs WHERE jobs.id = charges.job_id)"
    )
    op.create_table(
        "waste",
        sa.Column("number", Number, nullable=False),
        sa.Column("shot_id", sa.Text(), nullable=False),
        sa.Column("token", sa.BigInteger(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("agent_id", sa.Text(), nullable=True),
        sa.Column("checkpoint_id", sa.Text(), nullable=False),
        sa.Column("pool", sa.Text(), nullable=False),
        sa.Column("tier", sa.Text(), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("held_seconds", sa.Float(), nullable=False),
        sa.Column("device_seconds", sa.Float(), nullable=False),
        sa.Column("cost_micros", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("began_at", UtcTime(), nullable=True),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.PrimaryKeyConstraint("number", name="waste_pkey"),
        sa.ForeignKeyConstraint(["shot_id"], ["shots.id"], name="waste_shot_id_fkey"),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="waste_account_id_fkey"),
        sqlite_autoincrement=True,
    )
    _index_part("waste_ends", "reason NOT IN ('discarded', 'refused')")
    _index_part("waste_refused", "reason = 'refused'")
    op.create_index("waste_by_age", "waste", ["created_at"])
    _guard()


def _index_part(name: str, condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "waste", ["shot_id", "token"], unique=True, sqlite_where=where, postgresql_where=where)


def _guard() -> None:
    """The database itself refuses to change or delete a line, even by a fault of ours."""
    if op.get_bind().dialect.name != "postgresql":
        for name, deed in _GUARDS.items():
            op.execute(f"CREATE TRIGGER {name} BEFORE {deed} BEGIN SELECT RAISE(ABORT, '{_WORDS}'); END")
        return
    op.execute(
        "CREATE FUNCTION ledger_refuse() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{_WORDS}'; END $$"
    )
    emptying = {f"{table}_no_truncate": f"TRUNCATE ON {table}" for table in ("charges", "waste")}
    for name, deed in {**_GUARDS, **emptying}.items():
        op.execute(f"CREATE TRIGGER {name} BEFORE {deed} EXECUTE FUNCTION ledger_refuse()")


def downgrade() -> None:
    raise NotImplementedError("Restore a backup to go back: `stablehand restore FILE`.")
