"""The outbox: notices, each written in the transaction that makes it true, until a courier has delivered them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import exists, func, select, tuple_, update
from sqlalchemy.orm import aliased

from stablehand.domain.notices import DeadNotice, Notice
from stablehand.domain.pages import Page, decode_cursor, encode_cursor
from stablehand.store.outbox_row import IS_DEAD, IS_OPEN, OutboxRow
from stablehand.store.settling import notice
from stablehand.store.transactions import Transactions, repeatable

ERROR_MAX_CHARACTERS = 500


@dataclass(frozen=True, slots=True)
class Undelivered:
    """A try that failed. ``pause_seconds``: until the next one; None: it was the last."""

    notice: Notice
    error: str
    pause_seconds: float | None


@dataclass(frozen=True, slots=True)
class OutboxState:
    waiting: int  #: notices neither delivered nor dead
    dead: int
    most_tries: int  #: failures of the waiting notice that failed most often
    lag_seconds: float  #: age of the oldest waiting notice


class Outbox(Transactions):
    @repeatable
    def claim_notices(self, limit: int) -> list[Notice]:
        """Up to ``limit`` notices that are due, oldest first; whoever claimed them before is fenced.

        None is among them before which another one of its job must wait. Those of one job are to be tried in this
        order, and not beyond one that fails.

        One courier at a time is meant to call this (``Leading``); two would do double work, and nothing worse.
        """
        earlier = aliased(OutboxRow)
        with self.writing() as tx:
            rows = tx.session.scalars(
                select(OutboxRow)
                .where(
                    IS_OPEN,
                    OutboxRow.next_try_at <= tx.now,
                    ~exists().where(
                        earlier.job_id == OutboxRow.job_id,
                        OutboxRow.job_id != "",
                        earlier.number < OutboxRow.number,
                        earlier.delivered_at.is_(None),
                        earlier.dead_at.is_(None),
                        earlier.next_try_at > tx.now,
                    ),
                )
                .order_by(OutboxRow.number)
                .limit(limit)
                .with_for_update(of=OutboxRow)
            ).all()
            for row in rows:
                row.token += 1
            tx.session.flush()
            return [_notice_from(row) for row in rows]

    @repeatable
    def add_notice(self, account_id: str, kind: str, payload: dict[str, object], *, job_id: str = "") -> str:
        """A notice that no other change comes with; returns its id."""
        with self.writing() as tx:
            row = notice(tx, account_id, job_id, kind, payload)
            tx.session.add(row)
            return row.id

    def has_due_notices(self) -> bool:
        with self.reading() as tx:
            found = tx.session.scalar(select(OutboxRow.number).where(IS_OPEN, OutboxRow.next_try_at <= tx.now).limit(1))
            return found is not None

    @repeatable
    def settle_notices(self, delivered: Sequence[Notice], failed: Sequence[Undelivered]) -> int:
        """Write down how tries ended; returns for how many the courier's word still counted."""
        counted = 0
        with self.writing() as tx:
            if delivered:
                claims = [(notice.id, notice.token) for notice in delivered]
                settled = tx.session.execute(
                    update(OutboxRow)
                    .where(tuple_(OutboxRow.id, OutboxRow.token).in_(claims), IS_OPEN)
                    .values(delivered_at=tx.now, error="")
                    .returning(OutboxRow.number)
                )
                counted += len(settled.all())
            for failure in failed:
                pause = failure.pause_seconds
                settled = tx.session.execute(
                    update(OutboxRow)
                    .where(OutboxRow.id == failure.notice.id, OutboxRow.token == failure.notice.token, IS_OPEN)
                    .values(
                        tries=OutboxRow.tries + 1,
                        error=failure.error[:ERROR_MAX_CHARACTERS],
                        next_try_at=tx.now + timedelta(seconds=pause or 0.0),
                        dead_at=tx.now if pause is None else None,
                    )
                    .returning(OutboxRow.number)
                )
                counted += len(settled.all())
        return counted

    def outbox_state(self) -> OutboxState:
        with self.reading() as tx:
            waiting, most_tries, oldest = tx.session.execute(
                select(func.count(), func.max(OutboxRow.tries), func.min(OutboxRow.created_at)).where(IS_OPEN)
            ).one()
            dead = tx.session.scalar(select(func.count()).select_from(OutboxRow).where(IS_DEAD)) or 0
            lag = max(0.0, (tx.now - oldest).total_seconds()) if oldest is not None else 0.0
            return OutboxState(waiting=waiting, dead=dead, most_tries=most_tries or 0, lag_seconds=lag)

    def dead_notices(self, *, limit: int, cursor: str | None = None) -> Page[DeadNotice]:
        """Those that were given up, the newest first. Raises InvalidFields for a cursor that is none."""
        with self.reading() as tx:
            asked = select(OutboxRow).where(IS_DEAD).order_by(OutboxRow.number.desc()).limit(limit + 1)
            if cursor is not None:
                asked = asked.where(OutboxRow.number < decode_cursor("notices", cursor))
            rows = tx.session.scalars(asked).all()
            more = encode_cursor("notices", rows[limit - 1].number) if len(rows) > limit else None
            return Page(tuple(_dead_from(row) for row in rows[:limit]), more)

    @repeatable
    def redeliver(self, ids: Collection[str] | None) -> int:
        """Let dead notices be tried anew, with all their tries; None: all of them. Returns how many those were."""
        with self.writing() as tx:
            asked = update(OutboxRow).where(IS_DEAD)
            if ids is not None:
                asked = asked.where(OutboxRow.id.in_(ids))
            revived = tx.session.execute(
                asked.values(dead_at=None, tries=0, next_try_at=tx.now).returning(OutboxRow.number)
            )
            return len(revived.all())


def _notice_from(row: OutboxRow) -> Notice:
    return Notice(
        id=row.id,
        kind=row.kind,
        account_id=row.account_id,
        job_id=row.job_id,
        payload=row.payload,
        created_at=row.created_at,
        tries=row.tries,
        token=row.token,
    )


def _dead_from(row: OutboxRow) -> DeadNotice:
    assert row.dead_at is not None
    return DeadNotice(
        id=row.id,
        kind=row.kind,
        account_id=row.account_id,
        job_id=row.job_id,
        created_at=row.created_at,
        dead_at=row.dead_at,
        tries=row.tries,
        error=row.error,
    )
