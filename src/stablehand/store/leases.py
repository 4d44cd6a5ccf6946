"""Leases: shots given to agents, kept alive, and taken back.

Every word of an agent about a shot is valid only while that shot runs under the same token, for the same agent and
incarnation; a shot that was claimed again carries a larger token, so a late word changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select, update

from stablehand.domain.attempts import runs_alone
from stablehand.domain.checkpoints import Checkpoint
from stablehand.domain.errors import LeaseLost
from stablehand.domain.jobs import State
from stablehand.domain.leases import Candidate, is_renewal_due, is_stray, pick
from stablehand.domain.recipes import Recipe
from stablehand.domain.standings import seats_granted
from stablehand.store.breakers import admissions, note_probes
from stablehand.store.changes import Changes
from stablehand.store.conducts import conduct_of, drains
from stablehand.store.endings import release
from stablehand.store.holdings import (
    Memory,
    Ours,
    agent_row,
    cancelled_jobs,
    has_queued,
    is_due,
    is_touch_due,
    leases_of,
    never_arrived,
    ours_from,
    touch,
    valid,
)
from stablehand.store.models import IS_QUEUED, AgentRow, CheckpointRow, JobRow, ShotRow
from stablehand.store.parking import Offer, offer_parked
from stablehand.store.rows import checkpoint_from, shot_from
from stablehand.store.settling import settle
from stablehand.store.transactions import Transaction, Transactions, repeatable


@dataclass(frozen=True, slots=True, kw_only=True)
class Leased:
    """A shot that was just given to an agent."""

    shot_id: str
    job_id: str
    index: int
    token: int
    attempt: int
    recipe: Recipe  #: with this shot's own seed
    checkpoint: Checkpoint
    parked: Offer | None = None  #: a saved state to go on from


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What the server makes of a renewal."""

    held: dict[str, Ours]  #: shot id -> valid leases that go on
    cancelled: list[str]
    lost: list[str]
    drain: bool


