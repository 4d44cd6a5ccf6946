"""Claims: which queued shots an agent is given.

The lane is chosen by domain.lanes from what the tallies say, the shots of that lane by domain.seats in the order of
tier and tag. What makes a claim exclusive: the rows are locked as they are chosen, and those that another claim has
locked are passed over.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from typing import Any, get_args

from sqlalchemy import Integer, Row, bindparam, exists, literal, or_, select, update

from stablehand.domain.attempts import runs_alone
from stablehand.domain.busy import counted_share
from stablehand.domain.checkpoints import Checkpoint
from stablehand.domain.jobs import Shot, State
from stablehand.domain.lanes import choose_lane
from stablehand.domain.recipes import Kind, Recipe
from stablehand.domain.seats import PREMIUM_SEATS, Candidate, Seating, fill, seating
from stablehand.domain.standings import seats_granted
from stablehand.store.breakers import ALL_OPEN, Admissions, admissions, note_probes
from stablehand.store.changes import Changes
from stablehand.store.columns import table_of
from stablehand.store.conducts import conduct_of, drains
from stablehand.store.endings import release
from stablehand.store.holdings import (
    Memory,
    agent_and_trouble,
    agent_row,
    is_touch_due,
    leases_of,
    never_arrived,
    touch,
)
from stablehand.store.lanes import fleet_of, has_queued, lane_views, waiting_lanes
from stablehand.store.models import AgentRow, CheckpointRow, JobRow, ParkedRow, ShotRow
from stablehand.store.parking import Offer, offer_parked
from stablehand.store.quotas import Caps, QuotaBook
from stablehand.store.rows import checkpoint_from, error_from
from stablehand.store.settling import settle
from stablehand.store.tallies import claimed, move_of
from stablehand.store.transactions import Transaction, repeatable

#: A lane whose shots others have taken meanwhile is followed by the next best one, but not for ever.
LANES_TRIED = 8

#: Agents are written down as heard each quarter of a lease at least; one that has missed a whole turn may have stopped.
SILENT_SHARE = 0.5

#: With a limit on what one account may have running, so many times the free seats are looked at.
PASSED_OVER = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """A shot that was just given to an agent."""

    shot_id: str
    job_id: str
    account_id: str
    index: int
    token: int
    attempt: int
    recipe: Recipe  #: with this shot's own seed
    checkpoint: Checkpoint
    parked: Offer | None = None  #: a saved state to go on from


class Claims(QuotaBook):
    @repeatable
    def claim(
        self,
        agent_id: str,
        incarnation: str,
        *,
        seats: int,
        memory: Memory,
        lease_seconds: float,
        premium_seats: int = PREMIUM_SEATS,
    ) -> tuple[list[Leased], bool, Changes]:
        """Give up to ``seats`` shots to an agent; also says whether it should drain.

        Leases of this incarnation that it has never named and that are too old to be on their way were lost with an
        answer; they go back to the queue first, so that asking again strands nothing.

        Args:
            premium_seats: seats that normal shots leave free.

        Raises:
            UnknownIncarnation, Superseded.
        """
        if not self.is_postgresql:  # whoever finds nothing to do need not wait for its one writer's turn
            with self.reading() as tx:
                agent = agent_row(tx, agent_id, incarnation)
                leases = leases_of(tx, agent)
                admitted = admissions(tx, agent, memory.resident)
                if _has_nothing(tx, agent, leases, admitted, memory, lease_seconds):
                    return [], drains(tx, agent), Changes()
        with self.writing() as tx:
            changes = Changes()
            agent, trouble = agent_and_trouble(tx, agent_id, incarnation)
            held = leases_of(tx, agent)
            if drains(tx, agent):
                return [], True, changes
            lost = never_arrived(tx, held)
            if lost:
                release(tx, lost, changes)
                held = leases_of(tx, agent)
            admitted = admissions(tx, agent, memory.resident) if trouble else ALL_OPEN  # one lost may have been a probe
            if is_touch_due(agent, tx, memory, lease_seconds):
                touch(agent, tx, memory)  # written below, with what the claim itself changes of the agent
            # Finished pictures on their way here hold no seat there any more: as many again may be on the road.
            free = seats if agent.seats == 0 else min(seats, 2 * agent.seats - len(held))
            free = max(0, seats_granted(conduct_of(agent), tx.now, held=len(held), asked=free))
            chosen = _Claim(
                tx,
                agent,
                held,
                free=free,
                limits=_limits(agent, held, free, premium_seats),
                admitted=admitted,
                caps=self.caps(tx),
            ).fill(memory.resident, silent_seconds=lease_seconds * SILENT_SHARE)
            leased = _lease(tx, agent, chosen, lease_seconds, changes)
            note_probes(tx, agent.pool, admitted, [shot.id for shot in chosen])
            return leased, drains(tx, agent), changes


def _has_nothing(  # noqa: PLR0917
    tx: Transaction,
    agent: AgentRow,
    leases: Sequence[ShotRow],
    admitted: Admissions,
    memory: Memory,
    lease_seconds: float,
) -> bool:
    """True when a claim of this agent could neither give it anything nor would have anything to write down."""
    return drains(tx, agent) or (
        not is_touch_due(agent, tx, memory, lease_seconds)
        and not never_arrived(tx, leases)
        and not has_queued(tx, agent.pool, admitted.none)
    )


class _Claim:
    """One agent's claim while it is being filled."""

    def __init__(
        self,
        tx: Transaction,
        agent: AgentRow,
        held: Sequence[ShotRow],
        *,
        free: int,
        limits: Seating,
        admitted: Admissions,
        caps: Caps | None,
    ) -> None:
        self._tx = tx
        self._agent = agent
        self._held = held
        self._holds_alone = any(runs_alone(shot.losses) for shot in held)
        self._occupied = _occupied(agent, held, free)
        self._limits = limits
        self._admitted = admitted
        self._caps = caps
        self._chosen: list[Row[Any]] = []
        self._had_choice = False  #: the lane that the policy named had shots; from then on nothing more is loaded
        self._waits_alone = False  #: the next shot must run alone, and the agent is not empty yet

    def fill(self, resident: Sequence[str], *, silent_seconds: float) -> list[Row[Any]]:
        """The shots it gets: of the lane that the policy names, then of others whose checkpoint it has at hand."""
        if self._is_full():
            return []
        waiting = waiting_lanes(self._tx, self._agent.pool, self._agent.id)
        if not waiting:
            return []
        fleet = fleet_of(self._tx, self._agent.pool, claimant=self._agent, silent_seconds=silent_seconds)
        lanes = lane_views(self._tx, waiting, fleet, self._admitted.none)
        # The checkpoint of the shots that it was given last, if that is not in memory yet: until it is, more shots of
        # another one would keep the loading waiting. Of what it was given before, it may have let go already.
        newest = max(self._held, key=lambda shot: shot.leased_at or self._tx.now, default=None)
        coming = set() if newest is None else {newest.checkpoint_id} - set(resident)
        at_hand = coming or set(resident)
        # Lanes in which full accounts alone wait give nothing, however many they are.
        for _ in range(LANES_TRIED if self._caps is None else len(lanes)):
            chosen = choose_lane(
                [lane for lane in lanes if lane.checkpoint_id in at_hand or not (coming or self._had_choice)],
                resident=at_hand,
                busy_share=fleet.busy_share,
                premium_deadline_seconds=self._tx.tiers.best.deadline_seconds,
                agents=fleet.ready,
            )
            if chosen is None:
                break
            taken = self._take(chosen)
            if taken and not self._chosen:
                lane = next(lane for lane in lanes if lane.checkpoint_id == chosen)
                self._agent.busy_weight = counted_share(lane.work_seconds, lane.queued_seconds)
            self._chosen += taken
            if self._is_full() or (taken and chosen not in at_hand):
                break
            lanes = [lane for lane in lanes if lane.checkpoint_id != chosen]
        return self._chosen

    def _is_full(self) -> bool:
        alone = self._holds_alone or any(runs_alone(shot.losses) for shot in self._chosen)
        return alone or self._waits_alone or self._occupied + len(self._chosen) >= self._limits.premium

    def _take(self, checkpoint_id: str) -> list[Row[Any]]:
        """The next shots of a lane, as far as there are seats for them."""
        taken = self._occupied + len(self._chosen)
        free = 1 if checkpoint_id in self._admitted.one else self._limits.premium - taken
        query, chosen_of = _NEXT, [shot.account_id for shot in self._chosen]
        if self._caps is not None:
            full = [account_id for account_id, left in self._caps.left(chosen_of).items() if left == 0]
            query = query.where(_shots.c.account_id.not_in(full))
        if not set(get_args(Kind)) <= set(self._agent.kinds):
            query = query.where(_shots.c.kind.in_(self._agent.kinds))
        shots = self._tx.core.execute(
            query,
            {
                "pool": self._agent.pool,
                "checkpoint_id": checkpoint_id,
                "now": self._tx.now,
                "most": free if self._caps is None else PASSED_OVER * free,
            },
        ).all()
        if shots:
            self._had_choice = True
            # Other lanes must not overtake it either: their shots would keep the agent from ever being empty.
            self._waits_alone = runs_alone(shots[0].losses) and bool(taken or self._held)
        if self._held and not taken:  # it has seats, but also pictures on their way here that a crash would take along
            shots = list(takewhile(lambda shot: not runs_alone(shot.losses), shots))
        chosen = set(
            fill(
                [
                    Candidate(
                        shot_id=shot.id,
                        account_id=shot.account_id,
                        is_premium=shot.tier_rank == self._tx.tiers.best.rank,
                        losses=shot.losses,
                    )
                    for shot in shots
                ],
                limits=self._limits,
                held=taken,
                holds_alone=self._holds_alone,
                left=None if self._caps is None else self._caps.left(chosen_of, {shot.account_id for shot in shots}),
            )
        )
        return [shot for shot in shots if shot.id in chosen][:free]


