"""fail: an agent could not draw a shot."""

from stablehand.domain.agents import Agent
from stablehand.domain.jobs import ShotError
from stablehand.protocol import Done, Fail
from stablehand.services import Services
from stablehand.services.announce import announce
from stablehand.store.endings import Reported


def fail(services: Services, agent: Agent, message: Fail) -> Done:
    """Each shot is tried again later, or fails; a bad checkpoint or a sick device is not held against it."""
    reports = [
        Reported(
            shot_id=failure.shot_id,
            token=failure.token,
            error_class=failure.error_class,
            error=ShotError(failure.code, failure.message, failure.hint),
            at_load=failure.at_load,
        )
        for failure in message.failures
    ]
    accepted, changes = services.store.fail(
        agent.id,
        message.incarnation,
        reports,
        retry_count=services.limits.retry_count,
    )
    announce(services, changes)
    return Done(accepted=accepted)
