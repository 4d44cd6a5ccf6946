"""An index for the log of what went to addresses that jobs brought along"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

_BROUGHT = sa.text("channel = 'webhook' AND destination LIKE '%://%'")


def upgrade() -> None:
    op.create_index(
        "dispatches_brought",
        "dispatches",
        ["account_id", "number"],
        sqlite_where=_BROUGHT,
        postgresql_where=_BROUGHT,
    )


def downgrade() -> None:
    raise NotImplementedError("Restore a backup to go back: `stablehand restore FILE`.")
