"""Calls that wait for their pictures, and the settings of those who call."""

from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select, update

from stablehand.domain.calls import Call
from stablehand.store.call_rows import CallRow, ClientOptionsRow
from stablehand.store.models import JobRow
from stablehand.store.transactions import Transactions, repeatable

#: of one credential; nobody has as many that wait
OPEN_AT_MOST = 64


class Calls(Transactions):
    def note_call(self, call: Call) -> None:
        """``created_at`` of the call is not believed: the database says when it was."""
        with self.writing() as tx:
            tx.session.add(
                CallRow(
                    account_id=call.account_id,
                    credential=call.credential,
                    kind=call.kind,
                    task_id=call.task_id,
                    fingerprint=call.fingerprint,
                    job_id=call.job_id,
                    batches=call.batches,
                    created_at=tx.now,
                )
            )

    def resumable_call(self, credential: str, fingerprint: str) -> Call | None:
        """The newest call of the same body that nobody waited for to the end, while it may be taken up again."""
        query = (
            select(CallRow)
            .where(
                CallRow.credential == credential,
                CallRow.fingerprint == fingerprint,
                CallRow.resumable_until.is_not(None),
            )
            .order_by(CallRow.number.desc())
        )
        with self.reading() as tx:
            row = tx.session.scalars(query.limit(1)).first()
            if row is None or row.resumable_until is None or row.resumable_until <= tx.now:
                return None
            return _call_from(row)

    @repeatable
    def set_resumable(self, job_id: str, seconds: float | None) -> None:
        """Whether, and for how long, the same body attaches to this job. None: it begins anew."""
        with self.writing() as tx:
            until = None if seconds is None else tx.now + timedelta(seconds=seconds)
            tx.session.execute(update(CallRow).where(CallRow.job_id == job_id).values(resumable_until=until))

    def open_calls(self, credential: str) -> tuple[Call, ...]:
        """Those whose jobs have not ended, the newest first."""
        query = (
            select(CallRow)
            .join(JobRow, JobRow.id == CallRow.job_id)
            .where(CallRow.credential == credential, JobRow.finished_at.is_(None))
            .order_by(CallRow.number.desc())
        )
        with self.reading() as tx:
            return tuple(map(_call_from, tx.session.scalars(query.limit(OPEN_AT_MOST))))

    def newest_call(self, credential: str, *, task_id: str | None = None) -> Call | None:
        """The newest whose job has not ended, else the newest; ``task_id``: of those that bear it."""
        query = (
            select(CallRow)
            .join(JobRow, JobRow.id == CallRow.job_id)
            .where(CallRow.credential == credential)
            .order_by(JobRow.finished_at.is_not(None), CallRow.number.desc())
        )
        if task_id is not None:
            query = query.where(CallRow.task_id == task_id)
        with self.reading() as tx:
            row = tx.session.scalars(query.limit(1)).first()
            return None if row is None else _call_from(row)

    def client_options(self, credential: str) -> dict[str, Any]:
        """What this credential has set for itself."""
        with self.reading() as tx:
            row = tx.session.get(ClientOptionsRow, credential)
            return {} if row is None else dict(row.chosen)

    @repeatable
    def set_client_options(self, credential: str, account_id: str, chosen: dict[str, Any]) -> None:
        """Put ``chosen`` in place of all that it has set; an empty one takes everything back."""
        with self.writing() as tx:
            tx.alone(f"options of {credential}")
            tx.session.execute(delete(ClientOptionsRow).where(ClientOptionsRow.credential == credential))
            if chosen:
                tx.session.add(
                    ClientOptionsRow(credential=credential, account_id=account_id, chosen=chosen, changed_at=tx.now)
                )


def _call_from(row: CallRow) -> Call:
    return Call(
        account_id=row.account_id,
        credential=row.credential,
        kind=row.kind,
        task_id=row.task_id,
        fingerprint=row.fingerprint,
        job_id=row.job_id,
        created_at=row.created_at,
        batches=row.batches,
    )
