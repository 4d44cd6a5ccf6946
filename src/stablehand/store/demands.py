"""Demands: what the agents of each pool have to do, for whoever starts and stops machines."""

from dataclasses import dataclass

from sqlalchemy import func, select

from stablehand.domain.demand import PoolLoad, by_deadline
from stablehand.domain.loads import load_seconds
from stablehand.store.lanes import fleet_of
from stablehand.store.models import IS_RUNNING, IS_WAITING, CheckpointRow, LoadRow, ShotRow, TallyRow
from stablehand.store.transactions import Transaction, Transactions


@dataclass(frozen=True, slots=True)
class PoolDemand:
    """A pool's work and those who are there for it."""

    load: PoolLoad
    ready: int  #: agents that take work


class Demands(Transactions):
    def pool_demand(self, pool: str) -> PoolDemand:
        """What waits and runs in a pool; read from the tallies, so that its cost does not grow with the queue."""
        with self.reading() as tx:
            fleet = fleet_of(tx, pool)
            queued = dict.fromkeys(tx.tiers.ranks, 0.0)
            for rank, seconds in tx.session.execute(
                select(TallyRow.tier_rank, func.sum(TallyRow.seconds))
                .where(IS_WAITING, TallyRow.pool == pool)
                .group_by(TallyRow.tier_rank)
            ).tuples():
                queued[_in_force(tx, rank)] += max(0.0, seconds)
            for rank, seconds in _missing_loads(tx, pool, set(fleet.holders)):
                queued[_in_force(tx, rank)] += seconds
            running, busy = tx.session.execute(
                select(func.count(), func.count(ShotRow.agent_id.distinct())).where(IS_RUNNING, ShotRow.pool == pool)
            ).one()
            load = PoolLoad(
                queued_seconds=by_deadline((tier, queued[tier.rank]) for tier in tx.tiers),
                running=running,
                busy_agents=busy,
            )
            return PoolDemand(load, fleet.ready)


def _in_force(tx: Transaction, rank: int) -> int:
    """The rank itself, or that of the plain tier while shots of a tier that is gone have not been adopted."""
    return rank if rank in tx.tiers.ranks else tx.tiers.plain.rank


def _missing_loads(tx: Transaction, pool: str, held: set[str]) -> list[tuple[int, float]]:
    """(best tier that waits for it, seconds to load it) of every checkpoint that waits and that nobody holds."""
    measured = select(func.avg(LoadRow.seconds)).where(LoadRow.checkpoint_id == CheckpointRow.id).scalar_subquery()
    rows = tx.session.execute(
        select(CheckpointRow.id, CheckpointRow.size_bytes, measured, func.min(TallyRow.tier_rank))
        .join(TallyRow, TallyRow.checkpoint_id == CheckpointRow.id)
        .where(IS_WAITING, TallyRow.pool == pool)
        .group_by(CheckpointRow.id, CheckpointRow.size_bytes)
    ).tuples()
    return [
        (rank, load_seconds(own_seconds=None, others_seconds=seconds, size_bytes=size_bytes))
        for checkpoint_id, size_bytes, seconds, rank in rows
        if checkpoint_id not in held
    ]
