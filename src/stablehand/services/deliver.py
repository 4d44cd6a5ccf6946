"""deliver: finished pictures become images."""

from stablehand.domain.agents import Agent
from stablehand.protocol import Deliver, Delivered, Uploaded
from stablehand.services import Services


def upload(services: Services, agent: Agent, shot_id: str, token: int, data: bytes) -> Uploaded:
    """Check that ``data`` is the picture that was ordered, store it and its thumbnail, and name it for ``deliver``.

    Raises: LeaseLost, BadPicture, StorageFull.
    """
    raise NotImplementedError


def deliver(services: Services, agent: Agent, message: Deliver) -> Delivered:
    """Make uploads the results of their shots, each fenced alone."""
    raise NotImplementedError
