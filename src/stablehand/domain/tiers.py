"""Tiers: classes of service. Constants until accounts can be given limits of their own."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Tier:
    name: str
    rank: int  #: lower is served first
    weight: float  #: share of device time against other accounts
    deadline_seconds: float  #: within which a picture should have begun


PREMIUM = Tier("premium", rank=0, weight=4.0, deadline_seconds=15.0)
NORMAL = Tier("normal", rank=1, weight=1.0, deadline_seconds=1800.0)

#: best first
TIERS: tuple[Tier, ...] = (PREMIUM, NORMAL)
TIER_BY_NAME: dict[str, Tier] = {tier.name: tier for tier in TIERS}
