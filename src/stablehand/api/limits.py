"""What the account that is asking may have, and how much of it is left."""

from datetime import datetime

from flask import Response
from flask_openapi.blueprint import APIBlueprint
from pydantic import Field

from stablehand.api.door import Door, blueprint, reply
from stablehand.api.schemas import Out
from stablehand.domain.tiers import Tier
from stablehand.services.quotas import Allowance, allowance


class UsageOut(Out):
    name: str
    most: float | None = Field(description="null: no limit of this kind.")
    used: float
    left: float | None
    frees_at: datetime | None = Field(description="When time gives some of it back; null: there is nothing to give.")
    is_own: bool = Field(description="Set for this account, not for its tier.")


class TierOut(Out):
    name: str
    deadline_seconds: float = Field(description="Within which its pictures should have begun.")
    weight: float = Field(description="Share of device time against accounts of other tiers.")
    retention_days: float | None = Field(description="How long its pictures are kept unless starred; null: for ever.")


class AllowanceOut(Out):
    tier: TierOut = Field(description="The account's best one, which its limits come from.")
    used: list[UsageOut] = Field(
        description="`queued` and `running` count what is there now; `pictures_a_day` and `device_seconds_a_day` what "
        "was delivered within 24 hours and what is still to be."
    )
    pixels: int | None = Field(description="Largest width × height of a picture; null: as large as the API takes.")
    steps: int | None
    count: int | None = Field(description="Most pictures of one job.")
    checkpoints: list[str] | None = Field(description="Patterns of names; null: all.")
    kinds: list[str] | None = Field(description="null: all.")


def routes(door: Door) -> APIBlueprint:
    api = blueprint("limits", "What the account that is asking may have.")

    @api.get("/me/limits", responses={200: AllowanceOut})
    def read_limits() -> Response:
        """Look at your tier and limits, what you have used of them and when it frees."""
        return reply(allowance_out(allowance(door.services, door.account)))

    return api


def allowance_out(found: Allowance) -> AllowanceOut:
    quotas, tier = found.quotas, found.tier
    return AllowanceOut(
        tier=tier_out(tier),
        used=[
            UsageOut(
                name=usage.limit,
                most=usage.most,
                used=usage.used,
                left=usage.left,
                frees_at=usage.frees_at,
                is_own=usage.limit in found.own,
            )
            for usage in found.usage
        ],
        pixels=quotas.pixels,
        steps=quotas.steps,
        count=quotas.count,
        checkpoints=None if quotas.checkpoints is None else list(quotas.checkpoints),
        kinds=None if quotas.kinds is None else list(quotas.kinds),
    )


def tier_out(tier: Tier) -> TierOut:
    return TierOut(
        name=tier.name,
        deadline_seconds=tier.deadline_seconds,
        weight=tier.weight,
        retention_days=tier.retention_days,
    )
