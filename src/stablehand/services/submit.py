"""submit: take an order for a job."""

from stablehand.domain.accounts import Account
from stablehand.domain.jobs import Job
from stablehand.domain.orders import JobOrder
from stablehand.services import Services


def submit(services: Services, account: Account, order: JobOrder, *, idempotency_key: str | None = None) -> Job:
    """Store the job, its shots and an outbox entry in one transaction; it is accepted once this returns.

    Raises:
        InvalidFields: every wrong field at once; nothing is stored.
        NoPool, QueueFull, IdempotencyConflict.
    """
    raise NotImplementedError
