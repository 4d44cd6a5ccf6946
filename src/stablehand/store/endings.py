"""Endings: attempts that are over without a picture. The shots go back to the queue, or become dead letters."""

import random
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from sqlalchemy import or_, select

from stablehand.domain import standings
from stablehand.domain.attempts import LOST, Ending, Kind, after_error, after_loss, after_release, after_sickness
from stablehand.domain.breakers import BreakerState, Fault, fault_of
from stablehand.domain.jobs import ShotError, State
from stablehand.domain.parking import SPARING_ERRORS
from stablehand.store.breakers import Lane, fail_lane, load_failed
from stablehand.store.changes import Changes
from stablehand.store.conducts import conduct_of, set_conduct
from stablehand.store.holdings import cancelled_jobs, forget_incarnation, leases_of, valid
from stablehand.store.models import IS_RUNNING, AgentRow, AttemptRow, CheckpointRow, ShotRow
from stablehand.store.parking import forget_parked, take_back_offers
from stablehand.store.rows import error_from
from stablehand.store.settling import book_waste, end_attempt, settle
from stablehand.store.transactions import ONLY_ROW, Transaction, Transactions, repeatable

TIMED_OUT = ShotError(
    code="timeout",
    message="The attempt took longer than a picture may take.",
    hint="Ask for fewer steps or a smaller picture, or raise queue.timeout.",
)

ErrorClass = Literal["retry", "final", "agent_sick"]


@dataclass(frozen=True, slots=True)
class Reported:
    """An error that an agent reported about a shot."""

    shot_id: str
    token: int
    error_class: ErrorClass
    error: ShotError
    at_load: bool = False  #: the shot's checkpoint did not load


def _is_own_fault(report: Reported) -> bool:
    """True unless the agent, the lane or the weather is to blame."""
    return not (report.error_class == "agent_sick" or report.at_load or report.error.code in SPARING_ERRORS)


