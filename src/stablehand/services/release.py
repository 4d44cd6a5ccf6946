"""release: an agent gives shots back unharmed."""

from stablehand.domain.agents import Agent
from stablehand.protocol import Done, Release
from stablehand.services import Services
from stablehand.services.announce import announce


def release(services: Services, agent: Agent, message: Release) -> Done:
    """Put the shots back at their places in the queue; counts as neither error nor loss."""
    named = {shot.shot_id: shot.token for shot in message.shots}
    accepted, changes = services.store.release(
        agent.id, message.incarnation, named, closing=message.closing, leaving=message.leaving
    )
    announce(services, changes)
    return Done(accepted=accepted)