def _occupied(agent: AgentRow, held: Sequence[ShotRow], free: int) -> int:
    """Seats of the agent that shots sit in: all but the free ones, yet no more than it holds."""
    return min(len(held), max(0, agent.seats - free))


def _limits(agent: AgentRow, held: Sequence[ShotRow], free: int, premium_seats: int) -> Seating:
    """How far this claim may fill the agent. One that has not said how many seats it has gets what it asks for."""
    most = seating(agent.seats or free, premium_seats=premium_seats)
    end = _occupied(agent, held, free) + free
    return Seating(normal=min(most.normal, end), premium=min(most.premium, end))


def _lease(
    tx: Transaction, agent: AgentRow, chosen: Sequence[Row[Any]], lease_seconds: float, changes: Changes
) -> list[Leased]:
    if not chosen:
        return []
    order = {shot.id: place for place, shot in enumerate(chosen)}
    shots = tx.core.execute(
        _LEASE,
        {
            "ids": list(order),
            "agent": agent.id,
            "process": agent.incarnation,
            "from": tx.now,
            "until": tx.now + timedelta(seconds=lease_seconds),
        },
    ).all()
    jobs = {
        job.job_id: (job, Recipe.from_dict(job.recipe), checkpoint_from(job))
        for job in tx.core.execute(_BEGUN_JOBS, {"ids": sorted({shot.job_id for shot in shots})}).all()
    }
    recipes = {shot.id: jobs[shot.job_id][1].with_seed(shot.seed) for shot in shots}
    saved = [shot for shot in shots if shot.is_parked]
    parked = offer_parked(tx, agent, saved, recipes) if saved else {}
    leased = [
        Leased(
            shot_id=shot.id,
            job_id=shot.job_id,
            account_id=shot.account_id,
            index=shot.place,
            token=shot.token,
            attempt=shot.attempt,
            recipe=recipes[shot.id],
            checkpoint=jobs[shot.job_id][2],
            parked=parked.get(shot.id),
        )
        for shot in sorted(shots, key=lambda shot: order[shot.id])
    ]
    changes.shots += [
        (
            shot.account_id,
            shot.job_id,
            Shot(
                id=shot.id,
                index=shot.place,
                seed=shot.seed,
                state=State.RUNNING,
                image_id=shot.image_id,
                error=error_from(shot.error),
            ),
        )
        for shot in shots
    ]
    # Of a job whose row is locked and whose shot runs it is known that it runs.
    others = {
        job.job_id
        for job, _, _ in jobs.values()
        if job.job_state != State.RUNNING or job.cancel_requested_at is not None
    }
    settle(tx, others, changes)
    claimed(tx, map(move_of, shots))
    return leased


