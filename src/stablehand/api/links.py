"""Links to pictures that need no key and no cookie: whoever is given one may fetch what it leads to."""

import time

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint
from pydantic import Field

from stablehand.api.door import Door, blueprint
from stablehand.api.images import PICTURE_ANSWERS, picture_answer
from stablehand.api.schemas import Error, Model
from stablehand.domain.errors import LinkVoid
from stablehand.services.links import TOKEN_MAX_CHARACTERS, Addresses, follow, pictures_of


class ByToken(Model):
    token: str = Field(description="As it stands in the link.", min_length=1, max_length=TOKEN_MAX_CHARACTERS)


def routes(door: Door) -> APIBlueprint:
    api = blueprint("links", "Links to single pictures.")

    @api.get("/files/<token>", responses={**PICTURE_ANSWERS, 410: Error})
    def fetch_linked(path: ByToken) -> Response:
        """Fetch a picture by a link that somebody was given, without a key."""
        now = time.time()
        followed = follow(door.services, door.options.secret_key, path.token, now=now)
        pictures = pictures_of(door.services, followed) if followed.what.kind == "image" else []
        if not pictures:
            raise LinkVoid
        response = picture_answer(door, pictures[0])
        if response.status_code in (200, 206, 304):
            response.headers["Cache-Control"] = f"private, max-age={min(int(followed.until - now), 3600)}"
        # It was given away to be shown elsewhere.
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        return response

    return api


def addresses(door: Door) -> Addresses:
    """Addresses under the name by which this request came, unless the settings name another."""
    return Addresses(door.options.secret_key, door.options.public_url or request.host_url)
