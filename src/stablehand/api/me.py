"""Who is asking, and what they may ask for."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from stablehand.api.door import Door, blueprint, reply
from stablehand.api.schemas import LimitsOut, MeOut
from stablehand.domain.orders import LIMITS, PROMPT_MAX_CHARACTERS
from stablehand.services.quotas import quotas_of


def routes(door: Door) -> APIBlueprint:
    api = blueprint("me", "The account that is asking.")

    @api.get("/me", responses={200: MeOut})
    def read_me() -> Response:
        """Look at your account and its limits."""
        account = door.account
        quotas = quotas_of(door.services, account)
        limits = LimitsOut(
            steps=_whole("steps", quotas.steps),
            count=_whole("count", quotas.count),
            side=_whole("width"),
            cfg_scale=LIMITS["cfg_scale"],
            prompt_length=PROMPT_MAX_CHARACTERS,
            queued_shots=quotas.queued,
        )
        me = MeOut(id=account.id, name=account.name, role=account.role, tiers=list(account.tiers), limits=limits)
        return reply(me)

    return api


def _whole(field: str, most: int | None = None) -> tuple[int, int]:
    low, high = LIMITS[field]
    return int(low), int(high) if most is None else min(int(high), most)
