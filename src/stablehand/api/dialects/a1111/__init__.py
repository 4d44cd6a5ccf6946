"""The dialect of A1111's web UI: ``/sdapi/v1``, ``/internal`` and the lists of ``/controlnet``.

Everything is decided in :mod:`stablehand.domain.a1111`; here are its addresses.
"""

from flask import Blueprint, Response

from stablehand.api.dialects.a1111 import asking, drawing, lists, refused
from stablehand.api.dialects.a1111.described import DESCRIPTION as DESCRIPTION
from stablehand.api.dialects.a1111.speaking import say
from stablehand.api.dialects.a1111.speaking import shape as shape
from stablehand.api.door import Door
from stablehand.domain.a1111.errors import Invalid, Refused

#: beginnings of the addresses at which this is spoken
PREFIXES = ("/sdapi/", "/internal/", "/controlnet/", "/config", "/user")


def routes(door: Door) -> Blueprint:
    api = Blueprint("a1111", __name__)
    drawing.add(api, door)
    asking.add(api, door)
    lists.add(api, door)
    refused.add(api)

    @api.errorhandler(Refused)
    def refuse(error: Refused) -> Response:
        return say(error.body(), error.status)

    @api.errorhandler(Invalid)
    def invalid(error: Invalid) -> Response:
        return say({"detail": error.problems}, 422)

    return api
