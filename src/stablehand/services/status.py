"""How the queue stands."""

from dataclasses import dataclass

from stablehand.domain.jobs import State
from stablehand.services import Services


@dataclass(frozen=True, slots=True)
class QueueStatus:
    queued: int  #: shots
    running: int  #: shots


def queue_status(services: Services) -> QueueStatus:
    """Counts over all accounts."""
    counts = services.store.queue_counts()
    return QueueStatus(queued=counts[State.QUEUED], running=counts[State.RUNNING])
