"""Settling: after shots have changed, the states of their jobs follow, and an end is announced."""

import uuid
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, select, update

from stablehand.domain.attempts import ATTEMPTS_KEPT, Ending, Kind
from stablehand.domain.jobs import ShotError, State, roll_up
from stablehand.domain.shares import GivenBack
from stablehand.domain.waste import Reason
from stablehand.store.changes import Changes
from stablehand.store.columns import table_of
from stablehand.store.models import IS_QUEUED, AttemptRow, DeadLetterRow, JobRow, ShotRow
from stablehand.store.outbox_row import OutboxRow
from stablehand.store.rows import error_to, shot_from
from stablehand.store.tags import give_back
from stablehand.store.tallies import came, move_of, withdrawn
from stablehand.store.transactions import ONLY_ROW, Transaction
from stablehand.store.wasting import EndedLease, book_ended

_jobs, _shots = table_of(JobRow).c, table_of(ShotRow).c
_LOCKED_JOBS = (
    select(_jobs.number, _jobs.id, _jobs.account_id, _jobs.state, _jobs.finished_at, _jobs.cancel_requested_at)
    .where(_jobs.id.in_(bindparam("ids", expanding=True)))
    .order_by(_jobs.number)
    .with_for_update(**ONLY_ROW)
)
_STATES = select(_shots.job_id, _shots.state).where(_shots.job_id.in_(bindparam("ids", expanding=True))).distinct()


def end_attempt(
    tx: Transaction,
    shot: ShotRow,
    ending: Ending,
    changes: Changes,
    *,
    counts: bool = True,
    bad: tuple[Kind, ShotError] | None = None,
) -> None:
    """Take the lease of ``shot`` away; ``settle`` must follow.

    ``counts``: False forgets that the attempt was begun; ``bad``: how it went.
    """
    leased_at = shot.leased_at
    if leased_at is not None:
        why = Reason(bad[0]) if bad else Reason.CANCELLED if ending.state is State.CANCELLED else Reason.RELEASED
        changes.ended.append(
            EndedLease(
                shot_id=shot.id,
                token=shot.token,
                agent_id=shot.agent_id,
                reason=why,
                began_at=leased_at,
                was_named=shot.confirmed,
            )
        )
    if bad is not None and shot.agent_id is not None:
        _remember(tx, shot, shot.agent_id, *bad)
    if ending.state is State.FAILED:
        bury(tx, shot, ending.error)
    shot.not_before = tx.now + timedelta(seconds=ending.wait_seconds) if ending.wait_seconds else None
    shot.state = ending.state
    shot.errors = ending.errors
    shot.losses = ending.losses
    shot.error = error_to(ending.error)
    shot.attempt -= 0 if counts else 1
    shot.agent_id = shot.incarnation = shot.leased_at = shot.lease_until = None
    shot.confirmed = False
    if ending.state.is_terminal:
        shot.finished_at = tx.now
        changes.unused.setdefault(shot.account_id, []).append(_unused(shot, leased_at, tx.now))
    else:
        changes.requeued.add(shot.pool)
        changes.came_back.append(move_of(shot))
    changes.shots.append((shot.account_id, shot.job_id, shot_from(shot)))


def bury(tx: Transaction, shot: ShotRow, error: ShotError | None) -> None:
    """Make ``shot``, which fails now, a dead letter."""
    tx.session.add(
        DeadLetterRow(
            shot_id=shot.id,
            job_id=shot.job_id,
            account_id=shot.account_id,
            checkpoint_id=shot.checkpoint_id,
            pool=shot.pool,
            agent_id=shot.agent_id,
            code="unknown" if error is None else error.code,
            ended_at=tx.now,
        )
    )


def _remember(tx: Transaction, shot: ShotRow, agent_id: str, kind: Kind, error: ShotError) -> None:
    tx.session.add(
        AttemptRow(
            shot_id=shot.id,
            agent_id=agent_id,
            attempt=shot.attempt,
            kind=kind,
            code=error.code,
            message=error.message,
            hint=error.hint,
            began_at=shot.leased_at,
            ended_at=tx.now,
        )
    )
    tx.session.flush()
    kept = (
        select(AttemptRow.number)
        .where(AttemptRow.shot_id == shot.id)
        .order_by(AttemptRow.number.desc())
        .limit(ATTEMPTS_KEPT)
    )
    tx.session.execute(
        delete(AttemptRow).where(AttemptRow.shot_id == shot.id, AttemptRow.number.not_in(kept)),
        execution_options={"synchronize_session": False},
    )


