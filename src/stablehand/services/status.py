"""How the queue stands."""

from dataclasses import dataclass

from stablehand.domain.breakers import LaneTrouble
from stablehand.domain.demand import Scaling, wanted_agents
from stablehand.domain.estimates import Calibration
from stablehand.services import Services

#: What limits a pool is whoever starts its machines.
_UNLIMITED = Scaling(max_agents=1_000_000)


@dataclass(frozen=True, slots=True)
class QueueStatus:
    queued: int  #: shots
    running: int  #: shots
    calibration: Calibration | None  #: how good estimates have been lately


@dataclass(frozen=True, slots=True)
class PoolStatus:
    name: str
    ready: int  #: agents that take work
    wanted: int  #: agents that its work of this moment asks for


def queue_status(services: Services) -> QueueStatus:
    """Counts over all accounts."""
    queued, running = services.store.queue_counts()
    return QueueStatus(queued=queued, running=running, calibration=services.store.calibration())


def troubled_lanes(services: Services) -> tuple[LaneTrouble, ...]:
    """Lanes whose checkpoint does not load everywhere."""
    return services.store.troubled_lanes()


def pool_statuses(services: Services) -> tuple[PoolStatus, ...]:
    """How many agents each pool has, and how many its work asks for: what a scaler reads."""
    statuses = []
    for pool in services.pools:
        demand = services.store.pool_demand(pool.name)
        statuses.append(PoolStatus(pool.name, demand.ready, wanted_agents(demand.load, _UNLIMITED)))
    return tuple(statuses)
