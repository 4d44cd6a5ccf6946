"""Tallies: what each account has queued in each lane, kept in step with the shots in the same transaction.

A claim must know every lane of its pool without counting shots. Grouping 500,000 queued shots takes a hundred
milliseconds; these rows are as many as accounts that wait, whatever they have ordered, and the first entry of an index
over them says how urgent a lane is. Rows of one account are written by its own orders and the claims of its own shots,
so no two accounts ever wait for each other here.

Locks on them are taken after all others, in the order of the key.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Float, Integer, Row, and_, bindparam, case, delete, func, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from stablehand.store.columns import UtcTime, table_of
from stablehand.store.models import IS_QUEUED, IS_WAITING, JobRow, ShotRow, TallyRow
from stablehand.store.transactions import Transaction, Transactions

#: A recount may differ from the running sum by rounding only.
_ROUNDING = 1e-6


class Key(NamedTuple):
    """Of a tally, in the order of its primary key."""

    pool: str
    checkpoint_id: str
    tier_rank: int
    account_id: str


class Move(NamedTuple):
    """A shot that comes into the queue or leaves it."""

    key: Key
    seconds: float  #: its estimated device time


def move_of(shot: ShotRow | Row[Any]) -> Move:
    return Move(Key(shot.pool, shot.checkpoint_id, shot.tier_rank, shot.account_id), shot.estimate_seconds)


def came(tx: Transaction, moves: Iterable[Move], *, is_new: bool) -> None:
    """Shots have entered the queue. ``is_new``: ordered now; else they came back, and their account waits as before."""
    insert = postgresql.insert if tx.is_postgresql else sqlite.insert
    for key, (count, seconds) in _summed(moves):
        row = insert(TallyRow).values(**key._asdict(), queued=count, seconds=seconds, waiting_since=tx.now)
        since = case((IS_WAITING, TallyRow.waiting_since), else_=tx.now) if is_new else TallyRow.waiting_since
        tx.session.execute(
            row.on_conflict_do_update(
                index_elements=list(Key._fields),
                set_={
                    "queued": TallyRow.queued + count,
                    "seconds": TallyRow.seconds + seconds,
                    "waiting_since": since,
                },
            )
        )


def claimed(tx: Transaction, moves: Iterable[Move]) -> None:
    """An agent was given these shots: their accounts have just been served."""
    for key, (count, seconds) in _summed(moves):
        _take(tx, key, count, seconds, since=tx.now)


def withdrawn(tx: Transaction, moves: Iterable[Move]) -> None:
    """These shots left the queue without an agent; the oldest one left may have come later than the account's first."""
    for key, (count, seconds) in _summed(moves):
        _take(tx, key, count, seconds, since=None)
        oldest = _oldest(tx, key)
        if oldest is not None:
            tx.session.execute(
                update(TallyRow).where(_is(key), TallyRow.waiting_since < oldest).values(waiting_since=oldest)
            )


def _take(tx: Transaction, key: Key, count: int, seconds: float, *, since: datetime | None) -> None:
    tx.core.execute(_TAKE, {**_named(key), "count": count, "less_seconds": seconds, "since": since})


def _named(key: Key) -> dict[str, Any]:
    return {f"of_{name}": value for name, value in key._asdict().items()}


# Put together once: each claim runs it. A sum that reaches nothing is set to nothing, because rounding must not pile up
# over a million shots.
_tallies = table_of(TallyRow)
_COUNT = bindparam("count", type_=Integer)
_TAKE = (
    update(_tallies)
    .where(and_(*(_tallies.c[name] == bindparam(f"of_{name}") for name in Key._fields)))
    .values(
        queued=_tallies.c.queued - bindparam("count", type_=Integer),
        seconds=case(
            (
                _tallies.c.queued > bindparam("count", type_=Integer),
                _tallies.c.seconds - bindparam("less_seconds", type_=Float),
            ),
            else_=0.0,
        ),
        waiting_since=func.coalesce(bindparam("since", type_=UtcTime), _tallies.c.waiting_since),
    )
)


