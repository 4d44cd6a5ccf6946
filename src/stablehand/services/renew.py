"""renew: an agent's heartbeat for everything it runs."""

from stablehand.domain.agents import Agent
from stablehand.domain.events import ShotChanged
from stablehand.protocol import Renew, Renewed
from stablehand.services import Services
from stablehand.services.announce import announce
from stablehand.store.holdings import Memory


def renew(services: Services, agent: Agent, message: Renew) -> Renewed:
    """Extend leases, spread progress, and tell what to stop.

    Raises: UnknownIncarnation, Superseded.
    """
    feed = services.feed
    beat, changes = services.store.renew(
        agent.id,
        message.incarnation,
        {shot.shot_id: shot.token for shot in message.shots},
        memory=Memory(
            message.resident,
            message.loading,
            loads=[(load.checkpoint_id, load.seconds) for load in message.loads],
            busy_share=message.busy_share,
        ),
        lease_seconds=services.limits.lease_seconds,
    )
    moved = {
        shot.shot_id: shot.progress
        for shot in message.shots
        if shot.shot_id in beat.held and shot.progress != feed.progress(shot.shot_id)
    }
    # Those that stand still too: what is not repeated is forgotten.
    feed.note_progress({shot.shot_id: shot.progress for shot in message.shots if shot.shot_id in beat.held})
    announce(services, changes)
    if moved:
        for account_id, job_id, shot in services.store.shots(list(moved), progress=feed.progress):
            feed.publish(ShotChanged(account_id, job_id, shot))
    return Renewed(
        cancelled=beat.cancelled,
        lost=beat.lost,
        watched=[shot_id for shot_id, ours in beat.held.items() if feed.is_watched(ours.job_id)],
        drain=beat.drain,
    )
