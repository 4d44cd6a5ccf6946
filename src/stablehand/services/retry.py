"""retry: order the pictures again that a job has not brought."""

from collections.abc import Callable

from stablehand.domain.accounts import Account
from stablehand.domain.errors import Conflict
from stablehand.domain.jobs import Job
from stablehand.services import Services
from stablehand.services.catalogue import list_checkpoints
from stablehand.services.submit import enqueue, nothing, remember
from stablehand.services.told import told


def retry(
    services: Services,
    account: Account,
    job_id: str,
    *,
    idempotency_key: str | None = None,
    on_replay: Callable[[], None] = nothing,
) -> Job:
    """A new job from the failed and cancelled shots of a finished one, with the same seeds.

    ``idempotency_key``, ``on_replay``: as in ``submit``.

    Raises: NotFound, Conflict (still active, nothing is missing, or its checkpoint is gone), NoPool, QueueFull.
    """
    remembered = None
    if idempotency_key is not None:
        remembered = remember(services, idempotency_key, f"retry of {job_id}")
        known = services.store.remembered_job(account.id, remembered)
        if known is not None:
            on_replay()
            return told(services, known)
    job, seeds = services.store.unfinished(job_id, account.id)
    if job.recipe.checkpoint_id not in {checkpoint.id for checkpoint in list_checkpoints(services)}:
        raise Conflict(
            f"The checkpoint {job.recipe.checkpoint} is gone.", hint="Put its file back, or order with another one."
        )
    tier = job.tier if job.tier in account.tiers else account.tiers[0]
    recipe = job.recipe.with_seed(seeds[0])
    return enqueue(
        services,
        account,
        recipe,
        seeds,
        tier=tier,
        retry_of=job.id,
        notify=job.notify,
        remembered=remembered,
        on_replay=on_replay,
    )
