"""What device time costs, and what accounts are charged for it."""

from decimal import Decimal
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from stablehand.domain.prices import Prices
from stablehand.settings.section import Section
from stablehand.settings.values import PoolName

Price = Annotated[Decimal, Field(ge=0, le=1_000_000, decimal_places=6)]
Factor = Annotated[Decimal, Field(ge=0, le=1000, decimal_places=6)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]


class CostsSettings(Section):
    currency: Currency | None = Field(
        None,
        description="Currency of all prices, by ISO 4217: `MAD`, `EUR`, `USD` … Must be named where there are any.",
    )
    device_hour: Price | None = Field(
        None, description="What an hour of a device costs you. Default: device time is counted, money is not."
    )
    pools: dict[PoolName, Price] = Field({}, description="Pool of agents -> what an hour of a device costs there.")
    tier_factors: dict[str, Factor] = Field(
        {}, description="Tier -> how many times what device time costs its pictures are charged. Default: 1, at cost."
    )

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.currency is None and (self.device_hour is not None or self.pools):
            raise ValueError("there are prices but no costs.currency; name it, such as MAD or EUR")
        return self

    @property
    def in_force(self) -> Prices:
        """The prices that these settings mean."""
        return Prices(
            currency=(self.currency or "") if self.device_hour is not None or self.pools else "",
            device_hour=self.device_hour,
            pools=dict(self.pools),
            tier_factors=dict(self.tier_factors),
        )
