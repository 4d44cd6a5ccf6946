"""Reading jobs."""

from stablehand.domain.accounts import Account
from stablehand.domain.jobs import Job
from stablehand.domain.pages import LIMIT_DEFAULT, Page
from stablehand.services import Services


def get_job(services: Services, account: Account, job_id: str) -> Job:
    """Raises NotFound."""
    raise NotImplementedError


def wait_for_job(services: Services, account: Account, job_id: str, wait_seconds: float) -> Job:
    """The job once it is terminal, or as it stands after ``wait_seconds``. Raises NotFound."""
    raise NotImplementedError


def list_jobs(
    services: Services,
    account: Account,
    *,
    limit: int = LIMIT_DEFAULT,
    cursor: str | None = None,
    state: str | None = None,
) -> Page[Job]:
    """Newest first. ``state``: a state, "active" or "finished". Raises InvalidFields."""
    raise NotImplementedError
