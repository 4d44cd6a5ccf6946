"""Runs migrations on the connection that ``Store.migrate`` hands over."""

from typing import Any, Literal

from alembic import context
from sqlalchemy import Connection

from stablehand.store.models import Table, UtcTime


def spell(kind: str, thing: Any, autogen_context: Any) -> str | Literal[False]:
    """How a column type is written in a generated migration."""
    if kind == "type" and isinstance(thing, UtcTime):
        autogen_context.imports.add("from stablehand.store.models import UtcTime")
        return "UtcTime()"
    return False


connection: Connection = context.config.attributes["connection"]
# SQLite cannot alter most things in place, so a table is copied instead.
context.configure(
    connection=connection,
    target_metadata=Table.metadata,
    render_as_batch=connection.dialect.name == "sqlite",
    render_item=spell,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
