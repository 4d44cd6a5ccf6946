"""claim: an agent asks for work."""

from stablehand.domain.agents import Agent
from stablehand.protocol import Claim, Leases
from stablehand.services import Services


def claim(services: Services, agent: Agent, message: Claim) -> Leases:
    """Lease shots to an agent; waits up to ``wait_seconds`` for some, holding no database connection meanwhile.

    Raises:
        UnknownIncarnation: it must say hello first. Superseded: a newer process of this agent runs; it must end.
    """
    raise NotImplementedError
