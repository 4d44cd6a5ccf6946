"""preview: a small picture of a watched shot as it forms."""

from stablehand.domain.agents import Agent
from stablehand.protocol import Done, Preview
from stablehand.services import Services


def preview(services: Services, agent: Agent, message: Preview) -> Done:
    """Pass it on to the browsers of the shot's account; nothing is stored."""
    raise NotImplementedError
