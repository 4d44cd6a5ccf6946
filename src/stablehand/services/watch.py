"""watch: somebody looks at a job, so its previews flow."""

from stablehand.domain.accounts import Account
from stablehand.services import Services


def watch(services: Services, account: Account, job_id: str) -> None:
    """Counted: call ``unwatch`` once for each. Raises NotFound for other people's jobs."""
    services.store.job_state(job_id, account.id)
    services.feed.watch(job_id)


def unwatch(services: Services, job_id: str) -> None:
    """Take one ``watch`` back."""
    services.feed.unwatch(job_id)
