"""cancel: stop a job."""

from stablehand.domain.accounts import Account
from stablehand.domain.jobs import Job
from stablehand.services import Services


def cancel(services: Services, account: Account, job_id: str) -> Job:
    """Queued shots end at once, running ones at their next step; delivered pictures stay. Raises NotFound."""
    raise NotImplementedError
