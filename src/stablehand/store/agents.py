"""Agents: registered, saying hello, seen."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import func, select

from stablehand.domain.agents import Agent, AgentDevice, AgentState
from stablehand.domain.errors import Unauthorized
from stablehand.store.breakers import agent_restarted
from stablehand.store.changes import Changes
from stablehand.store.endings import lose
from stablehand.store.holdings import check_not_superseded, forget_incarnation, leases_of
from stablehand.store.models import IS_RUNNING, AgentRow, ShotRow
from stablehand.store.rows import agent_from
from stablehand.store.transactions import ONLY_ROW, Transaction, Transactions, repeatable


@dataclass(frozen=True, slots=True, kw_only=True)
class Introduction:
    """What an agent says of itself."""

    incarnation: str
    runtime: str
    kinds: Sequence[str]
    device: AgentDevice
    ready: bool
    seats: int
    present: Sequence[str]
    resident: Sequence[str]
    version: str
    error: str


class Agents(Transactions):
    def register_agent(self, new_id: str, name: str, pool: str, token_hash: str) -> Agent:
        """Make an agent, or give the one of that name this pool and token (its old token is void then)."""
        with self.writing() as tx:
            tx.alone("agents by name")
            row = tx.session.scalar(select(AgentRow).where(AgentRow.name == name))
            if row is None:
                row = AgentRow(id=new_id, name=name, pool=pool, token_hash=token_hash, created_at=tx.now)
                tx.session.add(row)
            else:
                row.pool, row.token_hash = pool, token_hash
            tx.session.flush()
            return _agent(tx, row)

    def agent_by_token_hash(self, token_hash: str) -> Agent:
        """Raises Unauthorized."""
        with self.reading() as tx:
            row = tx.session.scalar(select(AgentRow).where(AgentRow.token_hash == token_hash))
            if row is None:
                raise Unauthorized(
                    "This agent token is not known here.", hint="Make a new one with `stablehand agents add NAME`."
                )
            return _agent(tx, row)

    def list_agents(self) -> tuple[Agent, ...]:
        with self.reading() as tx:
            rows = tx.session.scalars(select(AgentRow).order_by(AgentRow.name)).all()
            return tuple(_agent(tx, row) for row in rows)

    def resident_checkpoints(self) -> frozenset[str]:
        """Ids of checkpoints in the memory of agents that are not gone."""
        return frozenset(
            checkpoint
            for agent in self.list_agents()
            if agent.state is not AgentState.GONE
            for checkpoint in agent.resident
        )

    @repeatable
    def hello(self, agent_id: str, words: Introduction) -> Changes:
        """Remember what the agent says. Leases of the process that it replaces are lost at once.

        Raises:
            Superseded: this process has itself been replaced.
        """
        changes = Changes()
        with self.writing() as tx:
            row = tx.session.get_one(AgentRow, agent_id, with_for_update=ONLY_ROW)
            check_not_superseded(row, words.incarnation)
            if row.incarnation != words.incarnation:
                lose(tx, row, leases_of(tx, row), changes)
                forget_incarnation(row)
                agent_restarted(tx, row)
            row.incarnation = words.incarnation
            row.runtime = words.runtime
            row.kinds = list(words.kinds)
            row.device = asdict(words.device)
            row.ready = words.ready
            row.seats = words.seats
            row.present = list(words.present)
            row.resident = list(words.resident)
            row.version = words.version
            # Each restart says hello before it can fail again: until one is ready, the last failure is the news.
            if words.error or words.ready:
                row.error = words.error
            row.last_seen_at = tx.now
        return changes


def _agent(tx: Transaction, row: AgentRow) -> Agent:
    running = tx.session.scalar(select(func.count()).select_from(ShotRow).where(IS_RUNNING, ShotRow.agent_id == row.id))
    return agent_from(row, running=running or 0, now=tx.now)
