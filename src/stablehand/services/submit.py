"""submit: take an order for a job."""

from collections.abc import Callable, Sequence

from stablehand.domain.accounts import Account
from stablehand.domain.errors import QuotaSpent
from stablehand.domain.jobs import Job
from stablehand.domain.notify import Notify
from stablehand.domain.orders import JobOrder
from stablehand.domain.quotas import Hit
from stablehand.domain.quotes import Kept
from stablehand.domain.recipes import Recipe
from stablehand.services import Services
from stablehand.services.announce import OUTBOX, announce
from stablehand.services.idempotency import check_key
from stablehand.services.identity import new_id
from stablehand.services.prepare import pool_for, prepare
from stablehand.services.quote import quote_recipe
from stablehand.services.safety import check_recipe
from stablehand.services.told import told
from stablehand.store.changes import Changes
from stablehand.store.jobs import NewJob, Remembered


def nothing() -> None:
    """For whoever need not hear of it."""


def submit(
    services: Services,
    account: Account,
    order: JobOrder,
    *,
    idempotency_key: str | None = None,
    on_replay: Callable[[], None] = nothing,
) -> Job:
    """Store the job, its shots and an outbox entry in one transaction; it is accepted once this returns.

    ``on_replay``: called when the same order came with this key before, and its job is returned.

    Raises:
        InvalidFields: every wrong field at once; nothing is stored. PromptBlocked.
        OverLimit, NotAllowed: more than the account may ever order. QueueFull, QuotaSpent: more than it may now.
        NoPool, IdempotencyConflict.
    """
    remembered = None
    if idempotency_key is not None:
        remembered = remember(services, idempotency_key, order.fingerprint)
        known = services.store.remembered_job(account.id, remembered)
        if known is not None:
            on_replay()
            return told(services, known)
    recipe, tier = prepare(services, account, order, keeps_inputs=True)
    seeds = [recipe.for_shot(index).counting_seed for index in range(order.count or 1)]
    return enqueue(
        services,
        account,
        recipe,
        seeds,
        tier=tier,
        remembered=remembered,
        notify=order.notify,
        on_replay=on_replay,
    )


def enqueue(
    services: Services,
    account: Account,
    recipe: Recipe,
    seeds: Sequence[int],
    *,
    tier: str,
    retry_of: str | None = None,
    remembered: Remembered | None = None,
    letters: Sequence[str] | None = None,
    notify: Notify | None = None,
    on_replay: Callable[[], None] = nothing,
) -> Job:
    """Put a checked job into the queue. ``letters``: ids of the dead letters that it answers.

    Raises as ``submit`` does, of InvalidFields but PromptBlocked; Conflict when such a letter is gone.
    """
    check_recipe(services, recipe)  # what was ordered before the list grew is not ordered again
    pool = pool_for(services, recipe)
    services.store.use_inputs(account.id, recipe.input_ids)
    new = NewJob(
        id=new_id(),
        account_id=account.id,
        tier=tier,
        pool=pool.name,
        recipe=recipe,
        seeds=seeds,
        retry_of=retry_of,
        letters=letters,
        notify=notify,
        quote=Kept.of(quote_recipe(services, account, recipe, len(seeds), tier=tier, pool=pool, with_limits=False)),
    )
    try:
        job_id, is_new = services.store.submit(new, remembered=remembered)
    except QuotaSpent as spent:
        _tell_of_limit(services, account, spent.hit)
        raise
    if is_new:
        return announce(services, Changes(jobs={job_id: account.id}, requeued={pool.name}))[job_id]
    on_replay()
    return told(services, job_id)


def _tell_of_limit(services: Services, account: Account, hit: Hit) -> None:
    """Have the account told, once a day, that it has used up a limit: not of an order too large for any day."""
    if hit.frees_at is not None and services.store.tell_of_limit(account.id, hit.as_dict()):
        services.doorbell.ring(OUTBOX)


def remember(services: Services, key: str, fingerprint: str) -> Remembered:
    """Raises InvalidFields: it is no key."""
    check_key(key)
    return Remembered(key=key, fingerprint=fingerprint, hours=services.limits.idempotency_hours)
