"""fail: an agent could not draw a shot."""

from stablehand.domain.agents import Agent
from stablehand.protocol import Done, Fail
from stablehand.services import Services


def fail(services: Services, agent: Agent, message: Fail) -> Done:
    """Count the errors; each shot is tried again or fails. After ``agent_sick`` this incarnation gets no more work."""
    raise NotImplementedError
