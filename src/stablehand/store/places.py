"""Where jobs stand in the queue, and when they will be done.

However long the queue is, an answer reads a bounded part of it: neighbours in the job's own lane one by one up to
``COUNTED``, everything else from the tallies.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, Tuple, func, literal, select, tuple_

from stablehand.domain.agents import AgentState, state_of, waiting_reason
from stablehand.domain.breakers import why_closed
from stablehand.domain.estimates import Rate, RateKey, size_class, wait_seconds
from stablehand.domain.jobs import QueuePlace
from stablehand.domain.loads import load_seconds
from stablehand.domain.pools import DEFAULT_POOL
from stablehand.domain.recipes import Recipe
from stablehand.domain.standings import Standing, standing_shown
from stablehand.domain.waiting import Wait, why_waiting
from stablehand.store.breakers import breaker_from, ready_agents
from stablehand.store.conducts import conduct_of
from stablehand.store.lanes import LOADS_ASKED
from stablehand.store.measures import device_of, rate_of
from stablehand.store.models import (
    IS_QUEUED,
    IS_RUNNING,
    IS_WAITING,
    AccountRow,
    AgentRow,
    BreakerRow,
    CheckpointRow,
    JobRow,
    LoadRow,
    ShotRow,
    TallyRow,
)
from stablehand.store.quotas import quotas_of
from stablehand.store.rows import Progress
from stablehand.store.tags import virtual_time
from stablehand.store.transactions import Transaction

#: Shots before a job that are counted; of more it is only said how many there are at most.
COUNTED = 1000


@dataclass(frozen=True, slots=True)
class _Ahead:
    """What comes before a shot in its own lane."""

    better_tier: int
    earlier_share: int
    seconds: float  #: reckoned device time of those
    is_bound: bool

    @property
    def shots(self) -> int:
        return self.better_tier + self.earlier_share


class Places:
    """Answers for several jobs in one transaction, reading what they share once."""

    def __init__(self, tx: Transaction, progress: Progress) -> None:
        self._tx = tx
        self._progress = progress
        self._agents: dict[str, Sequence[AgentRow]] = {}  # by pool
        self._rates: dict[RateKey, Rate | None] = {}
        self._running: dict[str, float] = {}  # pool -> reckoned seconds until what runs now is done

    def of(self, job: JobRow) -> QueuePlace:
        """``ahead``: shots of its lane claimed before its next one. ``eta_seconds``: until its last is done."""
        mine = select(ShotRow).where(ShotRow.job_id == job.id, IS_QUEUED).limit(1)
        first = self._tx.session.scalar(mine.order_by(ShotRow.index))
        if first is None:
            low, eta, high = self._eta(job, None)
            return QueuePlace(ahead=0, eta_seconds=eta, eta_low_seconds=low, eta_high_seconds=high, reason=None)
        last = self._tx.session.scalar(mine.order_by(ShotRow.index.desc())) or first
        ahead = self._ahead(first)
        low, eta, high = self._eta(job, last)
        return QueuePlace(
            ahead=ahead.shots,
            eta_seconds=eta,
            eta_low_seconds=low,
            eta_high_seconds=high,
            reason=self._reason(job, first, ahead),
        )

    def _reason(self, job: JobRow, first: ShotRow, ahead: _Ahead) -> str | None:
        checkpoint = self._tx.session.get_one(CheckpointRow, job.checkpoint_id)
        if checkpoint.missing_since is not None:
            return f"The file of the checkpoint {checkpoint.name} is missing. Put it back, or cancel the job."
        if closed := self._why_closed(job.pool, checkpoint):
            return closed
        agents = self._agents_of(job.pool)
        standstill = waiting_reason(
            [self._state_of(agent) for agent in agents],
            errors=[agent.error for agent in agents],
            reasons=[agent.standing_reason for agent in agents if agent.standing != Standing.WORKING],
        )
        if standstill is not None:
            is_empty = not agents and job.pool != DEFAULT_POOL.name
            return f"The pool {job.pool} runs this checkpoint, and no agent belongs to it." if is_empty else standstill
        others = select(func.count(TallyRow.checkpoint_id.distinct())).where(
            IS_WAITING, TallyRow.pool == job.pool, TallyRow.checkpoint_id != job.checkpoint_id
        )
        not_before = first.not_before or self._tx.now
        return why_waiting(
            Wait(
                checkpoint=checkpoint.name,
                is_resident=self._is_resident(job.pool, checkpoint.id),
                load_seconds=self._load_seconds(checkpoint),
                better_tier=ahead.better_tier,
                earlier_share=ahead.earlier_share,
                is_bound=ahead.is_bound,
                other_lanes=self._tx.session.scalar(others) or 0,
                retry_seconds=max(0.0, (not_before - self._tx.now).total_seconds()),
                running_most=self._reached(job.account_id),
            )
        )

    def _reached(self, account_id: str) -> int | None:
        """How many shots of the account agents may hold at once, if they hold so many."""
        most = quotas_of(self._tx, self._tx.session.get_one(AccountRow, account_id)).running
        if most is None:
            return None
        running = select(func.count()).select_from(ShotRow).where(IS_RUNNING, ShotRow.account_id == account_id)
        return most if (self._tx.session.scalar(running) or 0) >= most else None

    def _why_closed(self, pool: str, checkpoint: CheckpointRow) -> str | None:
        row = self._tx.session.get(BreakerRow, (pool, checkpoint.id))
        if row is None:
            return None
        return why_closed(breaker_from(row), checkpoint.name, ready_agents(self._tx, pool), self._tx.now)

    def _eta(self, job: JobRow, last: ShotRow | None) -> tuple[float | None, float | None, float | None]:
        """(low, likely, high) seconds until the job's last picture is done; nothing while nothing was measured."""
        ready = [agent for agent in self._agents_of(job.pool) if self._state_of(agent) is AgentState.READY]
        checkpoint = self._tx.session.get_one(CheckpointRow, job.checkpoint_id)
        recipe = Recipe.from_dict(job.recipe)
        device = device_of(ready[0]) if ready else ""
        rate = self._rate(RateKey(checkpoint.family, device, size_class(*recipe.output_size)))
        if rate is None:
            return None, None, None
        seconds = self._running_seconds(job.pool)
        load = 0.0
        if last is not None:
            # What was reckoned when it was ordered, in the measure of today.
            factor = rate.seconds_per_cost * last.cost / last.estimate_seconds if last.estimate_seconds else 1.0
            seconds += (self._ahead(last).seconds + last.estimate_seconds) * factor + self._elsewhere_seconds(last)
            load = 0.0 if self._is_resident(job.pool, checkpoint.id) else self._load_seconds(checkpoint)
        wait = wait_seconds(ahead_seconds=seconds, agents=len(ready), load_seconds=load, spread=rate.spread)
        return (None, None, None) if wait is None else (wait.low_seconds, wait.seconds, wait.high_seconds)

    def _ahead(self, shot: ShotRow) -> _Ahead:
        lane = (ShotRow.pool == shot.pool, ShotRow.checkpoint_id == shot.checkpoint_id)
        before = (
            select(ShotRow.tier_rank, ShotRow.estimate_seconds)
            .where(IS_QUEUED, *lane, _order_of(shot) > _ORDER)
            .limit(COUNTED + 1)
            .subquery()
        )
        counts = self._tx.session.execute(
            select(before.c.tier_rank, func.count(), func.sum(before.c.estimate_seconds)).group_by(before.c.tier_rank)
        ).all()
        is_bound = sum(row[1] for row in counts) > COUNTED
        if is_bound:
            counts = self._lane_counts(shot)
        better = sum(row[1] for row in counts if row[0] < shot.tier_rank)
        return _Ahead(better, sum(row[1] for row in counts) - better, sum(row[2] for row in counts), is_bound)

    def _lane_counts(self, shot: ShotRow) -> Sequence[Row[tuple[int, int, float]]]:
        """(tier rank, shots, seconds) of everything in the lane that may come before: of its tier and better ones."""
        return self._tx.session.execute(
            select(TallyRow.tier_rank, func.sum(TallyRow.queued), func.sum(TallyRow.seconds))
            .where(
                IS_WAITING,
                TallyRow.pool == shot.pool,
                TallyRow.checkpoint_id == shot.checkpoint_id,
                TallyRow.tier_rank <= shot.tier_rank,
            )
            .group_by(TallyRow.tier_rank)
        ).all()

    def _elsewhere_seconds(self, shot: ShotRow) -> float:
        """Work of other lanes that is due before this shot: of a better tier, or of an account's earlier share."""
        share = max(0.0, shot.tag - virtual_time(self._tx)) * shot.weight
        tallies = self._tx.session.execute(
            select(TallyRow.tier_rank, TallyRow.seconds).where(
                IS_WAITING,
                TallyRow.pool == shot.pool,
                TallyRow.checkpoint_id != shot.checkpoint_id,
                TallyRow.tier_rank <= shot.tier_rank,
            )
        )
        return sum(seconds if rank < shot.tier_rank else min(seconds, share) for rank, seconds in tallies.tuples())

    def _running_seconds(self, pool: str) -> float:
        if pool not in self._running:
            running = self._tx.session.execute(
                select(ShotRow.id, ShotRow.cost, ShotRow.estimate_seconds, CheckpointRow.family)
                .join(CheckpointRow, CheckpointRow.id == ShotRow.checkpoint_id)
                .where(IS_RUNNING, ShotRow.pool == pool)
            )
            self._running[pool] = 0.0
            for shot_id, cost, reckoned, family in running.tuples():
                rate = self._rate(RateKey(family, "", ""))
                seconds = reckoned if rate is None else rate.seconds_per_cost * cost
                self._running[pool] += seconds * (1 - self._progress(shot_id))
        return self._running[pool]

    def _rate(self, key: RateKey) -> Rate | None:
        if key not in self._rates:
            self._rates[key] = rate_of(self._tx, key)
        return self._rates[key]

    def _is_resident(self, pool: str, checkpoint_id: str) -> bool:
        return any(
            checkpoint_id in agent.resident
            for agent in self._agents_of(pool)
            if self._state_of(agent) is not AgentState.GONE
        )

    def _load_seconds(self, checkpoint: CheckpointRow) -> float:
        measured = self._tx.session.scalars(
            select(LoadRow.seconds).where(LoadRow.checkpoint_id == checkpoint.id).limit(LOADS_ASKED)
        ).all()
        others = sum(measured) / len(measured) if measured else None
        return load_seconds(own_seconds=None, others_seconds=others, size_bytes=checkpoint.size_bytes)

    def _agents_of(self, pool: str) -> Sequence[AgentRow]:
        if pool not in self._agents:
            query = select(AgentRow).where(AgentRow.pool == pool, AgentRow.removed_at.is_(None))
            self._agents[pool] = self._tx.session.scalars(query).all()
        return self._agents[pool]

    def _state_of(self, row: AgentRow) -> AgentState:
        now: datetime = self._tx.now
        return state_of(
            incarnation=row.incarnation,
            ready=row.ready,
            draining=row.draining,
            standing=standing_shown(conduct_of(row), now),
            last_seen_at=row.last_seen_at,
            now=now,
        )


#: What decides which shot of a lane is claimed next.
_ORDER = tuple_(ShotRow.tier_rank, ShotRow.tag, ShotRow.index)


def _order_of(shot: ShotRow) -> Tuple:
    return tuple_(literal(shot.tier_rank), literal(shot.tag), literal(shot.index))