class Endings(Transactions):
    @repeatable
    def fail(
        self,
        agent_id: str,
        incarnation: str,
        reports: Sequence[Reported],
        *,
        retry_count: int,
        chance: Callable[[], float] = random.random,
    ) -> tuple[list[str], Changes]:
        """Decide about each shot that was reported; returns those the words were still valid for.

        What a sick device or a bad checkpoint is to blame for counts against the agent and the lane, not the shot. An
        incarnation that calls itself sick gets no more work. ``chance``: 0 to 1 at random, for the jitter of waits.
        """
        by_shot = {report.shot_id: report for report in reports}
        changes = Changes()
        with self.writing() as tx:
            agent = tx.session.get_one(AgentRow, agent_id, with_for_update=ONLY_ROW)
            shots = valid(tx, agent_id, incarnation, {report.shot_id: report.token for report in by_shot.values()})
            cancelled = cancelled_jobs(tx, shots)
            loads: dict[Lane, list[ShotRow]] = defaultdict(list)
            blamed: list[Reported] = []
            for shot in shots:
                report = by_shot[shot.id]
                cancel_requested = shot.job_id in cancelled
                if report.error_class == "agent_sick":
                    ending = _sickness(tx, shot, report.error, cancel_requested, chance())
                    end_attempt(tx, shot, ending, changes, bad=(Kind.SICK, report.error))
                elif report.at_load:
                    loads[shot.pool, shot.checkpoint_id].append(shot)
                else:
                    if report.error.code not in standings.INNOCENT_CODES:
                        blamed.append(report)
                    ending = after_error(
                        final=report.error_class == "final",
                        error=report.error,
                        errors=shot.errors,
                        losses=shot.losses,
                        retry_count=retry_count,
                        cancel_requested=cancel_requested,
                        chance=chance(),
                    )
                    end_attempt(tx, shot, ending, changes, bad=(Kind.ERROR, report.error))
            for lane, waiting in sorted(loads.items()):
                error = by_shot[waiting[0].id].error
                fault = fault_of(error.code)
                _load_failed(tx, lane, waiting, changes, agent_id=agent_id, fault=fault, error=error, chance=chance)
            book_waste(tx, changes)
            # A state that cannot be drawn to its end must not take every further attempt with it.
            forget_parked(tx, [shot.id for shot in shots if _is_own_fault(by_shot[shot.id])])
            if agent.incarnation == incarnation:
                sick = [report for report in reports if report.error_class == "agent_sick"]
                _note_conduct(tx, agent, blamed, sick)
            settle(tx, {shot.job_id for shot in shots}, changes)
            return [shot.id for shot in shots], changes

    @repeatable
    def release(
        self,
        agent_id: str,
        incarnation: str,
        named: Mapping[str, int],
        *,
        closing: bool = False,
        leaving: bool = False,
    ) -> tuple[list[str], Changes]:
        """Take shots back unharmed (shot id -> token); returns those that were still the agent's.

        ``closing``: this process gets no more. ``leaving``: it ends. Leases whose answer never reached it go back too.
        """
        changes = Changes()
        with self.writing() as tx:
            agent = tx.session.get(AgentRow, agent_id, with_for_update=ONLY_ROW) if closing or leaving else None
            shots = valid(tx, agent_id, incarnation, named)
            release(tx, shots, changes)
            if agent is not None and agent.incarnation == incarnation:
                agent.draining = True
                if leaving:
                    release(tx, leases_of(tx, agent), changes)
                    forget_incarnation(agent)
            return [shot.id for shot in shots], changes

    @repeatable
    def expire(
        self, *, timeout_seconds: float, retry_count: int, chance: Callable[[], float] = random.random
    ) -> Changes:
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
            silent: dict[str, list[ShotRow]] = defaultdict(list)
            for shot in shots:
                if shot not in slow and shot.agent_id is not None:
                    silent[shot.agent_id].append(shot)
            for agent_id, lost in silent.items():
                lose(tx, tx.session.get_one(AgentRow, agent_id), lost, changes)
            cancelled = cancelled_jobs(tx, slow)
            for shot in slow:
                ending = after_error(
                    final=False,
                    error=TIMED_OUT,
                    errors=shot.errors,
                    losses=shot.losses,
                    retry_count=retry_count,
                    cancel_requested=shot.job_id in cancelled,
                    chance=chance(),
                )
                end_attempt(tx, shot, ending, changes, bad=(Kind.TIMEOUT, TIMED_OUT))
            settle(tx, {shot.job_id for shot in slow}, changes)
        return changes

    @repeatable
    def expire_agent(self, agent_id: str) -> Changes:
        """Its process is dead: all its leases are lost now, and it is gone until it says hello again."""
        changes = Changes()
        with self.writing() as tx:
            agent = tx.session.get(AgentRow, agent_id, with_for_update=ONLY_ROW)
            if agent is not None:
                lose(tx, agent, leases_of(tx, agent), changes)
                forget_incarnation(agent)
        return changes


def lose(tx: Transaction, agent: AgentRow, shots: Sequence[ShotRow], changes: Changes) -> None:
    """The leases of these shots of ``agent`` are lost. If it died over loading a checkpoint, its lane is to blame."""
    if agent.loading is not None and any(shot.checkpoint_id == agent.loading for shot in shots):
        _crashed_while_loading(tx, agent, agent.loading, shots, changes)
        return
    cancelled = cancelled_jobs(tx, shots)
    for shot in shots:
        ending = after_loss(
            errors=shot.errors,
            losses=shot.losses,
            error=error_from(shot.error),
            cancel_requested=shot.job_id in cancelled,
        )
        end_attempt(tx, shot, ending, changes, bad=(Kind.LOSS, LOST))
    settle(tx, {shot.job_id for shot in shots}, changes)


