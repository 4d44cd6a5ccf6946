"""Endings: attempts that are over without a picture. The shots go back to the queue, or become dead letters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import or_, select, update

from stablehand.domain.attempts import after_error, after_loss, after_release
from stablehand.domain.jobs import ShotError
from stablehand.domain.parking import SPARING_ERRORS
from stablehand.store.changes import Changes
from stablehand.store.holdings import cancelled_jobs, forget_incarnation, leases_of, valid
from stablehand.store.models import IS_RUNNING, AgentRow, ShotRow
from stablehand.store.parking import forget_parked
from stablehand.store.rows import error_from
from stablehand.store.settling import end_attempt, settle
from stablehand.store.transactions import ONLY_ROW, Transaction, Transactions, repeatable

TIMED_OUT = ShotError(
    code="timeout",
    message="The attempt took longer than a picture may take.",
    hint="Ask for fewer steps or a smaller picture, or raise queue.timeout.",
)


@dataclass(frozen=True, slots=True)
class Reported:
    """An error that an agent reported about a shot."""

    shot_id: str
    token: int
    final: bool
    error: ShotError


class Endings(Transactions):
    @repeatable
    def fail(
        self, agent_id: str, incarnation: str, reports: Sequence[Reported], *, sick: bool, retry_count: int
    ) -> tuple[list[str], Changes]:
        """Count errors; returns the shots they were still valid for. ``sick``: this incarnation gets no more work."""
        by_shot = {report.shot_id: report for report in reports}
        changes = Changes()
        with self.writing() as tx:
            if sick:
                tx.session.get(AgentRow, agent_id, with_for_update=ONLY_ROW)
            shots = valid(tx, agent_id, incarnation, {report.shot_id: report.token for report in by_shot.values()})
            cancelled = cancelled_jobs(tx, shots)
            for shot in shots:
                report = by_shot[shot.id]
                ending = after_error(
                    final=report.final,
                    error=report.error,
                    errors=shot.errors,
                    losses=shot.losses,
                    retry_count=retry_count,
                    cancel_requested=shot.job_id in cancelled,
                )
                end_attempt(tx, shot, ending, changes)
            # A state that cannot be drawn to its end must not take every further attempt with it.
            forget_parked(tx, [shot.id for shot in shots if by_shot[shot.id].error.code not in SPARING_ERRORS])
            if sick:
                tx.session.execute(
                    update(AgentRow)
                    .where(AgentRow.id == agent_id, AgentRow.incarnation == incarnation)
                    .values(draining=True)
                )
            settle(tx, {shot.job_id for shot in shots}, changes)
            return [shot.id for shot in shots], changes

    @repeatable
    def release(
        self, agent_id: str, incarnation: str, named: Mapping[str, int], *, leaving: bool = False
    ) -> tuple[list[str], Changes]:
        """Take shots back unharmed (shot id -> token); returns those that were still the agent's.

        ``leaving``: the process ends. Leases whose answer never reached it go back too, and it gets no more.
        """
        changes = Changes()
        with self.writing() as tx:
            agent = tx.session.get(AgentRow, agent_id, with_for_update=ONLY_ROW) if leaving else None
            shots = valid(tx, agent_id, incarnation, named)
            release(tx, shots, changes)
            if agent is not None and agent.incarnation == incarnation:
                release(tx, leases_of(tx, agent), changes)
                forget_incarnation(agent)
            return [shot.id for shot in shots], changes

    @repeatable
    def expire(self, *, timeout_seconds: float, retry_count: int) -> Changes:
        """Take back every lease past its time (a loss) and every attempt that takes too long (an error)."""
        too_old = timedelta(seconds=timeout_seconds)
        with self.reading() as tx:
            due = or_(ShotRow.lease_until <= tx.now, ShotRow.leased_at <= tx.now - too_old)
            if tx.session.scalar(select(ShotRow.id).where(IS_RUNNING, due).limit(1)) is None:
                return Changes()
        changes = Changes()
        with self.writing() as tx:
            due = or_(ShotRow.lease_until <= tx.now, ShotRow.leased_at <= tx.now - too_old)
            shots = tx.session.scalars(
                select(ShotRow).where(IS_RUNNING, due).order_by(ShotRow.id).with_for_update(skip_locked=True)
            ).all()
            slow = [shot for shot in shots if shot.lease_until is None or shot.lease_until > tx.now]
            lose(tx, [shot for shot in shots if shot not in slow], changes)
            cancelled = cancelled_jobs(tx, slow)
            for shot in slow:
                ending = after_error(
                    final=False,
                    error=TIMED_OUT,
                    errors=shot.errors,
                    losses=shot.losses,
                    retry_count=retry_count,
                    cancel_requested=shot.job_id in cancelled,
                )
                end_attempt(tx, shot, ending, changes)
            settle(tx, {shot.job_id for shot in slow}, changes)
        return changes

    @repeatable
    def expire_agent(self, agent_id: str) -> Changes:
        """Its process is dead: all its leases are lost now, and it is gone until it says hello again."""
        changes = Changes()
        with self.writing() as tx:
            agent = tx.session.get(AgentRow, agent_id, with_for_update=ONLY_ROW)
            if agent is not None:
                lose(tx, leases_of(tx, agent), changes)
                forget_incarnation(agent)
        return changes


def lose(tx: Transaction, shots: Sequence[ShotRow], changes: Changes) -> None:
    """The leases of these shots are lost."""
    cancelled = cancelled_jobs(tx, shots)
    for shot in shots:
        ending = after_loss(
            errors=shot.errors,
            losses=shot.losses,
            error=error_from(shot.error),
            cancel_requested=shot.job_id in cancelled,
        )
        end_attempt(tx, shot, ending, changes)
    settle(tx, {shot.job_id for shot in shots}, changes)


def release(tx: Transaction, shots: Sequence[ShotRow], changes: Changes) -> None:
    """The agent gives these shots back, or never knew of them: nothing is counted."""
    cancelled = cancelled_jobs(tx, shots)
    for shot in shots:
        ending = after_release(
            errors=shot.errors,
            losses=shot.losses,
            error=error_from(shot.error),
            cancel_requested=shot.job_id in cancelled,
        )
        end_attempt(tx, shot, ending, changes, counts=ending.state.is_terminal)
    settle(tx, {shot.job_id for shot in shots}, changes)