def _summed(moves: Iterable[Move]) -> list[tuple[Key, tuple[int, float]]]:
    sums: defaultdict[Key, list[float]] = defaultdict(list)
    for key, seconds in moves:
        sums[key].append(seconds)
    return [(key, (len(seconds), sum(seconds))) for key, seconds in sorted(sums.items())]


def _is(key: Key) -> ColumnElement[bool]:
    return and_(*(getattr(TallyRow, name) == value for name, value in key._asdict().items()))


def _oldest(tx: Transaction, key: Key) -> datetime | None:
    """When the oldest shot was ordered that the account has queued there."""
    return tx.session.scalar(
        select(func.min(JobRow.created_at))
        .select_from(ShotRow)
        .join(JobRow, JobRow.id == ShotRow.job_id)
        .where(
            IS_QUEUED,
            ShotRow.account_id == key.account_id,
            ShotRow.pool == key.pool,
            ShotRow.checkpoint_id == key.checkpoint_id,
            ShotRow.tier_rank == key.tier_rank,
        )
    )


class Tallies(Transactions):
    def verify_tallies(self) -> list[str]:
        """Hold every tally against a recount, put right what differs, and say what did. Nothing ever should.

        One row is put right at a time, under its lock: a claim that has taken shots but not yet written them off still
        holds them as queued for everybody else, and writes them off afterwards.
        """
        with self.reading() as tx:
            suspects = _differences(tx, None)
        found = []
        for key in suspects:
            with self.writing() as tx:
                tx.session.scalar(select(TallyRow.queued).where(_is(key)).with_for_update())
                for difference in _differences(tx, key).values():
                    found.append(difference)
                    tx.session.execute(delete(TallyRow).where(_is(key)))
                    shots = tx.session.scalars(select(ShotRow).where(IS_QUEUED, _shots_of(key)))
                    came(tx, [move_of(shot) for shot in shots], is_new=False)
                    oldest = _oldest(tx, key)
                    if oldest is not None:
                        tx.session.execute(update(TallyRow).where(_is(key)).values(waiting_since=oldest))
        return found

    def forget_empty_tallies(self, *, hours: float) -> None:
        """Delete the rows of accounts that have long had nothing queued there."""
        with self.writing() as tx:
            tx.session.execute(
                delete(TallyRow).where(TallyRow.queued == 0, TallyRow.waiting_since < tx.now - timedelta(hours=hours))
            )


def _shots_of(key: Key) -> ColumnElement[bool]:
    return and_(*(getattr(ShotRow, name) == value for name, value in key._asdict().items()))


def _differences(tx: Transaction, key: Key | None) -> dict[Key, str]:
    """key -> in words, of tallies (this one, or all) that a recount contradicts."""
    columns = (ShotRow.pool, ShotRow.checkpoint_id, ShotRow.tier_rank, ShotRow.account_id)
    counted = select(*columns, func.count(), func.sum(ShotRow.estimate_seconds)).where(IS_QUEUED).group_by(*columns)
    stored = select(*(getattr(TallyRow, name) for name in Key._fields), TallyRow.queued, TallyRow.seconds).where(
        or_(TallyRow.queued != 0, TallyRow.seconds != 0)
    )
    if key is not None:
        counted, stored = counted.where(_shots_of(key)), stored.where(_is(key))
    truth = {Key(*row[:4]): (row[4], row[5]) for row in tx.session.execute(counted)}
    told = {Key(*row[:4]): (row[4], row[5]) for row in tx.session.execute(stored)}
    found = {}
    for each in sorted(truth.keys() | told.keys()):
        (count, seconds), (queued, summed) = truth.get(each, (0, 0.0)), told.get(each, (0, 0.0))
        if count != queued or abs(seconds - summed) > _ROUNDING * max(1.0, seconds):
            found[each] = f"{each}: {queued} shots of {summed} s are noted, {count} of {seconds} s are queued"
    return found
