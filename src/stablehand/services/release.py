"""release: an agent gives shots back unharmed."""

from stablehand.domain.agents import Agent
from stablehand.protocol import Done, Release
from stablehand.services import Services


def release(services: Services, agent: Agent, message: Release) -> Done:
    """Put the shots back at their places in the queue; counts as neither error nor loss."""
    raise NotImplementedError
