"""Delivering: all rows that change when pictures become the results of their shots.

On PostgreSQL one statement whose rows travel as JSON: its text is always the same, so that it is planned once, and a
dozen pictures cost little more than one. SQLite, to which a statement is a call of a function, gets one a table.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import Column, Table, bindparam, delete, insert, text, update
from sqlalchemy.dialects import postgresql

from stablehand.domain.jobs import State
from stablehand.store.columns import table_of
from stablehand.store.ledger_rows import ChargeRow
from stablehand.store.models import ImageRow, ShotRow, UploadRow
from stablehand.store.outbox_row import OutboxRow
from stablehand.store.transactions import Transaction

_IMAGES, _CHARGES, _OUTBOX = (table_of(row) for row in (ImageRow, ChargeRow, OutboxRow))
_SHOTS, _UPLOADS = table_of(ShotRow), table_of(UploadRow)


class Delivered(NamedTuple):
    """One picture: the values of its rows by column. The image's id and its shot's say which shot has succeeded."""

    image: dict[str, Any]
    charge: dict[str, Any]
    notice: dict[str, Any]
    upload_id: str  #: which is done with


def write(tx: Transaction, delivered: Sequence[Delivered]) -> None:
    """The shots and uploads must be locked."""
    images = [one.image for one in delivered]
    charges = [one.charge for one in delivered]
    notices = [one.notice for one in delivered]
    uploads = [one.upload_id for one in delivered]
    if tx.is_postgresql:
        tx.core.execute(
            _ALL_AT_ONCE,
            {
                "images": _as_json(images),
                "charges": _as_json(charges),
                "outbox": _as_json(notices),
                "uploads": uploads,
                "now": tx.now,
            },
        )
        return
    tx.core.execute(insert(_IMAGES), images)
    tx.core.execute(insert(_CHARGES), charges)
    tx.core.execute(insert(_OUTBOX), notices)
    tx.core.execute(
        update(_SHOTS)
        .where(_SHOTS.c.id == bindparam("of_shot"))
        .values(
            state=State.SUCCEEDED.value,
            image_id=bindparam("with_image"),
            error=None,
            finished_at=tx.now,
            leased_at=None,
            lease_until=None,
        ),
        [{"of_shot": image["shot_id"], "with_image": image["id"]} for image in images],
    )
    tx.core.execute(delete(_UPLOADS).where(_UPLOADS.c.id.in_(uploads)))


def _as_json(rows: Sequence[dict[str, Any]]) -> str:
    return json.dumps(rows, default=datetime.isoformat)


def _typed(column: Column[Any]) -> str:
    return f'"{column.name}" {column.type.compile(dialect=postgresql.dialect())}'  # type: ignore[no-untyped-call]


def _inserting(table: Table) -> str:
    columns = [column for column in table.columns if column.name != "number"]
    names = ", ".join(f'"{column.name}"' for column in columns)
    return (
        f"INSERT INTO {table.name} ({names}) SELECT {names} FROM"  # noqa: S608 - put together from constants
        f" json_to_recordset(CAST(:{table.name} AS json)) AS r ({', '.join(map(_typed, columns))})"
    )


_ALL_AT_ONCE = text(
    f"""
    WITH image AS ({_inserting(_IMAGES)}),
    charge AS ({_inserting(_CHARGES)}),
    notice AS ({_inserting(_OUTBOX)}),
    upload AS (DELETE FROM uploads WHERE id = ANY(:uploads))
    UPDATE shots SET state = '{State.SUCCEEDED.value}', image_id = r.id, error = NULL, finished_at = :now,
        leased_at = NULL, lease_until = NULL
    FROM json_to_recordset(CAST(:images AS json)) AS r (id text, shot_id text) WHERE shots.id = r.shot_id
    """  # noqa: S608 - put together from constants
)
