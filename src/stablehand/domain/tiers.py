"""Tiers: classes of service. Two are shipped; an operator may change them and add others."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from stablehand.domain.quotas import Quotas


@dataclass(frozen=True, slots=True, kw_only=True)
class Tier:
    name: str
    rank: int  #: lower is served first
    weight: float  #: share of device time against other accounts
    deadline_seconds: float  #: within which a picture should have begun
    retention_days: float | None = None  #: its pictures go to the trash after so long; None: never
    quotas: Quotas = field(default_factory=Quotas)  #: of accounts whose best tier it is


@dataclass(frozen=True)
class Tiers:
    """All tiers in force, best first. Compared by identity in caches: they are replaced whole, never changed."""

    all: tuple[Tier, ...]

    def __post_init__(self) -> None:
        """Raises ValueError unless ranks and names differ and rise, and weights and deadlines are more than 0."""
        if not self.all:
            raise ValueError("there must be a tier")
        for name, values in (("name", [tier.name for tier in self.all]), ("rank", list(self.ranks))):
            if len(set(values)) < len(values):
                raise ValueError(f"two tiers have the same {name}: {values}")
        if list(self.ranks) != sorted(self.ranks):
            raise ValueError("tiers must stand in the order of their ranks")
        if any(tier.weight <= 0 or tier.deadline_seconds <= 0 for tier in self.all):
            raise ValueError("weights and deadlines must be more than 0")

    def __iter__(self) -> Iterator[Tier]:
        return iter(self.all)

    def __len__(self) -> int:
        return len(self.all)

    @property
    def best(self) -> Tier:
        """The one that is served at once: agents keep seats free for it, and loads are weighed against its deadline."""
        return self.all[0]

    @property
    def plain(self) -> Tier:
        """The one of accounts that were given none."""
        return self.all[-1]

    @cached_property
    def ranks(self) -> tuple[int, ...]:
        return tuple(tier.rank for tier in self.all)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(tier.name for tier in self.all)

    def get(self, name: str) -> Tier:
        """The tier of this name; the plain one for a name that is no longer in force."""
        return next((tier for tier in self.all if tier.name == name), self.plain)

    def below(self, name: str) -> tuple[str, ...]:
        """Names of the tiers that an account may use whose best tier this is, best first."""
        best = self.get(name).rank
        return tuple(tier.name for tier in self.all if tier.rank >= best)

    def changed(self, name: str, **values: Any) -> "Tiers":
        """The same tiers but for these values of one of them."""
        tiers = [replace(tier, **values) if tier.name == name else tier for tier in self.all]
        return Tiers(tuple(sorted(tiers, key=lambda tier: tier.rank)))

    def with_quotas(self, **values: Any) -> "Tiers":
        """The same tiers but for these quotas of all of them."""
        return Tiers(tuple(replace(tier, quotas=replace(tier.quotas, **values)) for tier in self.all))


PREMIUM = Tier(name="premium", rank=0, weight=4.0, deadline_seconds=15.0)
NORMAL = Tier(name="normal", rank=1, weight=1.0, deadline_seconds=1800.0)

#: in force where nobody has set others
SHIPPED = Tiers((PREMIUM, NORMAL))
