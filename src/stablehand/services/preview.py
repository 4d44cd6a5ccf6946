"""preview: a small picture of a watched shot as it forms."""

from stablehand.domain.agents import Agent
from stablehand.domain.events import PreviewShown
from stablehand.protocol import Done, Preview
from stablehand.services import Services


def preview(services: Services, agent: Agent, message: Preview) -> Done:
    """Pass it on to the browsers of the shot's account; nothing is stored.

    Where a checker looks at pictures, nobody sees what it has not seen.
    """
    ours = services.store.held(agent.id, message.incarnation, message.shot_id, message.token)
    if ours is None:
        return Done(accepted=[])
    if services.checker is None and services.feed.is_watched(ours.job_id):
        services.feed.publish(
            PreviewShown(ours.account_id, ours.job_id, ours.index, message.progress, message.data_url)
        )
    return Done(accepted=[message.shot_id])
