"""told: a job as its owner is told of it: what the database knows, and what only this process does."""

from dataclasses import replace

from stablehand.domain.jobs import Job, QueuePlace, State
from stablehand.domain.waiting import STORAGE_FULL, HeldBy
from stablehand.services import Services
from stablehand.services.mail_choices import with_mail


def told(services: Services, job_id: str, *, account_id: str | None = None) -> Job:
    """``account_id``: whose it must be. Raises NotFound."""
    job = services.store.job(
        job_id,
        account_id=account_id,
        # Read off the board before the rows: a shot that runs in these may be delivered before they are put together.
        progress=services.feed.progress_now(),
    )
    return with_mail(services, [with_space(services, job)])[0]


def with_space(services: Services, job: Job) -> Job:
    """The job with what it waits for when the object store is full, and no promise when that will end."""
    if job.queue is None or not job.counts.get(State.QUEUED) or not services.space.is_full:
        return job
    return replace(job, queue=place_with_space(services, job.queue))


def place_with_space(services: Services, place: QueuePlace) -> QueuePlace:
    """The same of what has not begun: while the object store is full, that is what it waits for."""
    if not services.space.is_full:
        return place
    return QueuePlace(ahead=place.ahead, eta_seconds=None, reason=STORAGE_FULL, held_by=HeldBy.STORAGE)
