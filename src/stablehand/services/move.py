"""move: an account changes the order of its own jobs."""

from stablehand.domain.accounts import Account
from stablehand.domain.jobs import Job
from stablehand.services import Services
from stablehand.services.announce import announce
from stablehand.services.told import told


def move(services: Services, account: Account, job_id: str, *, before: str | None = None, front: bool = False) -> Job:
    """Put what waits of a job before another one of the same account, to the front, or else to the back.

    Raises: NotFound, Conflict (nothing of it waits, or the other stands in another line).
    """
    announce(services, services.store.move(job_id, account.id, before=before, front=front))
    return told(services, job_id, account_id=account.id)