_shots, _jobs, _checkpoints, _parked = (table_of(row) for row in (ShotRow, JobRow, CheckpointRow, ParkedRow))
_NEXT = (
    select(_shots.c.id, _shots.c.account_id, _shots.c.tier_rank, _shots.c.losses)
    .where(
        _shots.c.state == literal("queued", literal_execute=True),
        _shots.c.pool == bindparam("pool"),
        _shots.c.checkpoint_id == bindparam("checkpoint_id"),
        or_(_shots.c.not_before.is_(None), _shots.c.not_before <= bindparam("now")),
    )
    .order_by(_shots.c.tier_rank, _shots.c.tag, _shots.c["index"])
    .limit(bindparam("most", type_=Integer))
    .with_for_update(skip_locked=True)
)
_LEASE = (
    update(_shots)
    .where(_shots.c.id.in_(bindparam("ids", expanding=True)))
    .values(
        state=State.RUNNING.value,
        token=_shots.c.token + 1,
        attempt=_shots.c.attempt + 1,
        agent_id=bindparam("agent"),
        incarnation=bindparam("process"),
        confirmed=False,
        leased_at=bindparam("from"),
        lease_until=bindparam("until"),
    )
    .returning(
        _shots.c.id,
        _shots.c.job_id,
        _shots.c.account_id,
        _shots.c.checkpoint_id,
        _shots.c.pool,
        _shots.c.tier_rank,
        _shots.c["index"].label("place"),
        _shots.c.seed,
        _shots.c.estimate_seconds,
        _shots.c.token,
        _shots.c.attempt,
        _shots.c.losses,
        _shots.c.image_id,
        _shots.c.error,
        exists().where(_parked.c.shot_id == _shots.c.id).label("is_parked"),
    )
)
_BEGUN_JOBS = (
    select(
        _checkpoints,
        _jobs.c.id.label("job_id"),
        _jobs.c.recipe,
        _jobs.c.state.label("job_state"),
        _jobs.c.cancel_requested_at,
    )
    .join(_checkpoints, _checkpoints.c.id == _jobs.c.checkpoint_id)
    .where(_jobs.c.id.in_(bindparam("ids", expanding=True)))
    .order_by(_jobs.c.number)
    .with_for_update(key_share=True, of=_jobs)
)
