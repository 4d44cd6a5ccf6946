"""renew: an agent's heartbeat for everything it runs."""

from stablehand.domain.agents import Agent
from stablehand.protocol import Renew, Renewed
from stablehand.services import Services


def renew(services: Services, agent: Agent, message: Renew) -> Renewed:
    """Extend leases, spread progress, and tell what to stop.

    Raises: UnknownIncarnation, Superseded.
    """
    raise NotImplementedError
