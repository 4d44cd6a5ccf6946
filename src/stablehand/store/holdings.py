"""Holdings: which process of an agent speaks, and which shots are really its own."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import ColumnElement, bindparam, exists, func, or_, select

from stablehand.domain.errors import Superseded, UnknownIncarnation
from stablehand.domain.leases import is_stray
from stablehand.store.measures import note_loads
from stablehand.store.models import IS_RUNNING, AgentRow, BreakerRow, JobRow, ShotRow
from stablehand.store.transactions import ONLY_ROW, Transaction

#: How many ended processes of an agent are remembered, to tell one that comes back from a new one.
SUPERSEDED_KEPT = 16

_LOCKED_AGENT = (
    select(AgentRow, func.now(), exists(select(BreakerRow.pool)))
    .where(AgentRow.id == bindparam("id"))
    .with_for_update(key_share=True, of=AgentRow)
)


@dataclass(frozen=True, slots=True)
class Ours:
    """Where a shot belongs that an agent really holds."""

    account_id: str
    job_id: str
    index: int


def ours_from(shot: ShotRow) -> Ours:
    return Ours(account_id=shot.account_id, job_id=shot.job_id, index=shot.index)


def agent_row(tx: Transaction, agent_id: str, incarnation: str) -> AgentRow:
    """The agent, if this is its present process; locked by writers, so that it stays that while they write.

    Raises:
        UnknownIncarnation, Superseded.
    """
    return agent_and_trouble(tx, agent_id, incarnation)[0]


def agent_and_trouble(tx: Transaction, agent_id: str, incarnation: str) -> tuple[AgentRow, bool]:
    """As ``agent_row``; False beside it when no lane at all has a breaker, which PostgreSQL says in passing.

    Raises:
        UnknownIncarnation, Superseded.
    """
    agent, trouble = _locked_agent(tx, agent_id) if tx.writes else (tx.session.get(AgentRow, agent_id), True)
    if agent is not None and agent.incarnation == incarnation:
        return agent, trouble
    if agent is not None:
        check_not_superseded(agent, incarnation)
    raise UnknownIncarnation("The server does not know this process of the agent.", hint="Say hello first.")


def _locked_agent(tx: Transaction, agent_id: str) -> tuple[AgentRow | None, bool]:
    if not tx.is_postgresql:
        return tx.session.get(AgentRow, agent_id, with_for_update=ONLY_ROW), True
    found = tx.session.execute(_LOCKED_AGENT, {"id": agent_id}, execution_options={"populate_existing": True}).first()
    if found is None:
        return None, False
    tx.told_now(found[1])
    return found[0], found[2]


def check_not_superseded(agent: AgentRow, incarnation: str) -> None:
    """Raises Superseded for a process of the agent that has been replaced or seen to die."""
    if incarnation in agent.superseded:
        raise Superseded(
            f"A newer process of the agent {agent.name} has taken over.",
            hint="End this process. Two machines need two tokens: `stablehand agents add`.",
        )


def forget_incarnation(agent: AgentRow) -> None:
    """The agent's present process counts as ended; late words of it are refused."""
    if agent.incarnation is not None:
        agent.superseded = [*agent.superseded, agent.incarnation][-SUPERSEDED_KEPT:]
    agent.incarnation = None
    agent.ready = agent.draining = False
    agent.resident = []
    agent.loading = None
    agent.busy_share = None


@dataclass(frozen=True, slots=True)
class Memory:
    """What an agent says of its memory: ids of checkpoints."""

    resident: Sequence[str]
    loading: str | None = None  #: the one that it is bringing in
    is_fresh: bool = True  #: False: said some time ago, by a claim that waits; what it is loading is not known from it
    loads: Sequence[tuple[str, float]] = ()  #: (id, seconds) of those that it has brought in since it last said so
    busy_share: float | None = None  #: of its time, spent drawing rather than loading or waiting; None: it does not say


def is_touch_due(agent: AgentRow, tx: Transaction, memory: Memory, lease_seconds: float) -> bool:
    """True when the agent's row must be written: after a quarter of a lease, or when its memory changed."""
    if (
        agent.last_seen_at is None
        or _knows_others(agent, memory)
        or (memory.is_fresh and memory.loading != agent.loading)
    ):
        return True
    if memory.loads:
        return True
    return tx.now - agent.last_seen_at > timedelta(seconds=lease_seconds / 4)


def touch(agent: AgentRow, tx: Transaction, memory: Memory) -> None:
    agent.last_seen_at = tx.now
    if memory.is_fresh:
        agent.loading = memory.loading
    if memory.busy_share is not None:
        agent.busy_share = memory.busy_share
    note_loads(tx, agent.id, memory.loads)
    if _knows_others(agent, memory):
        agent.resident = list(memory.resident)


def _knows_others(agent: AgentRow, memory: Memory) -> bool:
    """True when other checkpoints are resident than are written down; in which order they were used is not kept."""
    return set(memory.resident) != set(agent.resident)


def leases_of(tx: Transaction, agent: AgentRow) -> Sequence[ShotRow]:
    """The running shots of an agent, locked by writers."""
    return tx.session.scalars(_LOCKED_LEASES if tx.writes else _LEASES, {"agent_id": agent.id}).all()


_LEASES = select(ShotRow).where(IS_RUNNING, ShotRow.agent_id == bindparam("agent_id")).order_by(ShotRow.id)
_LOCKED_LEASES = _LEASES.with_for_update(**ONLY_ROW)


def never_arrived(tx: Transaction, leases: Iterable[ShotRow]) -> list[ShotRow]:
    """Of an agent's leases those that it has never named but would have by now: the answer with them was lost."""
    return [
        shot
        for shot in leases
        if not shot.confirmed and shot.leased_at is not None and is_stray(shot.leased_at, tx.now)
    ]


def valid(tx: Transaction, agent_id: str, incarnation: str, named: Mapping[str, int]) -> list[ShotRow]:
    """Of the shots named (id -> token), those that run under that token for this process of this agent."""
    query = (
        select(ShotRow)
        .where(
            ShotRow.id.in_(list(named)),
            IS_RUNNING,
            ShotRow.agent_id == agent_id,
            ShotRow.incarnation == incarnation,
        )
        .order_by(ShotRow.id)
    )
    if tx.writes:
        query = query.with_for_update(**ONLY_ROW)
    return [shot for shot in tx.session.scalars(query) if shot.token == named[shot.id]]


def cancelled_jobs(tx: Transaction, shots: Iterable[ShotRow]) -> set[str]:
    """Ids of the jobs of these shots whose cancellation was asked for."""
    ids = {shot.job_id for shot in shots}
    if not ids:
        return set()
    query = select(JobRow.id).where(JobRow.id.in_(ids), JobRow.cancel_requested_at.is_not(None))
    return set(tx.session.scalars(query))


def is_due(tx: Transaction) -> ColumnElement[bool]:
    """True for shots that may be claimed now: not for those whose last attempt has just failed."""
    return or_(ShotRow.not_before.is_(None), ShotRow.not_before <= tx.now)
