"""Inputs: noted, used by orders, fetched by the agents that draw from them, swept."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, delete, exists, insert, literal, or_, select, update

from stablehand.domain.errors import Conflict, LeaseLost, NotFound
from stablehand.domain.jobs import State
from stablehand.domain.recipes import Recipe
from stablehand.store.input_row import InputRow
from stablehand.store.models import DoomedObjectRow, JobRow, ShotRow
from stablehand.store.transactions import Transaction, Transactions, repeatable


@dataclass(frozen=True, slots=True, kw_only=True)
class Input:
    """A picture or mask that recipes refer to by its hash."""

    account_id: str
    id: str  #: SHA-256 of its bytes
    object_key: str
    size_bytes: int
    width: int  #: pixels
    height: int  #: pixels


class Inputs(Transactions):
    @repeatable
    def note_input(self, new: Input) -> Input:
        """Write an input down before its bytes are stored; one that is known keeps its object, and counts as used."""
        with self.writing() as tx:
            row = tx.session.get(InputRow, (new.account_id, new.id), with_for_update=True)
            if row is not None:
                row.last_used_at = tx.now
                return _input_from(row)
            fields = {field: getattr(new, field) for field in Input.__slots__}
            tx.session.execute(insert(InputRow).values(created_at=tx.now, last_used_at=tx.now, **fields))
            return new

    def input(self, account_id: str, input_id: str) -> Input | None:
        """The account's own input of this id."""
        with self.reading() as tx:
            row = tx.session.get(InputRow, (account_id, input_id))
            return None if row is None else _input_from(row)

    def use_inputs(self, account_id: str, input_ids: Collection[str]) -> None:
        """Keep these for another day at least. Raises Conflict when one of them is gone."""
        if not input_ids:
            return
        with self.writing() as tx:
            used = tx.session.scalars(
                update(InputRow)
                .where(InputRow.account_id == account_id, InputRow.id.in_(input_ids))
                .values(last_used_at=tx.now)
                .returning(InputRow.id)
            ).all()
            if set(used) != set(input_ids):
                raise Conflict(
                    "The picture that this order starts from is gone.",
                    hint="Inputs that no order needs are kept for a day; upload it again and order anew.",
                )

    def leased_input(self, agent_id: str, shot_id: str, token: int, input_id: str) -> Input:
        """An input of a shot that this agent runs under this token. Raises LeaseLost, NotFound."""
        with self.reading() as tx:
            shot = tx.session.get(ShotRow, shot_id)
            if shot is None or shot.state != State.RUNNING or (shot.agent_id, shot.token) != (agent_id, token):
                raise LeaseLost("This shot is no longer yours.", hint="Drop it and claim other work.")
            job = tx.session.scalars(select(JobRow).where(JobRow.id == shot.job_id)).one()
            row = tx.session.get(InputRow, (shot.account_id, input_id))
            if row is None or input_id not in Recipe.from_dict(job.recipe).input_ids:
                raise NotFound("This shot has no such input.", hint="Fetch what the lease names.")
            return _input_from(row)

    def sweep_inputs(self, *, unused_hours: float, at_most: int = 500) -> int:
        """Forget inputs that nobody has used for so long and no unfinished job needs; dooms their objects.

        Those that are needed count as used, so that they are not looked at again and again. Returns how many were
        looked at.
        """
        with self.writing() as tx:
            before = tx.now - timedelta(hours=unused_hours)
            old = _unused(tx, before, at_most)
            needed = _needed(tx, {row.account_id for row in old})
            for row in old:
                if (row.account_id, row.id) in needed:
                    row.last_used_at = tx.now
            gone = [row for row in old if (row.account_id, row.id) not in needed]
            if gone:
                tx.session.execute(insert(DoomedObjectRow), [{"key": row.object_key} for row in gone])
                same = or_(*(and_(InputRow.account_id == row.account_id, InputRow.id == row.id) for row in gone))
                tx.session.execute(delete(InputRow).where(same))
            return len(old)


def _unused(tx: Transaction, before: datetime, at_most: int) -> list[InputRow]:
    query = select(InputRow).where(InputRow.last_used_at < before).limit(at_most).with_for_update(skip_locked=True)
    return list(tx.session.scalars(query))


def _needed(tx: Transaction, account_ids: Collection[str]) -> set[tuple[str, str]]:
    """(account, input) of the unfinished jobs of these accounts."""
    starts_from_one = exists(
        select(literal(1)).where(ShotRow.job_id == JobRow.id, ShotRow.kind != literal("text", literal_execute=True))
    )
    jobs = tx.session.execute(
        select(JobRow.account_id, JobRow.recipe).where(
            JobRow.account_id.in_(account_ids), JobRow.finished_at.is_(None), starts_from_one
        )
    )
    return {
        (account_id, input_id)
        for account_id, recipe in jobs.tuples()
        for input_id in Recipe.from_dict(recipe).input_ids
    }


def _input_from(row: InputRow) -> Input:
    return Input(**{field: getattr(row, field) for field in Input.__slots__})
