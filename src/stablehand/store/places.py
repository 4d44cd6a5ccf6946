"""Where jobs stand in the queue, and when they will be done."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Tuple, func, literal, select, tuple_

from stablehand.domain.agents import AgentState, state_of, waiting_reason
from stablehand.domain.breakers import why_closed
from stablehand.domain.jobs import QueuePlace, State
from stablehand.domain.pace import MEASUREMENTS, average_pace
from stablehand.domain.standings import Standing, standing_shown
from stablehand.store.breakers import breaker_from, ready_agents
from stablehand.store.conducts import conduct_of
from stablehand.store.models import (
    IS_QUEUED,
    IS_RUNNING,
    AgentRow,
    BreakerRow,
    ChargeRow,
    CheckpointRow,
    JobRow,
    ShotRow,
)
from stablehand.store.rows import Progress
from stablehand.store.transactions import Transaction


class Places:
    """Answers for several jobs in one transaction, reading what they share once."""

    def __init__(self, tx: Transaction, progress: Progress) -> None:
        self._tx = tx
        self._progress = progress
        self._agents: dict[str, list[AgentState]] = {}  # pool -> states of its agents
        self._paces: dict[str, float | None] = {}  # checkpoint id -> device seconds per cost
        self._running: dict[str, float | None] = {}  # pool -> device seconds until what runs now is done

    def of(self, job: JobRow, shots: Sequence[ShotRow]) -> QueuePlace:
        """``ahead``: shots that are claimed before its next one. ``eta_seconds``: until its last picture is done."""
        queued = [shot for shot in shots if shot.state == State.QUEUED]
        agents = self._agents_of(job.pool)
        ahead = self._count_before(queued[0]) if queued else 0
        return QueuePlace(
            ahead=ahead, eta_seconds=self._eta(job, queued, agents), reason=self._reason(job, queued, agents)
        )

    def _reason(self, job: JobRow, queued: list[ShotRow], agents: list[AgentState]) -> str | None:
        if not queued:
            return None
        checkpoint = self._tx.session.get(CheckpointRow, job.checkpoint_id)
        if checkpoint is not None and checkpoint.missing_since is not None:
            return f"The file of the checkpoint {checkpoint.name} is missing. Put it back, or cancel the job."
        if checkpoint is not None and (closed := self._why_closed(job.pool, checkpoint)):
            return closed
        return waiting_reason(agents, errors=self._errors_of(job.pool), pauses=self._pauses_of(job.pool))

    def _why_closed(self, pool: str, checkpoint: CheckpointRow) -> str | None:
        row = self._tx.session.get(BreakerRow, (pool, checkpoint.id))
        if row is None:
            return None
        return why_closed(breaker_from(row), checkpoint.name, ready_agents(self._tx, pool), self._tx.now)

    def _eta(self, job: JobRow, queued: list[ShotRow], agents: list[AgentState]) -> float | None:
        seconds = self._running_seconds(job.pool)
        if queued:
            costs = self._tx.session.execute(
                select(ShotRow.checkpoint_id, func.sum(ShotRow.cost))
                .where(IS_QUEUED, ShotRow.pool == job.pool, _order_of(queued[-1]) >= _ORDER)
                .group_by(ShotRow.checkpoint_id)
            )
            for checkpoint_id, cost in costs:
                seconds = _add(seconds, cost, self._pace(checkpoint_id))
        if seconds is None:
            return None
        return seconds / max(1, agents.count(AgentState.READY))

    def _running_seconds(self, pool: str) -> float | None:
        if pool not in self._running:
            seconds: float | None = 0.0
            for shot in self._tx.session.scalars(select(ShotRow).where(IS_RUNNING, ShotRow.pool == pool)):
                left = shot.cost * (1 - self._progress(shot.id))
                seconds = _add(seconds, left, self._pace(shot.checkpoint_id))
            self._running[pool] = seconds
        return self._running[pool]

    def _pace(self, checkpoint_id: str) -> float | None:
        if checkpoint_id not in self._paces:
            measured = self._tx.session.scalars(
                select(ChargeRow.device_seconds / ChargeRow.cost)
                .where(ChargeRow.checkpoint_id == checkpoint_id, ChargeRow.cost > 0)
                .order_by(ChargeRow.number.desc())
                .limit(MEASUREMENTS)
            )
            self._paces[checkpoint_id] = average_pace(measured)
        return self._paces[checkpoint_id]

    def _agents_of(self, pool: str) -> list[AgentState]:
        if pool not in self._agents:
            rows = self._tx.session.scalars(
                select(AgentRow).where(AgentRow.pool == pool, AgentRow.removed_at.is_(None))
            )
            self._agents[pool] = [_agent_state(row, self._tx.now) for row in rows]
        return self._agents[pool]

    def _errors_of(self, pool: str) -> list[str]:
        return list(
            self._tx.session.scalars(
                select(AgentRow.error).where(AgentRow.pool == pool, AgentRow.error != "", AgentRow.removed_at.is_(None))
            )
        )

    def _pauses_of(self, pool: str) -> list[str]:
        paused = select(AgentRow.standing_reason).where(AgentRow.pool == pool, AgentRow.standing == Standing.PAUSED)
        return list(self._tx.session.scalars(paused))

    def _count_before(self, shot: ShotRow) -> int:
        query = (
            select(func.count())
            .select_from(ShotRow)
            .where(IS_QUEUED, ShotRow.pool == shot.pool, _order_of(shot) > _ORDER)
        )
        return self._tx.session.scalar(query) or 0


#: What decides which shot of a pool is claimed next.
_ORDER = tuple_(ShotRow.tier_rank, ShotRow.tag, ShotRow.index)


def _order_of(shot: ShotRow) -> Tuple:
    return tuple_(literal(shot.tier_rank), literal(shot.tag), literal(shot.index))


def _agent_state(row: AgentRow, now: datetime) -> AgentState:
    return state_of(
        incarnation=row.incarnation,
        ready=row.ready,
        draining=row.draining,
        standing=standing_shown(conduct_of(row), now),
        last_seen_at=row.last_seen_at,
        now=now,
    )


def _add(seconds: float | None, cost: float, pace: float | None) -> float | None:
    return None if seconds is None or pace is None else seconds + cost * pace
