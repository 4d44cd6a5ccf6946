"""Agents: registered, saying hello, seen."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import func, or_, select

from stablehand.domain.agents import Agent, AgentDevice, AgentState, RunningShot
from stablehand.domain.errors import NotFound, Unauthorized
from stablehand.domain.standings import Conduct, Standing, decided
from stablehand.domain.versions import Expected, agent_version, check_version
from stablehand.store.breakers import agent_restarted
from stablehand.store.changes import Changes
from stablehand.store.conducts import set_conduct
from stablehand.store.endings import lose, release
from stablehand.store.holdings import check_not_superseded, forget_incarnation, leases_of
from stablehand.store.models import IS_RUNNING, AgentRow, CheckpointRow, ShotRow
from stablehand.store.rows import Progress, agent_from
from stablehand.store.transactions import ONLY_ROW, Transaction, Transactions, repeatable

_PRESENT = select(AgentRow).where(AgentRow.removed_at.is_(None))


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
                row.pool, row.token_hash, row.removed_at = pool, token_hash, None
            tx.session.flush()
            return _agent(tx, row)

    def agent_by_token_hash(self, token_hash: str) -> Agent:
        """Raises Unauthorized."""
        with self.reading() as tx:
            row = tx.session.scalar(_PRESENT.where(AgentRow.token_hash == token_hash))
            if row is None:
                raise Unauthorized(
                    "This agent token is not known here.", hint="Make a new one with `stablehand agents add NAME`."
                )
            return _agent(tx, row)

    def agent(self, name: str) -> Agent:
        """By name or id. Raises NotFound."""
        with self.reading() as tx:
            return _agent(tx, _known(tx, name))

    def list_agents(self) -> tuple[Agent, ...]:
        with self.reading() as tx:
            rows = tx.session.scalars(_PRESENT.order_by(AgentRow.name)).all()
            return tuple(_agent(tx, row) for row in rows)

    def resident_checkpoints(self) -> frozenset[str]:
        """Ids of checkpoints in the memory of agents that are not gone."""
        return frozenset(
            checkpoint
            for agent in self.list_agents()
            if agent.state is not AgentState.GONE
            for checkpoint in agent.resident
        )

    def running_shots(self, *, progress: Progress) -> dict[str, list[RunningShot]]:
        """agent id -> what it holds."""
        query = (
            select(ShotRow, CheckpointRow.name)
            .join(CheckpointRow, CheckpointRow.id == ShotRow.checkpoint_id)
            .where(IS_RUNNING)
            .order_by(ShotRow.leased_at, ShotRow.index)
        )
        found: dict[str, list[RunningShot]] = {}
        with self.reading() as tx:
            for shot, checkpoint in tx.session.execute(query).tuples():
                found.setdefault(shot.agent_id or "", []).append(
                    RunningShot(
                        job_id=shot.job_id,
                        index=shot.index,
                        checkpoint=checkpoint,
                        progress=progress(shot.id),
                        since=shot.leased_at,
                    )
                )
        return found

    @repeatable
    def decide(self, name: str, standing: Standing, reason: str, *, expected: Expected = None) -> tuple[Agent, Changes]:
        """Let an agent (by name or id) work, drain or pause it; a paused one's shots go back to the queue unharmed.

        Raises:
            NotFound, ChangedMeanwhile.
        """
        changes = Changes()
        with self.writing() as tx:
            row = _known(tx, name)
            check_version(expected, agent_version(_agent(tx, row)))
            set_conduct(row, decided(standing, reason, tx.now))
            if standing is Standing.PAUSED:
                release(tx, leases_of(tx, row), changes)
            tx.session.flush()
            return _agent(tx, row), changes

    @repeatable
    def remove_agent(self, name: str, *, expected: Expected = None) -> tuple[Agent, Changes]:
        """Void its token and take its shots back unharmed; an agent may be added under its name again.

        Raises:
            NotFound, ChangedMeanwhile.
        """
        changes = Changes()
        with self.writing() as tx:
            row = _known(tx, name)
            check_version(expected, agent_version(_agent(tx, row)))
            release(tx, leases_of(tx, row), changes)
            forget_incarnation(row)
            set_conduct(row, Conduct())
            row.removed_at = tx.now
            row.token_hash = f"removed:{row.id}"  # its row stays for the ledger
            row.error = ""
            tx.session.flush()
            return _agent(tx, row), changes

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


def _known(tx: Transaction, name: str) -> AgentRow:
    query = _PRESENT.where(or_(AgentRow.name == name, AgentRow.id == name))
    row = tx.session.scalar(query.with_for_update(**ONLY_ROW) if tx.writes else query)
    if row is None:
        raise NotFound("There is no such agent.", hint="`stablehand agents list` shows those that there are.")
    return row


def _agent(tx: Transaction, row: AgentRow) -> Agent:
    running = tx.session.scalar(select(func.count()).select_from(ShotRow).where(IS_RUNNING, ShotRow.agent_id == row.id))
    return agent_from(row, running=running or 0, now=tx.now)
