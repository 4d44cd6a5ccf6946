"""How the queue stands."""

from dataclasses import dataclass

from stablehand.domain.breakers import LaneTrouble
from stablehand.services import Services


@dataclass(frozen=True, slots=True)
class QueueStatus:
    queued: int  #: shots
    running: int  #: shots


def queue_status(services: Services) -> QueueStatus:
    """Counts over all accounts."""
    queued, running = services.store.queue_counts()
    return QueueStatus(queued=queued, running=running)


def troubled_lanes(services: Services) -> tuple[LaneTrouble, ...]:
    """Lanes whose checkpoint does not load everywhere."""
    return services.store.troubled_lanes()
