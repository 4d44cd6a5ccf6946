"""The section ``tiers``: the two shipped tiers, and those that an operator adds under names of their own."""

import re
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, model_validator
from pydantic_settings import NoDecode

from stablehand.domain.quotas import Quotas
from stablehand.domain.tiers import NORMAL, PREMIUM, Tier, Tiers
from stablehand.settings.section import Section


def _as_list(value: Any) -> Any:
    return [part.strip() for part in value.split(",") if part.strip()] if isinstance(value, str) else value


Patterns = Annotated[list[str] | None, NoDecode, BeforeValidator(_as_list)]
Kinds = Annotated[list[Literal["text", "image", "inpaint", "upscale"]] | None, NoDecode, BeforeValidator(_as_list)]

Rank = Annotated[int, Field(ge=0, le=1000, description="Place among the tiers; the lowest is served at once.")]
Weight = Annotated[float, Field(gt=0, le=1000, description="Share of device time against accounts of other tiers.")]
Deadline = Annotated[float, Field(gt=0, le=604_800, description="Seconds within which a picture should have begun.")]

_NAME = re.compile(r"[a-z][a-z0-9_-]{0,31}")


class TierSettings(Section):
    rank: Rank
    weight: Weight
    deadline_seconds: Deadline
    queued: int | None = Field(
        None, ge=0, description="Queued pictures that an account may have. Default: `queue.max_size`."
    )
    running: int | None = Field(
        None, ge=1, description="Pictures of one account that agents may have at once. Default: any number."
    )
    pictures_a_day: int | None = Field(
        None, ge=0, description="Pictures that an account may order within 24 hours. Default: any number."
    )
    device_seconds_a_day: float | None = Field(
        None, ge=0, description="Device time that an account may use within 24 hours. Default: any."
    )
    pixels: int | None = Field(
        None, ge=4096, description="Largest width × height of a picture. Default: as large as the API takes."
    )
    steps: int | None = Field(None, ge=1, description="Most steps of a picture. Default: as many as the API takes.")
    count: int | None = Field(None, ge=1, description="Most pictures of one job. Default: as many as the API takes.")
    checkpoints: Patterns = Field(
        None, description="Patterns of the checkpoints that it may use, such as `sd15-*`. Default: all."
    )
    kinds: Kinds = Field(None, description="What it may order, of `text`, `image`, `inpaint`, `upscale`. Default: all.")
    retention_days: float | None = Field(
        None,
        ge=0,
        le=36_500,
        description="Days after which its pictures go to the trash, unless they are starred. Default: never.",
    )

    def named(self, name: str, defaults: Quotas) -> Tier:
        """The tier; ``defaults`` holds what is meant where a limit is not set."""
        quotas = Quotas(
            queued=defaults.queued if self.queued is None else self.queued,
            running=defaults.running if self.running is None else self.running,
            pictures_a_day=self.pictures_a_day,
            device_seconds_a_day=self.device_seconds_a_day,
            pixels=self.pixels,
            steps=self.steps,
            count=self.count,
            checkpoints=None if self.checkpoints is None else tuple(self.checkpoints),
            kinds=None if self.kinds is None else tuple(self.kinds),
        )
        return Tier(
            name=name,
            rank=self.rank,
            weight=self.weight,
            deadline_seconds=self.deadline_seconds,
            retention_days=self.retention_days,
            quotas=quotas,
        )


class PremiumSettings(TierSettings):
    rank: Rank = PREMIUM.rank
    weight: Weight = PREMIUM.weight
    deadline_seconds: Deadline = PREMIUM.deadline_seconds


class NormalSettings(TierSettings):
    rank: Rank = NORMAL.rank
    weight: Weight = NORMAL.weight
    deadline_seconds: Deadline = NORMAL.deadline_seconds


class TiersSettings(Section):
    """Further keys are tiers of one's own; those must say rank, weight and deadline."""

    model_config = ConfigDict(extra="allow", frozen=True, allow_inf_nan=False)
    __pydantic_extra__: dict[str, TierSettings]

    premium: PremiumSettings = PremiumSettings()
    normal: NormalSettings = NormalSettings()

    @property
    def by_name(self) -> dict[str, TierSettings]:
        return {PREMIUM.name: self.premium, NORMAL.name: self.normal, **self.__pydantic_extra__}

    @model_validator(mode="after")
    def _check(self) -> Self:
        ranks: dict[int, str] = {}
        for name, tier in self.by_name.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no name of a tier: lower case letters, digits, - and _, a letter first")
            if tier.rank in ranks:
                raise ValueError(f"the tiers {ranks[tier.rank]} and {name} have the same rank, {tier.rank}")
            ranks[tier.rank] = name
        return self

    def in_force(self, defaults: Quotas) -> Tiers:
        """The tiers that these settings mean."""
        tiers = [tier.named(name, defaults) for name, tier in self.by_name.items()]
        return Tiers(tuple(sorted(tiers, key=lambda tier: tier.rank)))
