"""fail: an agent could not draw a shot."""

from stablehand.domain.agents import Agent
from stablehand.domain.jobs import ShotError
from stablehand.protocol import Done, Fail
from stablehand.services import Services
from stablehand.services.announce import announce
from stablehand.store.endings import Reported


def fail(services: Services, agent: Agent, message: Fail) -> Done:
    """Count the errors; each shot is tried again or fails. After ``agent_sick`` this incarnation gets no more work."""
    reports = [
        Reported(
            shot_id=failure.shot_id,
            token=failure.token,
            final=failure.error_class == "final",
            error=ShotError(failure.code, failure.message, failure.hint),
        )
        for failure in message.failures
    ]
    accepted, changes = services.store.fail(
        agent.id,
        message.incarnation,
        reports,
        sick=any(failure.error_class == "agent_sick" for failure in message.failures),
        retry_count=services.limits.retry_count,
    )
    announce(services, changes)
    return Done(accepted=accepted)
