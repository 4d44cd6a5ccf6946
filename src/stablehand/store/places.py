"""Where jobs stand in the queue, and when they will be done.

However long the queue is, an answer reads a bounded part of it: neighbours in the job's own lane one by one up to
``COUNTED``, everything else from the tallies.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from functools import cached_property

from sqlalchemy import Row, Tuple, func, literal, select, tuple_

from stablehand.domain.agents import AgentState, state_of, waiting_reason
from stablehand.domain.breakers import why_closed
from stablehand.domain.estimates import Range, Rate, RateKey, size_class
from stablehand.domain.jobs import QueuePlace
from stablehand.domain.loads import load_seconds
from stablehand.domain.pools import DEFAULT_POOL
from stablehand.domain.prospects import Due, Prospect, due, due_of_running
from stablehand.domain.recipes import Recipe
from stablehand.domain.seats import seating
from stablehand.domain.standings import Standing, standing_shown
from stablehand.domain.waiting import HeldBy, Hold, Wait, why_waiting
from stablehand.store.breakers import breaker_from, ready_agents
from stablehand.store.conducts import conduct_of
from stablehand.store.lanes import LOADS_ASKED
from stablehand.store.measures import device_of, handling_seconds, rate_of
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a shot stands in its lane, or would stand."""

    account_id: str
    pool: str
    checkpoint_id: str
    tier_rank: int
    weight: float  #: of its tier
    tag: float
    index: int
    cost: float
    estimate_seconds: float  #: as its tag reckons
    not_before: datetime | None = None

    @classmethod
    def of(cls, shot: ShotRow) -> "Spot":
        return cls(**{field.name: getattr(shot, field.name) for field in fields(cls)})


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


@dataclass(frozen=True, slots=True)
class _Running:
    """A shot that an agent of the pool holds."""

    job_id: str
    agent_id: str
    seconds: float  #: reckoned device time that is left of it


