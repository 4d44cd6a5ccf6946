"""Settling: after shots have changed, the states of their jobs follow, and an end is announced."""

from collections.abc import Iterable

from sqlalchemy import select, update

from stablehand.domain.attempts import Ending
from stablehand.domain.jobs import State, roll_up
from stablehand.store.changes import Changes
from stablehand.store.models import IS_QUEUED, JobRow, OutboxRow, ShotRow
from stablehand.store.rows import error_to, shot_from
from stablehand.store.transactions import ONLY_ROW, Transaction


def end_attempt(tx: Transaction, shot: ShotRow, ending: Ending, changes: Changes, *, counts: bool = True) -> None:
    """Take the lease of ``shot`` away. ``counts``: False forgets that the attempt was begun."""
    shot.state = ending.state
    shot.errors = ending.errors
    shot.losses = ending.losses
    shot.error = error_to(ending.error)
    shot.attempt -= 0 if counts else 1
    shot.agent_id = shot.incarnation = shot.leased_at = shot.lease_until = None
    shot.confirmed = False
    if ending.state.is_terminal:
        shot.finished_at = tx.now
    else:
        changes.requeued.add(shot.pool)
    changes.shots.append((shot.account_id, shot.job_id, shot_from(shot)))


def settle(tx: Transaction, job_ids: Iterable[str], changes: Changes) -> None:
    """Bring the stored states of these jobs in line with their shots, and write an outbox entry for each that ended.

    A job's end is found by looking for unfinished shots, never by counting down. The row is locked before looking
    (where the database locks rows at all), so that of two last shots the later one sees the earlier one's end, and a
    shot that came back to the queue while its job was being cancelled ends after all.
    """
    tx.session.flush()
    jobs = tx.session.scalars(
        select(JobRow)
        .where(JobRow.id.in_(set(job_ids)))
        .order_by(JobRow.number)
        .with_for_update(**ONLY_ROW)
        .execution_options(populate_existing=True)  # what was read before the lock may be old
    )
    for job in jobs.all():
        if job.cancel_requested_at is not None:
            end_queued(tx, job)
        states = tx.session.scalars(select(ShotRow.state).where(ShotRow.job_id == job.id).distinct())
        state = roll_up(map(State, states), cancel_requested=job.cancel_requested_at is not None)
        if state == job.state:
            continue
        job.state = state
        changes.jobs[job.id] = job.account_id
        if state.is_terminal:
            job.finished_at = tx.now
            tx.session.add(notice(tx, job, "job_finished", {"state": state.value}))
    tx.session.flush()


def end_queued(tx: Transaction, job: JobRow) -> None:
    """Cancel the queued shots of ``job``, whose row is locked.

    A shot that somebody else holds at this moment is left to them: one that is being claimed is told at its agent's
    first renewal, one that is coming back is found when they settle. Waiting for them would stop both for ever.
    """
    free = select(ShotRow.id).where(ShotRow.job_id == job.id, IS_QUEUED).with_for_update(skip_locked=True)
    tx.session.execute(
        update(ShotRow)
        .where(ShotRow.id.in_(free))
        .values(state=State.CANCELLED.value, finished_at=tx.now)
        .execution_options(synchronize_session=False)
    )


def notice(tx: Transaction, job: JobRow, kind: str, payload: dict[str, object]) -> OutboxRow:
    """An outbox entry about ``job``."""
    return OutboxRow(account_id=job.account_id, job_id=job.id, kind=kind, payload=payload, created_at=tx.now)
