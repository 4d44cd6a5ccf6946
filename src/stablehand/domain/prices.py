"""Prices: what device time costs the operator, and what accounts are charged for it.

Money is counted in whole millionths of its currency, so that sums are exact. An amount is fixed when it is written
down; prices that change later change nothing that stands in the ledger.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import ROUND_HALF_EVEN, Decimal

#: millionths that make one unit of a currency
MICROS = 1_000_000
SECONDS_AN_HOUR = 3600


@dataclass(frozen=True, slots=True)
class Money:
    micros: int  #: millionths of the currency's unit
    currency: str  #: ISO 4217

    @property
    def amount(self) -> Decimal:
        return amount_of(self.micros)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """What an hour of a device costs, by pool, and how many times that each tier is charged."""

    currency: str = ""  #: ISO 4217; "": nothing has a price
    device_hour: Decimal | None = None  #: in pools that are not named below; None: no price there
    pools: Mapping[str, Decimal] = field(default_factory=dict)
    tier_factors: Mapping[str, Decimal] = field(default_factory=dict)  #: 1 for tiers that are not named

    @property
    def are_set(self) -> bool:
        return self.currency != ""

    def hour_in(self, pool: str) -> Decimal | None:
        """What an hour of a device of ``pool`` costs; None: it has no price."""
        return self.pools.get(pool, self.device_hour)

    def cost(self, device_seconds: float, *, pool: str) -> Money | None:
        """What the operator pays for device time; None where it has no price."""
        return self._money(device_seconds, pool, Decimal(1))

    def charge(self, device_seconds: float, *, pool: str, tier: str) -> Money | None:
        """What an account is charged for device time of a job of this tier; None where it has no price."""
        return self._money(device_seconds, pool, self.tier_factors.get(tier, Decimal(1)))

    def _money(self, device_seconds: float, pool: str, factor: Decimal) -> Money | None:
        hour = self.hour_in(pool)
        if hour is None:
            return None
        exact = Decimal(device_seconds) * hour * factor * MICROS / SECONDS_AN_HOUR
        return Money(int(exact.to_integral_value(ROUND_HALF_EVEN)), self.currency)


#: where nobody has set any
NO_PRICES = Prices()


def amount_of(micros: int) -> Decimal:
    """Millionths as units of the currency, exactly, with two decimal places at least: 5260000 -> 5.26."""
    amount = Decimal(micros) / MICROS
    return amount if amount != amount.quantize(Decimal("0.01")) else amount.quantize(Decimal("0.01"))