def leave_queue(tx: Transaction, shots: Iterable[ShotRow], changes: Changes) -> None:
    """Note for ``settle`` that these shots of the queue have ended without an agent."""
    for shot in shots:
        changes.withdrawn.append(move_of(shot))
        changes.unused.setdefault(shot.account_id, []).append(_unused(shot, None, tx.now))


def _unused(shot: ShotRow, leased_at: datetime | None, now: datetime) -> GivenBack:
    """What an account was charged for a shot that ends without a picture, less the time an agent has had it."""
    used = 0.0 if leased_at is None else (now - leased_at).total_seconds()
    return GivenBack(shot.tag, max(0.0, shot.estimate_seconds - used) / shot.weight)


def settle(tx: Transaction, job_ids: Iterable[str], changes: Changes) -> None:
    """Carry what became of shots to all that depends on them: accounts, tallies, jobs.

    Bring the stored states of these jobs in line with their shots, and write an outbox entry for each that ended.
    Leases that ended without a picture are booked as waste.

    A job's end is found by looking for unfinished shots, never by counting down. The row is locked before looking
    (where the database locks rows at all), so that of two last shots the later one sees the earlier one's end, and a
    shot that came back to the queue while its job was being cancelled ends after all.
    """
    tx.session.flush()
    book_waste(tx, changes)
    wanted = set(job_ids)
    if not wanted:
        return
    jobs = tx.core.execute(_LOCKED_JOBS, {"ids": sorted(wanted)}).all()
    for job in jobs:
        if job.cancel_requested_at is not None:
            _end_queued(tx, job.id, changes)
    states: dict[str, set[State]] = {job.id: set() for job in jobs}
    for job_id, found in tx.core.execute(_STATES, {"ids": list(states)}):
        states[job_id].add(State(found))
    for job in jobs:
        state = roll_up(states[job.id], cancel_requested=job.cancel_requested_at is not None)
        if state == job.state:
            continue
        finished_at = tx.now if state.is_terminal else job.finished_at
        # Objects of these jobs that the session has are brought up to date with their rows.
        tx.session.execute(update(JobRow).where(JobRow.id == job.id).values(state=state.value, finished_at=finished_at))
        changes.jobs[job.id] = job.account_id
        if state.is_terminal:
            tx.session.add(notice(tx, job.account_id, job.id, "job_finished", {"state": state.value}))
    tx.session.flush()
    # Last of all, so that nobody who waits for a row of these holds one of the others.
    for account_id in sorted(changes.unused):
        give_back(tx, account_id, changes.unused[account_id])
    came(tx, changes.came_back, is_new=False)
    withdrawn(tx, changes.withdrawn)
    changes.unused.clear()
    changes.came_back.clear()
    changes.withdrawn.clear()


def book_waste(tx: Transaction, changes: Changes) -> None:
    """Put the leases that ended so far into the ledger. ``settle`` does so; before it, whoever drops saved states."""
    tx.session.flush()
    book_ended(tx, changes.ended)
    changes.ended.clear()


def _end_queued(tx: Transaction, job_id: str, changes: Changes) -> None:
    """Cancel the queued shots of a job, whose row is locked.

    A shot that somebody else holds at this moment is left to them: one that is being claimed is told at its agent's
    first renewal, one that is coming back is found when they settle. Waiting for them would stop both for ever.
    """
    free = select(ShotRow.id).where(ShotRow.job_id == job_id, IS_QUEUED).with_for_update(skip_locked=True)
    ended = tx.session.scalars(
        update(ShotRow)
        .where(ShotRow.id.in_(free))
        .values(state=State.CANCELLED.value, finished_at=tx.now)
        .returning(ShotRow)
        .execution_options(synchronize_session=False, populate_existing=True)
    ).all()
    leave_queue(tx, ended, changes)


def notice(tx: Transaction, account_id: str, job_id: str, kind: str, payload: dict[str, object]) -> OutboxRow:
    """An outbox entry about a job, or about none (an empty id)."""
    return OutboxRow(**notice_values(tx.now, account_id, job_id, kind, payload))


def notice_values(now: datetime, account_id: str, job_id: str, kind: str, payload: dict[str, object]) -> dict[str, Any]:
    """The same as values of all its columns but the number."""
    return {
        "id": uuid.uuid4().hex,
        "account_id": account_id,
        "job_id": job_id,
        "kind": kind,
        "payload": payload,
        "created_at": now,
        "next_try_at": now,
        "tries": 0,
        "token": 0,
        "error": "",
        "delivered_at": None,
        "dead_at": None,
    }
