"""announce: after a commit, tell browsers and sleepers what has changed."""

from stablehand.domain.events import ImageAdded, JobChanged, ShotChanged
from stablehand.domain.jobs import Job, State
from stablehand.services import Services
from stablehand.services.told import told
from stablehand.store.changes import Changes

#: the doorbell topic of the courier
OUTBOX = "outbox"


def work_topic(pool: str) -> str:
    """The doorbell topic of agents that wait for work in a pool."""
    return f"work:{pool}"


def job_topic(job_id: str) -> str:
    """The doorbell topic of one job."""
    return f"job:{job_id}"


def announce(services: Services, changes: Changes) -> dict[str, Job]:
    """Publish ``changes``; call it once their transaction has committed. Returns the changed jobs as told."""
    for pool in changes.requeued:  # before all else: somebody is paid to wait for it
        services.doorbell.ring(work_topic(pool))
    feed = services.feed
    feed.forget_progress(shot.id for _, _, shot in changes.shots if shot.state is not State.RUNNING)
    for account_id, job_id, shot in changes.shots:
        feed.publish(ShotChanged(account_id, job_id, shot))
    for image in changes.images:
        feed.publish(ImageAdded(image.account_id, image))
    jobs = {}
    for job_id, account_id in changes.jobs.items():
        jobs[job_id] = told(services, job_id)
        feed.publish(JobChanged(account_id, jobs[job_id]))
        services.doorbell.ring(job_topic(job_id))
    if changes.jobs:
        services.doorbell.ring(OUTBOX)
    return jobs
