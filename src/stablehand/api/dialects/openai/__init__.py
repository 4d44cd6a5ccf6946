"""The dialect of OpenAI's Images API: ``/v1/images`` and ``/v1/models``.

Everything is decided in :mod:`stablehand.domain.openai`; here are its addresses.
"""

from flask import Blueprint, Response

from stablehand.api.dialects.openai import drawing, models
from stablehand.api.dialects.openai.described import DESCRIPTION as DESCRIPTION
from stablehand.api.dialects.openai.speaking import refused_answer
from stablehand.api.dialects.openai.speaking import shape as shape
from stablehand.api.door import Door
from stablehand.domain.openai.errors import Refused

#: beginnings of the addresses at which this is spoken
PREFIXES = ("/v1/",)


def routes(door: Door) -> Blueprint:
    api = Blueprint("openai", __name__)
    drawing.add(api, door)
    models.add(api, door)

    @api.errorhandler(Refused)
    def refuse(error: Refused) -> Response:
        return refused_answer(error)

    return api
