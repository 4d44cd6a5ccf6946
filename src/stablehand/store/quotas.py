"""Quotas: what an account has used of its limits, and whether an order fits into what is left.

Asked under the lock of the account's row, so that two orders at once cannot pass a limit together. What waits and what
was delivered is read by one statement: a picture that is delivered meanwhile is seen as one of both, never as neither.
"""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any

from sqlalchemy import ColumnElement, exists, func, or_, select, true

from stablehand.domain.accounts import Account
from stablehand.domain.audit import Deed
from stablehand.domain.errors import NotAllowed, NotFound, OverLimit, QueueFull, QuotaSpent
from stablehand.domain.pace import cost_of
from stablehand.domain.quotas import DAY, Hit, Quotas, Usage, recipe_breaches
from stablehand.domain.recipes import Recipe
from stablehand.domain.tiers import Tier
from stablehand.store.audit import note
from stablehand.store.lanes import fleet_of
from stablehand.store.ledger_rows import ChargeRow
from stablehand.store.measures import reckoned_seconds
from stablehand.store.models import IS_QUEUED, IS_RUNNING, AccountRow, CheckpointRow, ShotRow
from stablehand.store.rows import account_from
from stablehand.store.transactions import ONLY_ROW, Transaction, Transactions, repeatable

#: seconds after which an order that did not fit into the queue may be tried again
RETRY_AFTER_LEAST, RETRY_AFTER_MOST = 5, 3600

#: how long claims believe that no account has quotas of its own before they look again
OWN_KNOWN_SECONDS = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """What an account may have, and what it has."""

    tier: Tier  #: its best one
    quotas: Quotas
    own: frozenset[str]  #: names of the limits that are its own, not its tier's
    usage: tuple[Usage, ...]  #: of what is counted


@dataclass(frozen=True, slots=True)
class _Used:
    queued: int
    running: int
    waiting_seconds: float  #: reckoned device time of all that is queued or running
    pictures: int  #: delivered within the last day
    seconds: float  #: device time of those


def tier_of(tx: Transaction, account: AccountRow) -> Tier:
    """The best tier that an account may use, which is the one that its quotas come from."""
    return tx.tiers.get(account.tier)


def quotas_of(tx: Transaction, account: AccountRow) -> Quotas:
    return tier_of(tx, account).quotas.with_own(account.quotas or {})


def admit(tx: Transaction, account: AccountRow, recipe: Recipe, count: int, pool: str) -> None:
    """See that an order stays within what its account may have; the account's row must be locked.

    Raises:
        OverLimit, NotAllowed: it never will. QueueFull, QuotaSpent: it does not now.
    """
    quotas = quotas_of(tx, account)
    if breaches := recipe_breaches(quotas, recipe, count):
        found = {field: breach.words for breach in breaches for field in breach.fields}
        raise (NotAllowed if any(breach.forbids for breach in breaches) else OverLimit)(found)
    for refusal in refusals(tx, account, quotas, recipe, count, pool):
        raise refusal


def refusals(  # noqa: PLR0917  one order
    tx: Transaction, account: AccountRow, quotas: Quotas, recipe: Recipe, count: int, pool: str
) -> Iterator[QueueFull | QuotaSpent]:
    """Why an order does not fit now into what is left, a word for each limit that it would pass."""
    by_the_day = quotas.pictures_a_day is not None or quotas.device_seconds_a_day is not None
    if quotas.queued is None and not by_the_day:
        return
    used = _used(tx, account.id, with_the_day=by_the_day)
    if quotas.queued is not None and used.queued + count > quotas.queued:
        yield _queue_full(tx, recipe, pool, used.queued, count, quotas.queued)
    if quotas.pictures_a_day is not None:
        hit = Hit(
            limit="pictures_a_day",
            most=quotas.pictures_a_day,
            used=used.queued + used.running + used.pictures,
            asked=count,
            frees_at=None,
        )
        if hit.over > 0:
            yield _spent(tx, account.id, hit, given_back=used.pictures)
    if quotas.device_seconds_a_day is not None:
        hit = Hit(
            limit="device_seconds_a_day",
            most=quotas.device_seconds_a_day,
            used=used.waiting_seconds + used.seconds,
            asked=count * seconds_each(tx, recipe),
            frees_at=None,
        )
        if hit.over > 0:
            yield _spent(tx, account.id, hit, given_back=used.seconds)


