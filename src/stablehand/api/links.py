"""Links to pictures that need no key and no cookie, for an hour: whoever is given one may fetch that one file.

A link is signed (HMAC-SHA256) with the server's secret key; nothing is stored of it.
"""

import hashlib
import time

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint
from itsdangerous import BadData, URLSafeSerializer
from pydantic import Field

from stablehand.api.door import Door, blueprint
from stablehand.api.images import PICTURE_ANSWERS, picture_answer
from stablehand.api.options import Options
from stablehand.api.schemas import Model
from stablehand.domain.errors import NotFound
from stablehand.domain.images import Image
from stablehand.services.gallery import image_of_link

LINK_SECONDS = 3600
_PATH = "/api/v1/files"
_TOKEN_MAX_CHARACTERS = 512


class ByToken(Model):
    token: str = Field(description="As it stands in the link.", min_length=1, max_length=_TOKEN_MAX_CHARACTERS)


def routes(door: Door) -> APIBlueprint:
    api = blueprint("links", "Links to single pictures.")

    @api.get("/files/<token>", responses=PICTURE_ANSWERS)
    def fetch_linked(path: ByToken) -> Response:
        """Fetch a picture by a link that somebody was given; it works for an hour, without a key."""
        account_id, image_id, seconds_left = read_token(door.options, path.token, now=time.time())
        response = picture_answer(door, image_of_link(door.services, account_id, image_id))
        if response.status_code in (200, 206, 304):
            response.headers["Cache-Control"] = f"private, max-age={seconds_left}"
        # It was given away to be shown elsewhere.
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    return api


def link_to(options: Options, image: Image) -> str:
    """The whole address of a link, under the name by which this request came unless the settings name another."""
    place = (options.public_url or request.host_url).rstrip("/")
    return f"{place}{_PATH}/{make_token(options, image, now=time.time())}"


def make_token(options: Options, image: Image, *, now: float) -> str:
    """``now``: seconds since 1970."""
    return str(_signer(options).dumps([image.account_id, image.id, int(now) + LINK_SECONDS]))


def read_token(options: Options, token: str, *, now: float) -> tuple[str, str, int]:
    """(account, image, seconds that it still works). Raises NotFound for one that is not ours, or no longer."""
    try:
        account_id, image_id, until = _signer(options).loads(token)
    except BadData:
        raise _void() from None
    if until <= now:
        raise _void()
    return account_id, image_id, int(until - now)


def _signer(options: Options) -> URLSafeSerializer:
    return URLSafeSerializer(
        options.secret_key, salt="a link to a picture", signer_kwargs={"digest_method": hashlib.sha256}
    )


def _void() -> NotFound:
    return NotFound(
        "This link does not work (any more).", hint="Links to pictures work for an hour; ask for a new one."
    )
