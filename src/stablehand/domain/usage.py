"""Usage: what stands in the ledger, summed up by day, account, checkpoint and so on."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from math import fsum
from typing import Literal

from stablehand.domain.prices import amount_of

#: what lines may be told apart by
Key = Literal["day", "account", "checkpoint", "pool", "tier", "reason", "currency"]
#: in the order in which they stand in a table
KEYS: tuple[Key, ...] = ("day", "account", "checkpoint", "pool", "tier", "reason", "currency")
#: of these for accounts that look at their own: the rest is the operator's affair
OWN_KEYS: tuple[Key, ...] = ("day", "checkpoint", "tier", "currency")

#: currency -> millionths of it. Prices may have been in another currency once; nothing is converted.
Amounts = Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSums:
    pictures: int = 0  #: delivered
    device_seconds: float = 0.0  #: of those
    charged: Amounts = field(default_factory=dict)  #: what accounts are charged for them
    cost: Amounts = field(default_factory=dict)  #: what their device time costs the operator
    wasted_leases: int = 0  #: lines of waste
    wasted_seconds: float = 0.0  #: device time of those
    wasted_cost: Amounts = field(default_factory=dict)

    def __add__(self, other: "UsageSums") -> "UsageSums":
        return total((self, other))


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageLine:
    """Sums of all lines of the ledger that are alike in the keys that were asked for; the other keys are None."""

    day: date | None = None  #: UTC
    account_id: str | None = None
    account: str | None = None  #: its name; None: it was deleted since
    checkpoint_id: str | None = None
    checkpoint: str | None = None  #: its name; None: nobody knows it any more
    pool: str | None = None
    tier: str | None = None  #: of the orders
    reason: str | None = None  #: domain.waste.Reason; "": charges
    currency: str | None = None  #: "": without a price
    sums: UsageSums


def total(all_sums: Iterable[UsageSums]) -> UsageSums:
    """Everything together; seconds are added so that their order does not matter."""
    several = tuple(all_sums)
    return UsageSums(
        pictures=sum(sums.pictures for sums in several),
        device_seconds=fsum(sums.device_seconds for sums in several),
        charged=_added(sums.charged for sums in several),
        cost=_added(sums.cost for sums in several),
        wasted_leases=sum(sums.wasted_leases for sums in several),
        wasted_seconds=fsum(sums.wasted_seconds for sums in several),
        wasted_cost=_added(sums.wasted_cost for sums in several),
    )


def _added(several: Iterable[Amounts]) -> Amounts:
    added: dict[str, int] = {}
    for amounts in several:
        for currency, micros in amounts.items():
            added[currency] = added.get(currency, 0) + micros
    return added


def in_units(amounts: Amounts) -> dict[str, Decimal]:
    """currency -> amount, by the names of the currencies."""
    return {currency: amount_of(micros) for currency, micros in sorted(amounts.items())}
