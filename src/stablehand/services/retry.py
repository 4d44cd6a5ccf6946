"""retry: order the pictures again that a job has not brought."""

from stablehand.domain.accounts import Account
from stablehand.domain.jobs import Job
from stablehand.services import Services


def retry(services: Services, account: Account, job_id: str) -> Job:
    """A new job from the failed and cancelled shots of a finished one, with the same seeds.

    Raises: NotFound, Conflict (still active, or nothing is missing), NoPool, QueueFull.
    """
    raise NotImplementedError
