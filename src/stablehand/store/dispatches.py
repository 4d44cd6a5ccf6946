"""Dispatches: made from notices, claimed by the courier, and what became of each try."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, insert, select, tuple_, update
from sqlalchemy.dialects import postgresql, sqlite

from stablehand.domain.dispatches import Dispatch, DispatchState, Due, Outcome, Road, Room
from stablehand.domain.notices import Notice
from stablehand.domain.webhooks import CHANNEL
from stablehand.store.dispatch_rows import IS_DEAD, IS_WAITING, DispatchRow, DispatchTryRow
from stablehand.store.transactions import Transactions, repeatable
from stablehand.store.webhook_health import note_tries

ERROR_MAX_CHARACTERS = 500
#: how many due dispatches one claim looks at
LOOK = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """A try that has ended. ``pause_seconds``: until the next one, for those that are to have one."""

    dispatch: Dispatch
    outcome: Outcome
    state: DispatchState
    pause_seconds: float
    seconds: float  #: that it took


@dataclass(frozen=True, slots=True)
class Claimed:
    due: Due
    dispatch: Dispatch
    notice: Notice


@dataclass(frozen=True, slots=True)
class DispatchCount:
    channel: str
    state: DispatchState
    count: int


class Dispatches(Transactions):
    @repeatable
    def add_dispatches(self, notice: Notice, roads: Sequence[tuple[Road, str]]) -> int:
        """One for each road that has none of this notice yet; (road, id for it). Returns how many are new."""
        if not roads:
            return 0
        with self.writing() as tx:
            shared = {
                "notice_id": notice.id,
                "kind": notice.kind,
                "account_id": notice.account_id,
                "job_id": notice.job_id,
                "payload": dict(notice.payload),
                "noticed_at": notice.created_at,
                "state": DispatchState.WAITING.value,
                "tries": 0,
                "failures": 0,
                "next_try_at": tx.now,
                "token": 0,
                "error": "",
                "created_at": tx.now,
            }
            new = [
                {"id": new_id, "channel": road.channel, "destination": road.destination, **shared}
                for road, new_id in roads
            ]
            dialect = postgresql if self.is_postgresql else sqlite
            statement = dialect.insert(DispatchRow).values(new).on_conflict_do_nothing()
            return len(tx.session.execute(statement.returning(DispatchRow.number)).all())

    def has_due_dispatches(self) -> bool:
        with self.reading() as tx:
            found = tx.session.scalar(
                select(DispatchRow.number).where(IS_WAITING, DispatchRow.next_try_at <= tx.now).limit(1)
            )
            return found is not None

    @repeatable
    def claim_dispatches(
        self, choose: Callable[[Sequence[Due]], Collection[int]], *, room: Room, under_way: Collection[int]
    ) -> list[Claimed]:
        """Those due dispatches that ``choose`` takes, of the longest due; whoever claimed them before is fenced.

        ``room``: what need be shown to it; ``under_way``: numbers that the caller has in hand.
        """
        with self.writing() as tx:
            query = (
                select(DispatchRow)
                .where(
                    IS_WAITING,
                    DispatchRow.next_try_at <= tx.now,
                    DispatchRow.number.not_in(under_way),
                    DispatchRow.account_id.not_in(room.full_accounts),
                    DispatchRow.channel.in_(room.channels),
                )
                .order_by(DispatchRow.next_try_at, DispatchRow.number)
                .limit(LOOK)
            )
            if room.full_roads:
                taken = [(road.channel, road.destination) for road in room.full_roads]
                query = query.where(tuple_(DispatchRow.channel, DispatchRow.destination).not_in(taken))
            rows = {row.number: row for row in tx.session.scalars(query.with_for_update(skip_locked=True))}
            claimed: list[Claimed] = []
            for number in choose([_due(row) for row in rows.values()]):
                row = rows[number]
                row.token += 1
                claimed.append(Claimed(_due(row), _dispatch_from(row), notice_of(row)))
            return claimed

    @repeatable
    def settle_dispatches(self, tried: Sequence[Tried]) -> int:
        """Write down how tries ended; returns for how many the claimer's word still counted."""
        counted = 0
        told: dict[str, list[Outcome]] = {}  # by webhook
        with self.writing() as tx:
            for one in tried:
                waits = one.state is DispatchState.WAITING
                ended = one.state in (DispatchState.ARRIVED, DispatchState.DEAD)
                failed = one.outcome.is_try and one.state is not DispatchState.ARRIVED
                error = one.outcome.error[:ERROR_MAX_CHARACTERS]
                settled = tx.session.execute(
                    update(DispatchRow)
                    .where(
                        DispatchRow.number == one.dispatch.number, DispatchRow.token == one.dispatch.token, IS_WAITING
                    )
                    .values(
                        state=one.state.value,
                        tries=DispatchRow.tries + int(one.outcome.is_try),
                        failures=DispatchRow.failures + int(failed),
                        next_try_at=tx.now + timedelta(seconds=one.pause_seconds if waits else 0.0),
                        status=one.outcome.status,
                        error=error,
                        ended_at=tx.now if ended else None,
                    )
                    .returning(DispatchRow.number)
                ).all()
                if not settled:
                    continue
                counted += 1
                if not one.outcome.is_try:
                    continue
                if one.dispatch.road.channel == CHANNEL:
                    told.setdefault(one.dispatch.road.destination, []).append(one.outcome)
                tx.session.execute(
                    insert(DispatchTryRow).values(
                        dispatch_id=one.dispatch.id,
                        tried_at=tx.now - timedelta(seconds=one.seconds),
                        milliseconds=round(one.seconds * 1000),
                        status=one.outcome.status,
                        error=error,
                        answer=one.outcome.answer,
                    )
                )
            for webhook_id in sorted(told):
                note_tries(tx, webhook_id, told[webhook_id])
        return counted

    def dispatch_counts(self) -> list[DispatchCount]:
        """How many wait and how many are dead, by channel."""
        with self.reading() as tx:
            return [
                DispatchCount(channel, state, count)
                for state, condition in ((DispatchState.WAITING, IS_WAITING), (DispatchState.DEAD, IS_DEAD))
                for channel, count in tx.session.execute(
                    select(DispatchRow.channel, func.count())
                    .where(condition)
                    .group_by(DispatchRow.channel)
                    .order_by(DispatchRow.channel)
                ).tuples()
            ]


def notice_of(row: DispatchRow) -> Notice:
    """The notice that is on its way."""
    return Notice(
        id=row.notice_id,
        kind=row.kind,
        account_id=row.account_id,
        job_id=row.job_id,
        payload=row.payload,
        created_at=row.noticed_at,
        tries=row.failures,
        token=row.token,
    )


def _due(row: DispatchRow) -> Due:
    return Due(row.number, Road(row.channel, row.destination), row.account_id)


def _dispatch_from(row: DispatchRow) -> Dispatch:
    return Dispatch(
        id=row.id,
        road=Road(row.channel, row.destination),
        failures=row.failures,
        token=row.token,
        number=row.number,
    )
