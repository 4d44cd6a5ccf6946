"""cancel: stop a job."""

from stablehand.domain.accounts import Account
from stablehand.domain.jobs import Job
from stablehand.services import Services
from stablehand.services.announce import announce
from stablehand.services.told import told


def cancel(services: Services, account: Account, job_id: str) -> Job:
    """Queued shots end at once, running ones at their next step; delivered pictures stay. Raises NotFound.

    A job that has ended already is left as it is.
    """
    announce(services, services.store.cancel(job_id, account.id))
    return told(services, job_id, account_id=account.id)
