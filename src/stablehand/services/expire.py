"""expire: take back what agents lost or held for too long."""

from stablehand.services import Services


def expire(services: Services) -> int:
    """Leases past their time are losses, attempts past ``timeout_seconds`` are errors; returns how many shots."""
    raise NotImplementedError


def expire_agent(services: Services, agent_id: str) -> int:
    """The agent's process was seen to die: its leases are lost at once; returns how many shots."""
    raise NotImplementedError
