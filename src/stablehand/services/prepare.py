"""prepare: what an order would be drawn by, with everything that it names found and everything wrong with it told."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace

from stablehand.domain.accounts import Account
from stablehand.domain.addons import find_addon
from stablehand.domain.checkpoints import Checkpoint, find
from stablehand.domain.errors import InvalidFields, NoPool
from stablehand.domain.orders import Given, JobOrder, make_recipe, problems, size_problems
from stablehand.domain.pools import Pool, route
from stablehand.domain.recipes import Addon, Recipe
from stablehand.services import Services
from stablehand.services.addons import choose_addons, list_addons
from stablehand.services.catalogue import allowed_checkpoints, default_checkpoint, list_checkpoints
from stablehand.services.inputs import as_input, find_given
from stablehand.services.mail_choices import mail_problem
from stablehand.services.safety import check_prompts
from stablehand.services.upscalers import choose_upscaler
from stablehand.services.webhooks import webhook_url_problem

#: Random seeds fit 32 bits, because other programs that read them take no more.
RANDOM_SEEDS = 2**32


def prepare(services: Services, account: Account, order: JobOrder, *, keeps_inputs: bool) -> tuple[Recipe, str]:
    """The recipe of an order, and its tier.

    Args:
        keeps_inputs: images that it starts from are copied, so that they may be deleted before it is drawn; else
            nothing is stored.

    Raises:
        InvalidFields: every wrong field at once. PromptBlocked. As ``as_input``, when that is asked.
    """
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
            "source" if field == "input" else field: as_input(services, account, given) if keeps_inputs else given
            for field, given in choice.given.items()
        },
    )
    recipe = replace(recipe, addons=tuple(addon for addon in (choice.vae, choice.network) if addon is not None))
    if recipe.kind != "upscale":
        recipe = replace(recipe, addons=choose_addons(services, recipe, choice.checkpoint))
    return recipe, tier


def pool_for(services: Services, recipe: Recipe) -> Pool:
    """The pool that draws it. Raises NoPool."""
    pool = route(services.pools, recipe.checkpoint)
    if pool is None:
        raise NoPool(
            f"No pool of agents runs the checkpoint {recipe.checkpoint}.",
            hint="Choose another checkpoint, or add a pool that names this one.",
        )
    return pool


def check(services: Services, account: Account, order: JobOrder) -> dict[str, str]:
    """field -> what it must be, of everything for which ``submit`` would refuse the order. Stores nothing."""
    found: dict[str, str] = {}
    _choose(services, account, order, found)
    _choose_tier(account, order, found)
    return found


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