class Leases(Transactions):
    @repeatable
    def claim(
        self, agent_id: str, incarnation: str, *, seats: int, memory: Memory, lease_seconds: float
    ) -> tuple[list[Leased], bool, Changes]:
        """Give up to ``seats`` shots to an agent, in claim order; also says whether it should drain.

        Leases of this incarnation that it has never named and that are too old to be on their way were lost with an
        answer; they go back to the queue first, so that asking again strands nothing.

        Raises:
            UnknownIncarnation, Superseded.
        """
        with self.reading() as tx:
            agent = agent_row(tx, agent_id, incarnation)
            idle = (
                not has_queued(tx, agent.pool, admissions(tx, agent, memory.resident).none)
                and not never_arrived(tx, agent)
                and not is_touch_due(agent, tx, memory, lease_seconds)
            )
            if idle or drains(tx, agent):
                return [], drains(tx, agent), Changes()
        with self.writing() as tx:
            changes = Changes()
            agent = agent_row(tx, agent_id, incarnation)
            touch(agent, tx, memory)
            release(tx, never_arrived(tx, agent), changes)
            held = leases_of(tx, agent)
            # Finished pictures on their way here hold no seat there any more: as many again may be on the road.
            free = seats if agent.seats == 0 else min(seats, 2 * agent.seats - len(held))
            free = seats_granted(conduct_of(agent), tx.now, held=len(held), asked=free)
            admitted = admissions(tx, agent, memory.resident)
            found = tx.session.execute(
                select(ShotRow.id, ShotRow.losses, ShotRow.checkpoint_id)
                .where(IS_QUEUED, ShotRow.pool == agent.pool, is_due(tx), ShotRow.checkpoint_id.not_in(admitted.none))
                .order_by(ShotRow.tier_rank, ShotRow.tag, ShotRow.index)
                .limit(max(0, free))
                .with_for_update(skip_locked=True)
            ).all()
            by_id = {shot_id: Candidate(shot_id, losses) for shot_id, losses, _ in found}
            chosen = pick(
                [by_id[shot_id] for shot_id in admitted.restrict([(row[0], row[2]) for row in found])],
                free_seats=free,
                held=len(held),
                holds_alone=any(runs_alone(shot.losses) for shot in held),
            )
            leased = self._lease(tx, agent, chosen, lease_seconds, changes) if chosen else []
            note_probes(tx, agent.pool, admitted, chosen)
            return leased, drains(tx, agent), changes

    @staticmethod
    def _lease(
        tx: Transaction, agent: AgentRow, chosen: list[str], lease_seconds: float, changes: Changes
    ) -> list[Leased]:
        shots = tx.session.scalars(
            update(ShotRow)
            .where(ShotRow.id.in_(chosen))
            .values(
                state=State.RUNNING.value,
                token=ShotRow.token + 1,
                attempt=ShotRow.attempt + 1,
                agent_id=agent.id,
                incarnation=agent.incarnation,
                confirmed=False,
                leased_at=tx.now,
                lease_until=tx.now + timedelta(seconds=lease_seconds),
            )
            .returning(ShotRow),
            execution_options={"populate_existing": True},
        ).all()
        jobs = {
            job.id: (Recipe.from_dict(job.recipe), checkpoint_from(checkpoint))
            for job, checkpoint in tx.session.execute(
                select(JobRow, CheckpointRow)
                .join(CheckpointRow, CheckpointRow.id == JobRow.checkpoint_id)
                .where(JobRow.id.in_({shot.job_id for shot in shots}))
            ).tuples()
        }
        recipes = {shot.id: jobs[shot.job_id][0].with_seed(shot.seed) for shot in shots}
        parked = offer_parked(tx, agent, shots, recipes)
        leased = [
            Leased(
                shot_id=shot.id,
                job_id=shot.job_id,
                index=shot.index,
                token=shot.token,
                attempt=shot.attempt,
                recipe=recipes[shot.id],
                checkpoint=jobs[shot.job_id][1],
                parked=parked.get(shot.id),
            )
            for shot in sorted(shots, key=lambda shot: chosen.index(shot.id))
        ]
        changes.shots += [(shot.account_id, shot.job_id, shot_from(shot)) for shot in shots]
        settle(tx, {shot.job_id for shot in shots}, changes)
        return leased

    @repeatable
    def renew(
        self,
        agent_id: str,
        incarnation: str,
        named: Mapping[str, int],
        *,
        memory: Memory,
        lease_seconds: float,
    ) -> tuple[Heartbeat, Changes]:
        """Keep the leases alive that the agent names (shot id -> token), and say which others it must stop.

        Writes only when something is due: a lease to extend or to confirm, a cancelled shot to end, or a lease to take
        back that the agent has never heard of.

        Raises:
            UnknownIncarnation, Superseded.
        """
        with self.reading() as tx:
            agent = agent_row(tx, agent_id, incarnation)
            sorted_out = _sort(tx, leases_of(tx, agent), named)
            nothing_due = not (
                sorted_out.cancelled
                or sorted_out.strays
                or is_touch_due(agent, tx, memory, lease_seconds)
                or any(_is_due(tx, shot, lease_seconds) for shot in sorted_out.held)
            )
            if nothing_due:
                return _heartbeat(sorted_out, named, drain=drains(tx, agent)), Changes()
        changes = Changes()
        with self.writing() as tx:
            agent = agent_row(tx, agent_id, incarnation)
            touch(agent, tx, memory)
            sorted_out = _sort(tx, leases_of(tx, agent), named)
            for shot in sorted_out.held:
                shot.confirmed = True
                shot.lease_until = tx.now + timedelta(seconds=lease_seconds)
            beat = _heartbeat(sorted_out, named, drain=drains(tx, agent))
            release(tx, [*sorted_out.cancelled, *sorted_out.strays], changes)
            return beat, changes

    def check_lease(self, agent_id: str, shot_id: str, token: int) -> Recipe:
        """The recipe of a shot that this agent runs under this token. Raises LeaseLost."""
        with self.reading() as tx:
            shot = tx.session.get(ShotRow, shot_id)
            if shot is None or shot.state != State.RUNNING or (shot.agent_id, shot.token) != (agent_id, token):
                raise LeaseLost("This shot is no longer yours.", hint="Drop it and claim other work.")
            job = tx.session.scalars(select(JobRow).where(JobRow.id == shot.job_id)).one()
            return Recipe.from_dict(job.recipe).with_seed(shot.seed)

    def held(self, agent_id: str, incarnation: str, shot_id: str, token: int) -> Ours | None:
        """Whose shot it is that this agent runs under this token; None when it is not the agent's."""
        with self.reading() as tx:
            shots = valid(tx, agent_id, incarnation, {shot_id: token})
            return next((ours_from(shot) for shot in shots), None)


@dataclass(frozen=True, slots=True)
class _Sorted:
    """The leases of an agent, held against those it names."""

    held: list[ShotRow]  #: named, and to go on
    cancelled: list[ShotRow]  #: named, and to stop
    strays: list[ShotRow]  #: not named, and too old to be on their way


def _sort(tx: Transaction, leases: Sequence[ShotRow], named: Mapping[str, int]) -> _Sorted:
    mine = [shot for shot in leases if named.get(shot.id) == shot.token]
    cancelled = cancelled_jobs(tx, mine)
    return _Sorted(
        held=[shot for shot in mine if shot.job_id not in cancelled],
        cancelled=[shot for shot in mine if shot.job_id in cancelled],
        strays=[
            shot
            for shot in leases
            if named.get(shot.id) != shot.token and shot.leased_at is not None and is_stray(shot.leased_at, tx.now)
        ],
    )


def _heartbeat(found: _Sorted, named: Mapping[str, int], *, drain: bool) -> Heartbeat:
    known = {shot.id for shot in (*found.held, *found.cancelled)}
    return Heartbeat(
        held={shot.id: ours_from(shot) for shot in found.held},
        cancelled=[shot.id for shot in found.cancelled],
        lost=[shot_id for shot_id in named if shot_id not in known],
        drain=drain,
    )


def _is_due(tx: Transaction, shot: ShotRow, lease_seconds: float) -> bool:
    if not shot.confirmed or shot.lease_until is None:
        return True
    return is_renewal_due(shot.lease_until, tx.now, lease_seconds)
