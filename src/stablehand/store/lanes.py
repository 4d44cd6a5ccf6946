"""Lanes as an agent sees them: read from the tallies by hopping from lane to lane along their index."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnClause,
    Float,
    Integer,
    Row,
    RowMapping,
    Text,
    TextualSelect,
    bindparam,
    column,
    exists,
    literal,
    select,
    text,
)

from stablehand.domain.agents import AgentState, state_of
from stablehand.domain.lanes import LaneView
from stablehand.domain.loads import load_seconds
from stablehand.domain.standings import Standing
from stablehand.domain.tiers import Tiers
from stablehand.domain.urgency import COUNTED_SHOTS, account_urgency, lane_urgency
from stablehand.store.columns import UtcTime, table_of
from stablehand.store.holdings import is_due
from stablehand.store.models import IS_QUEUED, IS_WAITING, AgentRow, ShotRow, TallyRow
from stablehand.store.transactions import Transaction

#: Accounts whose work is summed up in each lane, those of the better tier and with the longest wait first. More would
#: only say more strongly that a lane has work enough for another agent.
ACCOUNTS_COUNTED = 32

#: Agents asked for the time a load took, when one has not loaded a checkpoint itself.
LOADS_ASKED = 8

_HERE = "FROM tallies AS s WHERE s.queued > 0 AND s.pool = :pool AND s.checkpoint_id = lane.id"

_QUEUED_SECONDS = "SUM(seconds)"
_WORK_SECONDS = "SUM(CASE WHEN queued > :counted THEN seconds * :counted / queued ELSE seconds END)"
_COUNTED = f"(SELECT tier_rank, waiting_since, seconds, queued {_HERE} LIMIT :accounts) AS part"

# PostgreSQL and SQLite skip no keys of an index by themselves: the recursion jumps to each next lane by one look-up.
_QUERY = """
    WITH RECURSIVE lane (id) AS (
        SELECT (SELECT MIN(checkpoint_id) FROM tallies WHERE queued > 0 AND pool = :pool)
        UNION ALL
        SELECT (SELECT MIN(checkpoint_id) FROM tallies WHERE queued > 0 AND pool = :pool AND checkpoint_id > lane.id)
        FROM lane WHERE lane.id IS NOT NULL
    )
    SELECT lane.id AS checkpoint_id,
        (SELECT size_bytes FROM checkpoints WHERE checkpoints.id = lane.id) AS size_bytes,
        {since},
        {sums},
        (SELECT seconds FROM loads WHERE loads.checkpoint_id = lane.id AND loads.agent_id = :agent) AS own_load,
        (SELECT AVG(seconds) FROM (
            SELECT seconds FROM loads WHERE loads.checkpoint_id = lane.id LIMIT :loads) AS part) AS others_load
    FROM lane {beside} WHERE lane.id IS NOT NULL
    """

# All in one go over a lane's accounts, most of what the statement costs, where the database has a way to say so. Only
# of a lane with more accounts than are counted, each tier's oldest wait is looked up by itself.
_BESIDE_ON_POSTGRESQL = (
    f"CROSS JOIN LATERAL (SELECT COUNT(*) AS accounts, {_QUEUED_SECONDS} AS queued_seconds,"  # noqa: S608
    f" {_WORK_SECONDS} AS work_seconds, {{oldest}} FROM {_COUNTED}) AS work"
)
_SUMS_ON_SQLITE = (
    f"(SELECT {_QUEUED_SECONDS} FROM {_COUNTED}) AS queued_seconds,"  # noqa: S608
    f" (SELECT {_WORK_SECONDS} FROM {_COUNTED}) AS work_seconds"
)


@dataclass(frozen=True, slots=True)
class Fleet:
    """The live agents of a pool."""

    ready: int
    holders: dict[str, int]  #: checkpoint id -> how many hold it or are loading it
    busy_share: float | None  #: mean over those that have said; None when none has


def fleet_of(
    tx: Transaction, pool: str, *, claimant: AgentRow | None = None, silent_seconds: float | None = None
) -> Fleet:
    """The agents of a pool that take work.

    Args:
        claimant: counts as it is about to be written down, and not as a holder.
        silent_seconds: one that has not been heard for so long does not count as a holder either: nothing may wait for
            an agent that has stopped, long before it is called gone.
    """
    holders: dict[str, int] = {}
    shares = []
    ready = 0
    rows = tx.core.execute(_AGENTS, {"pool": pool}).all()
    drawn: dict[str, set[str]] = {row.id: set() for row in rows}  # checkpoints of the shots that an agent holds
    for row in rows:
        if row.drawn is not None:
            drawn[row.id].add(row.drawn)
    for row in {row.id: row for row in rows}.values():
        is_own = claimant is not None and row.id == claimant.id
        agent: Any = claimant if is_own else row
        state = state_of(
            incarnation=agent.incarnation,
            ready=agent.ready,
            draining=agent.draining,
            last_seen_at=agent.last_seen_at,
            now=tx.now,
        )
        if state is not AgentState.READY:
            continue
        ready += 1
        if agent.busy_share is not None:
            shares.append(agent.busy_share * agent.busy_weight)
        is_heard = silent_seconds is None or (tx.now - agent.last_seen_at).total_seconds() <= silent_seconds
        if not is_own and is_heard:
            for checkpoint_id in {*agent.resident, *drawn[agent.id]}:
                holders[checkpoint_id] = holders.get(checkpoint_id, 0) + 1
    return Fleet(ready, holders, sum(shares) / len(shares) if shares else None)


_agents, _shots = table_of(AgentRow).c, table_of(ShotRow).c
_DRAWN = (
    select(_shots.agent_id, _shots.checkpoint_id)
    .where(_shots.state == literal("running", literal_execute=True), _shots.pool == bindparam("pool"))
    .distinct()
    .subquery()
)
#: one row for each checkpoint that an agent draws with, or a single one without
_AGENTS = (
    select(
        _agents.id,
        _agents.incarnation,
        _agents.ready,
        _agents.draining,
        _agents.last_seen_at,
        _agents.resident,
        _agents.busy_share,
        _agents.busy_weight,
        _DRAWN.c.checkpoint_id.label("drawn"),
    )
    .outerjoin_from(table_of(AgentRow), _DRAWN, _DRAWN.c.agent_id == _agents.id)
    .where(
        _agents.pool == bindparam("pool"),
        _agents.incarnation.is_not(None),
        _agents.standing == Standing.WORKING.value,
    )
)


def waiting_lanes(tx: Transaction, pool: str, agent_id: str) -> Sequence[Row[Any]]:
    """Every lane of the pool in which shots wait, for ``lane_views``."""
    query = lanes_query(tx.tiers.ranks, is_postgresql=tx.is_postgresql)
    return tx.core.execute(query, lane_parameters(pool, agent_id)).all()


def lane_views(
    tx: Transaction, lanes: Sequence[Row[Any]], fleet: Fleet, closed: Collection[str] = ()
) -> list[LaneView]:
    """These lanes as the policy sees them. ``closed``: checkpoints whose lane has an open breaker."""
    return [
        LaneView(
            checkpoint_id=row.checkpoint_id,
            urgency=_urgency(tx.tiers, tx.now, row._mapping),
            work_seconds=row.work_seconds,
            queued_seconds=row.queued_seconds,
            load_seconds=load_seconds(
                own_seconds=row.own_load, others_seconds=row.others_load, size_bytes=row.size_bytes or 0
            ),
            holders=fleet.holders.get(row.checkpoint_id, 0),
            is_open=row.checkpoint_id not in closed,
        )
        for row in lanes
    ]


@lru_cache(maxsize=8)
def lanes_query(ranks: tuple[int, ...], *, is_postgresql: bool) -> TextualSelect:
    """The statement that reads every lane with its oldest waits and its work. ``ranks``: of the tiers in force.

    Each rank stands in the text, so that it is found by one look-up in the index.
    """
    looked_up = {rank: f"(SELECT MIN(waiting_since) {_HERE} AND s.tier_rank = {int(rank)})" for rank in ranks}
    if is_postgresql:
        oldest = (f"MIN(waiting_since) FILTER (WHERE tier_rank = {int(rank)}) AS since_{rank}" for rank in ranks)
        parts = {
            "since": ", ".join(
                f"CASE WHEN work.accounts < :accounts THEN work.since_{rank} ELSE {since} END AS since_{rank}"
                for rank, since in looked_up.items()
            ),
            "sums": "work.queued_seconds, work.work_seconds",
            "beside": _BESIDE_ON_POSTGRESQL.format(oldest=", ".join(oldest)),
        }
    else:
        parts = {
            "since": ", ".join(f"{since} AS since_{rank}" for rank, since in looked_up.items()),
            "sums": _SUMS_ON_SQLITE,
            "beside": "",
        }
    columns: tuple[ColumnClause[Any], ...] = (
        column("checkpoint_id", Text),
        column("size_bytes", Integer),
        *(column(f"since_{rank}", UtcTime) for rank in ranks),
        column("queued_seconds", Float),
        column("work_seconds", Float),
        column("own_load", Float),
        column("others_load", Float),
    )
    return text(_QUERY.format(**parts)).columns(*columns)


def lane_parameters(pool: str, agent_id: str) -> dict[str, object]:
    """Of ``lanes_query``."""
    return {
        "pool": pool,
        "agent": agent_id,
        "accounts": ACCOUNTS_COUNTED,
        "counted": COUNTED_SHOTS,
        "loads": LOADS_ASKED,
    }


def _urgency(tiers: Tiers, now: datetime, row: RowMapping) -> float:
    """Of the account that waits longest in each tier: whoever has waited less is less urgent."""
    return lane_urgency(
        account_urgency(
            oldest_wait_seconds=(now - since).total_seconds(),
            since_claim_seconds=None,
            tier_deadline_seconds=tier.deadline_seconds,
        )
        for tier in tiers
        if (since := row[f"since_{tier.rank}"]) is not None
    )


def has_queued(tx: Transaction, pool: str, without: Collection[str]) -> bool:
    """Whether a shot waits that may be claimed now. ``without``: checkpoints that do not count."""
    shots = exists().where(
        IS_QUEUED, ShotRow.pool == TallyRow.pool, ShotRow.checkpoint_id == TallyRow.checkpoint_id, is_due(tx)
    )
    lanes = exists().where(IS_WAITING, TallyRow.pool == pool, TallyRow.checkpoint_id.not_in(without), shots)
    return bool(tx.session.scalar(select(lanes)))
