"""submit: take an order for a job."""

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from stablehand.domain.accounts import Account
from stablehand.domain.addons import find_addon
from stablehand.domain.checkpoints import Checkpoint, find
from stablehand.domain.errors import InvalidFields, NoPool, QuotaSpent
from stablehand.domain.jobs import Job
from stablehand.domain.notify import Notify
from stablehand.domain.orders import (
    Given,
    JobOrder,
    make_recipe,
    problems,
    size_problems,
)
from stablehand.domain.pools import route
from stablehand.domain.quotas import Hit
from stablehand.domain.recipes import Addon, Recipe
from stablehand.services import Services
from stablehand.services.addons import choose_addons, list_addons
from stablehand.services.announce import OUTBOX, announce
from stablehand.services.catalogue import allowed_checkpoints, default_checkpoint, list_checkpoints
from stablehand.services.idempotency import check_key
from stablehand.services.identity import new_id
from stablehand.services.inputs import as_input, find_given
from stablehand.services.mail_choices import mail_problem
from stablehand.services.safety import check_prompts, check_recipe
from stablehand.services.told import told
from stablehand.services.upscalers import choose_upscaler
from stablehand.services.webhooks import webhook_url_problem
from stablehand.store.changes import Changes
from stablehand.store.jobs import NewJob, Remembered

#: Random seeds fit 32 bits, because other programs that read them take no more.
RANDOM_SEEDS = 2**32


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
    check_prompts(services, prompt=order.prompt, hr_prompt=order.hr_prompt)
    found: dict[str, str] = {}
    choice = _choose(services, account, order, found)
    tier = _choose_tier(account, order, found)
    if found or choice.checkpoint is None:
        raise InvalidFields(found)
    recipe = make_recipe(
        order,
        choice.checkpoint,
        random_seed=secrets.randbelow(RANDOM_SEEDS),
        refiner=choice.refiner,
        network=choice.network,
        **{
            "source" if field == "input" else field: as_input(services, account, given)
            for field, given in choice.given.items()
        },
    )
    recipe = replace(recipe, addons=tuple(addon for addon in (choice.vae, choice.network) if addon is not None))
    if recipe.kind != "upscale":
        recipe = replace(recipe, addons=choose_addons(services, recipe, choice.checkpoint))
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


def check(services: Services, account: Account, order: JobOrder) -> dict[str, str]:
    """field -> what it must be, of everything for which ``submit`` would refuse the order. Stores nothing."""
    found: dict[str, str] = {}
    _choose(services, account, order, found)
    _choose_tier(account, order, found)
    return found


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
    pool = route(services.pools, recipe.checkpoint)
    if pool is None:
        raise NoPool(
            f"No pool of agents runs the checkpoint {recipe.checkpoint}.",
            hint="Choose another checkpoint, or add a pool that names this one.",
        )
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
    )
    try:
        job_id, is_new = services.store.submit(new, remembered=remembered)
    except QuotaSpent as spent:
        _tell_of_limit(services, account, spent.hit)
        raise
    if is_new:
        announce(services, Changes(jobs={job_id: account.id}, requeued={pool.name}))
    else:
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


@dataclass(frozen=True, slots=True)
class _Choice:
    """What the names in an order mean."""

    checkpoint: Checkpoint | None
    refiner: Checkpoint | None
    vae: Addon | None
    network: Addon | None  #: that enlarges
    given: Mapping[str, Given]  #: by field


def _choose(services: Services, account: Account, order: JobOrder, found: dict[str, str]) -> _Choice:
    """Find what an order names; adds to ``found`` what is wrong with it, is not there, or does not fit."""
    checkpoint = _choose_checkpoint(services, account, order, found)
    found |= problems(order, checkpoint)
    _check_notify(services, account, order, found)
    given = find_given(services, account, order, found)
    if checkpoint is not None and not found:
        found |= size_problems(order, checkpoint.native_size, given.get("input"))
    return _Choice(
        checkpoint,
        _choose_refiner(services, order, found),
        _choose_vae(services, order, found),
        choose_upscaler(services, order, found),
        given,
    )


def _check_notify(services: Services, account: Account, order: JobOrder, found: dict[str, str]) -> None:
    """An address that can never be told anything is refused while somebody is there to read it."""
    if problem := mail_problem(services, account, order.notify):
        found["notify.email"] = problem
    if order.notify is None or order.notify.webhook_url is None:
        return
    if problem := webhook_url_problem(services, order.notify.webhook_url):
        found["notify.webhook_url"] = problem


def _choose_refiner(services: Services, order: JobOrder, found: dict[str, str]) -> Checkpoint | None:
    if order.refiner_checkpoint is None or "refiner_checkpoint" in found:
        return None
    known = list_checkpoints(services)
    refiner = find(known, order.refiner_checkpoint)
    if refiner is None:
        found["refiner_checkpoint"] = "one of: " + ", ".join(entry.name for entry in known[:20])
    return refiner


def _choose_vae(services: Services, order: JobOrder, found: dict[str, str]) -> Addon | None:
    if order.vae is None or "vae" in found:
        return None
    known = list_addons(services, "vae")
    vae = find_addon(known, "vae", order.vae)
    if vae is None:
        names = ", ".join(entry.name for entry in known[:20])
        found["vae"] = f"one of: {names}" if names else "there is none yet: put one into models/vae"
    return None if vae is None else vae.as_part()


def _choose_checkpoint(
    services: Services, account: Account, order: JobOrder, found: dict[str, str]
) -> Checkpoint | None:
    if order.checkpoint is None:
        checkpoint = default_checkpoint(services, account)
        if checkpoint is None:
            found["checkpoint"] = (
                "there is none that your account may use: ask whoever runs the service"
                if list_checkpoints(services)
                else "there is none yet: put a checkpoint into the folder models/checkpoints"
            )
        return checkpoint
    # One that the account may not use is refused as such, with the limit that says so.
    checkpoint = find(list_checkpoints(services), order.checkpoint)
    if checkpoint is None:
        names = ", ".join(entry.name for entry in allowed_checkpoints(services, account)[:20])
        found["checkpoint"] = f"one of: {names}" if names else "there is none yet: put one into models/checkpoints"
    return checkpoint


def _choose_tier(account: Account, order: JobOrder, found: dict[str, str]) -> str:
    if order.tier is None:
        return account.tiers[0]
    if order.tier not in account.tiers:
        found["tier"] = "one of: " + ", ".join(account.tiers)
    return order.tier