class Caps:
    """How many more shots of each account agents may be given: of those that its tier or its own quotas hold back.

    Read under a lock of its own: two claims side by side could pass a limit together.
    """

    def __init__(self, tx: Transaction) -> None:
        tx.alone("shots of one account")
        self._tx = tx
        self._running = Counter(dict(tx.core.execute(_RUNNING_OF_ACCOUNTS).tuples().all()))
        self._most: dict[str, int | None] = {}

    def left(self, chosen: Iterable[str], among: Iterable[str] = ()) -> dict[str, int]:
        """account id -> how many more, of those that hold some and of ``among``; one without a limit is not named.

        ``chosen``: accounts of the shots that this claim has given already, once for each.
        """
        taken = self._running + Counter(chosen)
        asked = {*taken, *among}
        if unknown := asked - self._most.keys():
            rows = self._tx.session.scalars(select(AccountRow).where(AccountRow.id.in_(unknown)))
            self._most |= dict.fromkeys(unknown) | {row.id: quotas_of(self._tx, row).running for row in rows}
        return {name: max(0, most - taken[name]) for name in asked if (most := self._most[name]) is not None}


_RUNNING_OF_ACCOUNTS = select(ShotRow.account_id, func.count()).where(IS_RUNNING).group_by(ShotRow.account_id)


class QuotaBook(Transactions):
    #: when it was looked whether any account has quotas of its own, in monotonic seconds, and what came of it
    _own_looked: tuple[float, bool] = (float("-inf"), False)

    def caps(self, tx: Transaction) -> Caps | None:
        """None while nobody's running shots are limited, as far as was known moments ago."""
        if all(tier.quotas.running is None for tier in tx.tiers):
            looked_at, found = self._own_looked
            if time.monotonic() - looked_at > OWN_KNOWN_SECONDS:
                found = bool(tx.session.scalar(select(exists().where(AccountRow.quotas.is_not(None)))))
                self._own_looked = (time.monotonic(), found)
            if not found:
                return None
        return Caps(tx)

    def allowance(self, account_id: str) -> Allowance:
        """Raises NotFound."""
        with self.reading() as tx:
            account = _account(tx, account_id)
            quotas, used = quotas_of(tx, account), _used(tx, account_id, with_the_day=True)
            oldest = tx.session.scalar(select(func.min(ChargeRow.created_at)).where(*_within_the_day(tx, account_id)))
            frees_at = None if oldest is None else oldest + DAY
            return Allowance(
                tier=tier_of(tx, account),
                quotas=quotas,
                own=frozenset(account.quotas or {}),
                usage=(
                    Usage(limit="queued", most=quotas.queued, used=used.queued, frees_at=None),
                    Usage(limit="running", most=quotas.running, used=used.running, frees_at=None),
                    Usage(
                        limit="pictures_a_day",
                        most=quotas.pictures_a_day,
                        used=used.queued + used.running + used.pictures,
                        frees_at=frees_at,
                    ),
                    Usage(
                        limit="device_seconds_a_day",
                        most=quotas.device_seconds_a_day,
                        used=used.waiting_seconds + used.seconds,
                        frees_at=frees_at,
                    ),
                ),
            )

    def account_named(self, name: str) -> Account:
        """An account by its name or id. Raises NotFound."""
        with self.reading() as tx:
            row = tx.session.scalar(
                select(AccountRow).where(
                    or_(AccountRow.name == name, AccountRow.id == name), AccountRow.deleted_at.is_(None)
                )
            )
            if row is None:
                raise NotFound("There is no such account.", hint="Its name is shown with the account itself.")
            return account_from(row, tx.tiers)

    def quotas(self, account_id: str) -> Quotas:
        """Raises NotFound."""
        with self.reading() as tx:
            return quotas_of(tx, _account(tx, account_id))

    @repeatable
    def change_quotas(self, account_id: str, own: Mapping[str, Any], *, forget: bool, deed: Deed) -> None:
        """Give an account quotas of its own, as domain.quotas.read_own returns them. Raises NotFound.

        ``forget``: those that it has had; else they stay beside these.
        """
        with self.writing() as tx:
            account = _account(tx, account_id, lock=True)
            self._own_looked = (float("-inf"), False)
            account.quotas = {**({} if forget else account.quotas or {}), **own} or None
            note(tx, deed)


def _account(tx: Transaction, account_id: str, *, lock: bool = False) -> AccountRow:
    account = tx.session.get(AccountRow, account_id, with_for_update=ONLY_ROW if lock else None)
    if account is None or account.deleted_at is not None:
        raise NotFound("There is no such account.", hint="It may have been deleted.")
    return account


