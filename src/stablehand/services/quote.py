"""quote: what an order would cost and how long it would wait. Nothing is stored and no clock moves."""

from dataclasses import replace

from stablehand.domain.accounts import Account
from stablehand.domain.errors import NoPool
from stablehand.domain.orders import JobOrder
from stablehand.domain.pools import Pool
from stablehand.domain.quotes import Limit, Quote, Record, records
from stablehand.domain.recipes import Recipe
from stablehand.services import Services
from stablehand.services.prepare import pool_for, prepare
from stablehand.services.told import place_with_space

#: Jobs that a record of quotes looks back on, and the most that may be asked for.
JOBS, JOBS_MOST = 500, 5000


def quote(services: Services, account: Account, order: JobOrder) -> Quote:
    """An order that would be refused by a limit is answered with that limit.

    Raises:
        InvalidFields, PromptBlocked: as ``submit`` does.
    """
    recipe, tier = prepare(services, account, order, keeps_inputs=False)
    count = order.count or 1
    try:
        pool = pool_for(services, recipe)
    except NoPool as error:
        found = quote_recipe(services, account, recipe, count, tier=tier, pool=None)
        nowhere = Limit(name="pool", code=error.code, message=error.message, hint=error.hint)
        return replace(found, limits=(nowhere, *found.limits))
    return quote_recipe(services, account, recipe, count, tier=tier, pool=pool)


def quote_recipe(
    services: Services,
    account: Account,
    recipe: Recipe,
    count: int,
    *,
    tier: str,
    pool: Pool | None,
    with_limits: bool = True,
) -> Quote:
    """Of a checked order. ``with_limits``: say which limits it would hit."""
    found = services.store.quote(
        account.id,
        recipe,
        count=count,
        tier=tier,
        pool=None if pool is None else pool.name,
        progress=services.feed.progress_now(),
        with_limits=with_limits,
    )
    return found if found.place is None else replace(found, place=place_with_space(services, found.place))


def quote_records(services: Services, *, jobs: int = JOBS) -> list[Record]:
    """How good the quotes of the latest jobs were: of all together, then by checkpoint."""
    return records(services.store.outcomes(most=min(jobs, JOBS_MOST)))
