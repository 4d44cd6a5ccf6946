"""Who is asking, and what they may ask for."""

from flask import Response
from flask_openapi.blueprint import APIBlueprint

from stablehand.api.door import Door, blueprint, reply
from stablehand.api.schemas import LimitsOut, MeOut
from stablehand.domain.orders import LIMITS, PROMPT_MAX_CHARACTERS


def routes(door: Door) -> APIBlueprint:
    api = blueprint("me", "The account that is asking.")

    @api.get("/me", responses={200: MeOut})
    def read_me() -> Response:
        """Look at your account and its limits."""
        account = door.account
        limits = LimitsOut(
            steps=_whole("steps"),
            count=_whole("count"),
            side=_whole("width"),
            cfg_scale=LIMITS["cfg_scale"],
            prompt_length=PROMPT_MAX_CHARACTERS,
            queued_shots=door.services.limits.max_size_shots,
        )
        me = MeOut(id=account.id, name=account.name, role=account.role, tiers=list(account.tiers), limits=limits)
        return reply(me)

    return api


def _whole(field: str) -> tuple[int, int]:
    low, high = LIMITS[field]
    return int(low), int(high)