def release(tx: Transaction, shots: Sequence[ShotRow], changes: Changes) -> None:
    """The agent gives these shots back, or never knew of them: nothing is counted."""
    cancelled = cancelled_jobs(tx, shots)
    for shot in shots:
        ending = _given_back(shot, cancelled, error_from(shot.error))
        end_attempt(tx, shot, ending, changes, counts=ending.state.is_terminal)
    if shots:
        take_back_offers(tx, [shot.id for shot in shots])
    settle(tx, {shot.job_id for shot in shots}, changes)


def _given_back(shot: ShotRow, cancelled: set[str], error: ShotError | None) -> Ending:
    return after_release(errors=shot.errors, losses=shot.losses, error=error, cancel_requested=shot.job_id in cancelled)


def _load_failed(
    tx: Transaction,
    lane: Lane,
    shots: Sequence[ShotRow],
    changes: Changes,
    *,
    agent_id: str,
    fault: Fault,
    error: ShotError,
    chance: Callable[[], float],
) -> None:
    """These shots of one lane come back because their checkpoint did not load; they fail if that condemns the lane."""
    cancelled = cancelled_jobs(tx, shots)
    breaker = load_failed(tx, lane, agent_id, fault, error, chance=chance)
    for shot in shots:
        ending = _given_back(shot, cancelled, error)
        if breaker.state is BreakerState.CONDEMNED and ending.state is State.QUEUED:
            ending = Ending(state=State.FAILED, errors=shot.errors, losses=shot.losses, error=breaker.error)
        end_attempt(tx, shot, ending, changes, bad=(Kind.LOAD, error))
    if breaker.state is BreakerState.CONDEMNED:
        tx.session.flush()
        fail_lane(tx, lane, breaker, changes)


def _crashed_while_loading(
    tx: Transaction, agent: AgentRow, checkpoint_id: str, shots: Sequence[ShotRow], changes: Changes
) -> None:
    name = tx.session.scalar(select(CheckpointRow.name).where(CheckpointRow.id == checkpoint_id)) or checkpoint_id
    error = ShotError(
        code="crashed_while_loading",
        message=f"The agent {agent.name} died while it loaded {name}.",
        hint="The agent's log may say why; loading is tried again by itself.",
    )
    agent.loading = None
    loading = [shot for shot in shots if shot.checkpoint_id == checkpoint_id]
    others = [shot for shot in shots if shot.checkpoint_id != checkpoint_id]
    for pool in sorted({shot.pool for shot in loading}):
        _load_failed(
            tx,
            (pool, checkpoint_id),
            [shot for shot in loading if shot.pool == pool],
            changes,
            agent_id=agent.id,
            fault=Fault.CRASH,
            error=error,
            chance=random.random,
        )
    cancelled = cancelled_jobs(tx, others)
    for shot in others:
        end_attempt(tx, shot, _given_back(shot, cancelled, error_from(shot.error)), changes, bad=(Kind.LOAD, error))
    settle(tx, {shot.job_id for shot in shots}, changes)


def _sickness(tx: Transaction, shot: ShotRow, error: ShotError, cancel_requested: bool, chance: float) -> Ending:
    before = select(AttemptRow.agent_id).where(AttemptRow.shot_id == shot.id, AttemptRow.kind == Kind.SICK)
    earlier = tx.session.scalars(before).all()
    return after_sickness(
        error=error,
        errors=shot.errors,
        losses=shot.losses,
        sicknesses=len(earlier) + 1,
        agents=len({*earlier, shot.agent_id}),
        cancel_requested=cancel_requested,
        chance=chance,
    )


def _note_conduct(tx: Transaction, agent: AgentRow, blamed: Sequence[Reported], sick: Sequence[Reported]) -> None:
    """Hold against the agent what it may be to blame for."""
    conduct = conduct_of(agent)
    if blamed:
        shot_ids = [report.shot_id for report in blamed]
        conduct = standings.after_trouble(conduct, shot_ids, blamed[-1].error.message, tx.now)
    if sick:
        conduct = standings.after_sickness(conduct, sick[-1].error.message, tx.now)
        agent.draining = True
    set_conduct(agent, conduct)