def _used(tx: Transaction, account_id: str, *, with_the_day: bool) -> _Used:
    queued = select(func.count(), func.coalesce(func.sum(ShotRow.estimate_seconds), 0.0)).where(
        IS_QUEUED, ShotRow.account_id == account_id
    )
    if not with_the_day:
        count, seconds = tx.session.execute(queued).one()
        return _Used(count, 0, seconds, 0, 0.0)
    running = select(func.count(), func.coalesce(func.sum(ShotRow.estimate_seconds), 0.0)).where(
        IS_RUNNING, ShotRow.account_id == account_id
    )
    charged = select(func.count(), func.coalesce(func.sum(ChargeRow.device_seconds), 0.0)).where(
        *_within_the_day(tx, account_id)
    )
    parts = [part.subquery(f"part_{place}") for place, part in enumerate((queued, running, charged))]
    waiting, drawn, delivered = parts
    row = tx.session.execute(
        select(*(column for part in parts for column in part.c)).select_from(
            waiting.join(drawn, true()).join(delivered, true())
        )
    ).one()
    return _Used(row[0], row[2], row[1] + row[3], row[4], row[5])


def _within_the_day(tx: Transaction, account_id: str) -> tuple[ColumnElement[bool], ...]:
    return ChargeRow.account_id == account_id, ChargeRow.created_at > tx.now - DAY


def seconds_each(tx: Transaction, recipe: Recipe) -> float:
    """What a picture of this recipe is reckoned at until it is drawn, in device-seconds."""
    checkpoint = tx.session.get_one(CheckpointRow, recipe.checkpoint_id)
    return reckoned_seconds(tx, checkpoint.family, cost_of(recipe))


def _queue_full(  # noqa: PLR0917  one call
    tx: Transaction, recipe: Recipe, pool: str, queued: int, count: int, most: int
) -> QueueFull:
    over = queued + count - most
    wait_seconds = over * seconds_each(tx, recipe) / max(1, fleet_of(tx, pool).ready)
    fits = count <= most
    return QueueFull(
        f"You have {queued} queued pictures of at most {most}; with these {count} it would be {over} too many.",
        hint="Wait until some are done, cancel some, or order fewer." if fits else "Order fewer at once.",
        retry_after_seconds=round(min(RETRY_AFTER_MOST, max(RETRY_AFTER_LEAST, wait_seconds))) if fits else None,
        hit=Hit(limit="queued", most=most, used=queued, asked=count, frees_at=None),
    )


def _spent(tx: Transaction, account_id: str, hit: Hit, *, given_back: float) -> QuotaSpent:
    """``given_back``: the part of what is used that was delivered, which time alone frees."""
    frees_at: datetime | None = None
    if hit.asked <= hit.most:
        # What is still to be drawn counts for a day from then on.
        frees_at = tx.now + DAY if hit.over > given_back else _freed(tx, account_id, hit)
    unit = "pictures" if hit.limit == "pictures_a_day" else "seconds of device time"
    wait = None if frees_at is None else max(1, ceil((frees_at - tx.now).total_seconds()))
    return QuotaSpent(
        f"You may have {hit.most:g} {unit} within 24 hours. {hit.used:.4g} are used or waiting; with these "
        f"{hit.asked:.4g} it would be {hit.over:.4g} too many.",
        hint="Order fewer at once."
        if frees_at is None
        else f"Order fewer, cancel what waits, or try again from {frees_at:%Y-%m-%d %H:%M} UTC on.",
        retry_after_seconds=wait,
        hit=Hit(limit=hit.limit, most=hit.most, used=hit.used, asked=hit.asked, frees_at=frees_at),
    )


def _freed(tx: Transaction, account_id: str, hit: Hit) -> datetime:
    """When so much of the day's charges is older than a day that the order fits."""
    each = ChargeRow.device_seconds if hit.limit == "device_seconds_a_day" else 1
    sums = (
        select(
            ChargeRow.created_at, func.sum(each).over(order_by=(ChargeRow.created_at, ChargeRow.number)).label("freed")
        )
        .where(*_within_the_day(tx, account_id))
        .subquery()
    )
    # Within rounding: a sum of seconds may stop short of what all of them are together.
    moment = tx.session.scalar(select(func.min(sums.c.created_at)).where(sums.c.freed >= hit.over - 1e-6))
    return (moment or tx.now) + DAY
