"""The log of dispatches, for those whose they are; and those that are tried anew."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from stablehand.domain.dispatches import DispatchState, DispatchTry
from stablehand.domain.errors import NotFound
from stablehand.domain.pages import Page, decode_cursor, encode_cursor
from stablehand.domain.webhooks import CHANNEL, LoggedDispatch
from stablehand.store.dispatch_rows import IS_BROUGHT, IS_DEAD, DispatchRow, DispatchTryRow
from stablehand.store.transactions import Transactions, repeatable


@dataclass(frozen=True, slots=True, kw_only=True)
class DispatchFilter:
    """None: whatever there is."""

    webhook_id: str | None = None
    job_id: str | None = None
    state: DispatchState | None = None
    brought: bool = False  #: only to addresses that jobs brought along


class DispatchLog(Transactions):
    def dispatches(
        self, account_id: str, wanted: DispatchFilter, *, limit: int, cursor: str | None
    ) -> Page[LoggedDispatch]:
        """The newest first. Raises InvalidFields for a cursor that is none."""
        query = select(DispatchRow).where(DispatchRow.account_id == account_id)
        if wanted.webhook_id is not None:
            query = query.where(DispatchRow.channel == CHANNEL, DispatchRow.destination == wanted.webhook_id)
        if wanted.brought:
            query = query.where(IS_BROUGHT)
        if wanted.job_id is not None:
            query = query.where(DispatchRow.job_id == wanted.job_id)
        if wanted.state is not None:
            is_dead = wanted.state is DispatchState.DEAD
            query = query.where(IS_DEAD if is_dead else DispatchRow.state == wanted.state.value)
        if cursor is not None:
            query = query.where(DispatchRow.number < decode_cursor("dispatches", cursor))
        with self.reading() as tx:
            rows = tx.session.scalars(query.order_by(DispatchRow.number.desc()).limit(limit + 1)).all()
            more = encode_cursor("dispatches", rows[limit - 1].number) if len(rows) > limit else None
            return Page(tuple(_logged(row) for row in rows[:limit]), more)

    def dispatch(self, dispatch_id: str, account_id: str) -> tuple[LoggedDispatch, list[DispatchTry]]:
        """One with its tries, in the order in which they happened. Raises NotFound."""
        with self.reading() as tx:
            row = tx.session.scalar(
                select(DispatchRow).where(DispatchRow.id == dispatch_id, DispatchRow.account_id == account_id)
            )
            if row is None:
                raise _no_such_dispatch()
            tries = tx.session.scalars(
                select(DispatchTryRow).where(DispatchTryRow.dispatch_id == dispatch_id).order_by(DispatchTryRow.number)
            )
            return _logged(row), [_try_from(one) for one in tries]

    @repeatable
    def redeliver_dispatch(self, dispatch_id: str, account_id: str) -> LoggedDispatch:
        """Send one anew, even if it has arrived, with all its tries. Raises NotFound."""
        with self.writing() as tx:
            row = tx.session.scalar(
                select(DispatchRow)
                .where(DispatchRow.id == dispatch_id, DispatchRow.account_id == account_id)
                .with_for_update()
            )
            if row is None:
                raise _no_such_dispatch()
            row.state, row.failures, row.next_try_at, row.ended_at = DispatchState.WAITING.value, 0, tx.now, None
            return _logged(row)

    @repeatable
    def redeliver_dead(
        self, *, webhook_id: str | None = None, since: datetime | None = None, ids: Sequence[str] | None = None
    ) -> int:
        """Send dead ones anew, with all their tries; returns how many. ``since``: when their notice was written."""
        with self.writing() as tx:
            asked: Any = update(DispatchRow).where(IS_DEAD)
            if webhook_id is not None:
                asked = asked.where(DispatchRow.channel == CHANNEL, DispatchRow.destination == webhook_id)
            if since is not None:
                asked = asked.where(DispatchRow.noticed_at >= since)
            if ids is not None:
                asked = asked.where(DispatchRow.id.in_(ids))
            revived = tx.session.execute(
                asked.values(
                    state=DispatchState.WAITING.value, failures=0, next_try_at=tx.now, ended_at=None
                ).returning(DispatchRow.number)
            )
            return len(revived.all())

    def dead_dispatches(self, *, limit: int, cursor: str | None = None) -> Page[tuple[str, LoggedDispatch]]:
        """Of all accounts, the newest first, each with its account's id. Raises InvalidFields."""
        query = select(DispatchRow).where(IS_DEAD)
        if cursor is not None:
            query = query.where(DispatchRow.number < decode_cursor("dead dispatches", cursor))
        with self.reading() as tx:
            rows = tx.session.scalars(query.order_by(DispatchRow.number.desc()).limit(limit + 1)).all()
            more = encode_cursor("dead dispatches", rows[limit - 1].number) if len(rows) > limit else None
            return Page(tuple((row.account_id, _logged(row)) for row in rows[:limit]), more)


def _logged(row: DispatchRow) -> LoggedDispatch:
    return LoggedDispatch(
        id=row.id,
        notice_id=row.notice_id,
        channel=row.channel,
        destination=row.destination,
        kind=row.kind,
        job_id=row.job_id,
        state=DispatchState(row.state),
        tries=row.tries,
        status=row.status,
        error=row.error,
        created_at=row.noticed_at,
        next_try_at=row.next_try_at if row.state == DispatchState.WAITING.value else None,
        ended_at=row.ended_at,
    )


def _try_from(row: DispatchTryRow) -> DispatchTry:
    return DispatchTry(
        tried_at=row.tried_at,
        milliseconds=row.milliseconds,
        status=row.status,
        error=row.error,
        answer=row.answer,
    )


def _no_such_dispatch() -> NotFound:
    return NotFound("There is no such dispatch.", hint="Old ones are swept; see GET /api/v1/dispatches.")