class Places:
    """Answers for several jobs in one transaction, reading what they share once."""

    def __init__(self, tx: Transaction, progress: Progress) -> None:
        self._tx = tx
        self._progress = progress
        self._agents: dict[str, Sequence[AgentRow]] = {}  # by pool
        self._rates: dict[RateKey, Rate | None] = {}
        self._running: dict[str, list[_Running]] = {}  # by pool
        self._checkpoints: dict[str, CheckpointRow] = {}
        self._elsewhere: dict[tuple[str, str, int], list[tuple[int, float]]] = {}  # see _elsewhere_seconds

    def of(self, job: JobRow) -> QueuePlace:
        """``ahead``: shots of its lane claimed before its next one. ``eta_seconds``: until its last is done."""
        recipe = Recipe.from_dict(job.recipe)
        mine = select(ShotRow).where(ShotRow.job_id == job.id, IS_QUEUED).limit(1)
        first = self._tx.session.scalar(mine.order_by(ShotRow.index))
        if first is None:
            return self._of_running(job, recipe)
        last = self._tx.session.scalar(mine.order_by(ShotRow.index.desc())) or first
        shots = self._tx.session.scalar(
            select(func.count()).select_from(ShotRow).where(ShotRow.job_id == job.id, IS_QUEUED)
        )
        return self.of_shots(recipe, Spot.of(first), Spot.of(last), shots or 1, are_queued=True)

    def of_shots(self, recipe: Recipe, first: Spot, last: Spot, shots: int, *, are_queued: bool) -> QueuePlace:
        """The place of so many shots of one job, of which ``first`` and ``last`` are given.

        ``are_queued``: False for those of an order that nobody has sent yet.
        """
        ahead = self._ahead(first)
        hold = self._hold(first, ahead)
        rate = self.rate(first.pool, first.checkpoint_id, recipe)
        found = None if rate is None else self._due(first, last, shots, ahead, rate, are_queued=are_queued)
        place = _place(ahead.shots, None if found is None else found.last)
        if hold is not None:
            place = replace(place, reason=hold.words, held_by=hold.by)
        return replace(place, due=found)

    def rate(self, pool: str, checkpoint_id: str, recipe: Recipe) -> Rate | None:
        """Of pictures of this recipe on the pool's devices; None while none of its family was measured."""
        ready = self._ready(pool)
        family = self._checkpoint(checkpoint_id).family
        return self._rate(RateKey(family, device_of(ready[0]) if ready else "", size_class(*recipe.output_size)))

    def _of_running(self, job: JobRow, recipe: Recipe) -> QueuePlace:
        rate = self.rate(job.pool, job.checkpoint_id, recipe)
        if rate is None:
            return _place(0, None)
        held: dict[str, tuple[list[float], list[float]]] = {}
        for shot in self._running_in(job.pool):
            mine, others = held.setdefault(shot.agent_id, ([], []))
            (mine if shot.job_id == job.id else others).append(shot.seconds)
        return _place(0, due_of_running(held, spread=rate.spread))

    def _due(self, first: Spot, last: Spot, shots: int, ahead: _Ahead, rate: Rate, *, are_queued: bool) -> Due | None:
        ready = self._ready(first.pool)
        # What was reckoned when it was ordered, in the measure of today.
        factor = rate.seconds_per_cost * last.cost / last.estimate_seconds if last.estimate_seconds else 1.0
        shot_seconds = rate.seconds_per_cost * last.cost
        before_last = (ahead if last is first else self._ahead(last)).seconds * factor + self._elsewhere_seconds(last)
        if are_queued:  # its own stand there, too
            before_last -= (shots - 1) * shot_seconds
        before_first = ahead.seconds * factor + self._elsewhere_seconds(first)
        before_first = max(0.0, min(before_first, before_last))
        checkpoint = self._checkpoint(first.checkpoint_id)
        held = self._is_resident(first.pool, checkpoint.id)
        best = self._tx.tiers.best.rank
        seats = [seating(max(1, agent.seats)) for agent in ready]
        return due(
            Prospect(
                running_seconds=tuple(shot.seconds for shot in self._running_in(first.pool)),
                ahead_shots=ahead.shots,
                ahead_seconds=before_first,
                between_seconds=max(0.0, before_last - before_first),
                shots=shots,
                shot_seconds=shot_seconds,
                agents=len(ready),
                seats=min((one.premium if first.tier_rank == best else one.normal for one in seats), default=1),
                load_seconds=0.0 if held else self._load_seconds(checkpoint),
                spread=rate.spread,
                handling_seconds=self._handling_seconds,
            )
        )

    @cached_property
    def _handling_seconds(self) -> float:
        return handling_seconds(self._tx)

    def _hold(self, first: Spot, ahead: _Ahead) -> Hold | None:
        checkpoint = self._checkpoint(first.checkpoint_id)
        if checkpoint.missing_since is not None:
            words = f"The file of the checkpoint {checkpoint.name} is missing. Put it back, or cancel the job."
            return Hold(HeldBy.CHECKPOINT, words)
        if closed := self._why_closed(first.pool, checkpoint):
            return Hold(HeldBy.CHECKPOINT, closed)
        agents = self._agents_of(first.pool)
        standstill = waiting_reason(
            [self._state_of(agent) for agent in agents],
            errors=[agent.error for agent in agents],
            reasons=[agent.standing_reason for agent in agents if agent.standing != Standing.WORKING],
        )
        if standstill is not None:
            is_empty = not agents and first.pool != DEFAULT_POOL.name
            empty = f"The pool {first.pool} runs this checkpoint, and no agent belongs to it."
            return Hold(HeldBy.AGENTS, empty if is_empty else standstill)
        others = select(func.count(TallyRow.checkpoint_id.distinct())).where(
            IS_WAITING, TallyRow.pool == first.pool, TallyRow.checkpoint_id != first.checkpoint_id
        )
        not_before = first.not_before or self._tx.now
        return why_waiting(
            Wait(
                checkpoint=checkpoint.name,
                is_resident=self._is_resident(first.pool, checkpoint.id),
                load_seconds=self._load_seconds(checkpoint),
                better_tier=ahead.better_tier,
                earlier_share=ahead.earlier_share,
                is_bound=ahead.is_bound,
                other_lanes=self._tx.session.scalar(others) or 0,
                retry_seconds=max(0.0, (not_before - self._tx.now).total_seconds()),
                running_most=self._reached(first.account_id),
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

    def _ahead(self, shot: Spot) -> _Ahead:
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

    def _lane_counts(self, shot: Spot) -> Sequence[Row[tuple[int, int, float]]]:
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

    def _elsewhere_seconds(self, shot: Spot) -> float:
        """Work of other lanes that is due before this shot: of a better tier, or of an account's earlier share."""
        share = max(0.0, shot.tag - self._virtual_time) * shot.weight
        key = (shot.pool, shot.checkpoint_id, shot.tier_rank)
        if key not in self._elsewhere:
            tallies = self._tx.session.execute(
                select(TallyRow.tier_rank, TallyRow.seconds).where(
                    IS_WAITING,
                    TallyRow.pool == shot.pool,
                    TallyRow.checkpoint_id != shot.checkpoint_id,
                    TallyRow.tier_rank <= shot.tier_rank,
                )
            )
            self._elsewhere[key] = list(tallies.tuples())
        return sum(seconds if rank < shot.tier_rank else min(seconds, share) for rank, seconds in self._elsewhere[key])

    @cached_property
    def _virtual_time(self) -> float:
        return virtual_time(self._tx)

    def _checkpoint(self, checkpoint_id: str) -> CheckpointRow:
        if checkpoint_id not in self._checkpoints:  # the session itself keeps none that nobody holds on to
            self._checkpoints[checkpoint_id] = self._tx.session.get_one(CheckpointRow, checkpoint_id)
        return self._checkpoints[checkpoint_id]

    def _running_in(self, pool: str) -> list[_Running]:
        if pool not in self._running:
            running = self._tx.session.execute(
                select(
                    ShotRow.id,
                    ShotRow.job_id,
                    ShotRow.agent_id,
                    ShotRow.cost,
                    ShotRow.estimate_seconds,
                    CheckpointRow.family,
                )
                .join(CheckpointRow, CheckpointRow.id == ShotRow.checkpoint_id)
                .where(IS_RUNNING, ShotRow.pool == pool)
            )
            self._running[pool] = []
            for shot_id, job_id, agent_id, cost, reckoned, family in running.tuples():
                rate = self._rate(RateKey(family, "", ""))
                seconds = reckoned if rate is None else rate.seconds_per_cost * cost
                left = seconds * (1 - self._progress(shot_id))
                self._running[pool].append(_Running(job_id, agent_id or "", left))
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

    def _ready(self, pool: str) -> list[AgentRow]:
        return [agent for agent in self._agents_of(pool) if self._state_of(agent) is AgentState.READY]

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


def _place(ahead: int, eta: Range | None) -> QueuePlace:
    if eta is None:
        return QueuePlace(ahead=ahead, eta_seconds=None, reason=None)
    return QueuePlace(
        ahead=ahead,
        eta_seconds=eta.seconds,
        eta_low_seconds=eta.low_seconds,
        eta_high_seconds=eta.high_seconds,
        reason=None,
    )


#: What decides which shot of a lane is claimed next.
_ORDER = tuple_(ShotRow.tier_rank, ShotRow.tag, ShotRow.index)


def _order_of(shot: Spot) -> Tuple:
    return tuple_(literal(shot.tier_rank), literal(shot.tag), literal(shot.index))
