"""expire: take back what agents lost or held for too long."""

from stablehand.services import Services
from stablehand.services.announce import announce


def expire(services: Services) -> int:
    """Leases past their time are losses, attempts past ``timeout_seconds`` are errors; returns how many shots."""
    limits = services.limits
    changes = services.store.expire(timeout_seconds=limits.timeout_seconds, retry_count=limits.retry_count)
    announce(services, changes)
    return len(changes.shots)


def judge_lanes(services: Services) -> int:
    """Fail what waits for checkpoints that certainly do not load; returns how many shots."""
    changes = services.store.judge_lanes()
    announce(services, changes)
    return len(changes.shots)


def expire_agent(services: Services, agent_id: str) -> int:
    """The agent's process was seen to die: its leases are lost at once; returns how many shots."""
    changes = services.store.expire_agent(agent_id)
    announce(services, changes)
    return len(changes.shots)
