"""Leases: kept alive, and held against what agents say of them.

Every word of an agent about a shot is valid only while that shot runs under the same token, for the same agent and
incarnation; a shot that was claimed again carries a larger token, so a late word changes nothing.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from stablehand.domain.errors import LeaseLost
from stablehand.domain.jobs import State
from stablehand.domain.leases import is_renewal_due, is_stray
from stablehand.domain.recipes import Recipe
from stablehand.store.changes import Changes
from stablehand.store.conducts import drains
from stablehand.store.endings import release
from stablehand.store.holdings import (
    Memory,
    Ours,
    agent_row,
    cancelled_jobs,
    is_touch_due,
    leases_of,
    ours_from,
    touch,
    valid,
)
from stablehand.store.models import JobRow, ShotRow
from stablehand.store.transactions import Transaction, Transactions, repeatable


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """What the server makes of a renewal."""

    held: dict[str, Ours]  #: shot id -> valid leases that go on
    cancelled: list[str]
    lost: list[str]
    drain: bool


class Leases(Transactions):
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
