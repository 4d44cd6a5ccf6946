"""What whoever was given a link sees: pictures, a ZIP of them, and a plain page that shows them.

The page is made here and needs neither script nor account; it tells nothing but the pictures.
"""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, Response, render_template, request
from flask_openapi.blueprint import APIBlueprint
from markupsafe import Markup
from pydantic import Field

from stablehand.api import errors
from stablehand.api.door import Door, blueprint
from stablehand.api.images import PICTURE_ANSWERS, THUMBNAIL_ANSWERS, picture_answer, thumbnail_answer
from stablehand.api.schemas import DownloadQuery, Error, Model
from stablehand.api.zips import ZIP_ANSWERS, zip_answer
from stablehand.domain.errors import LinkVoid
from stablehand.domain.images import Image
from stablehand.services.links import TOKEN_MAX_CHARACTERS, Followed, follow, ids_of, picture_of, pictures_of

#: beginnings of the addresses at which people may stand before a refusal
PAGES = "/shared"
FILES = "/api/v1/files"

#: pictures that one page shows
PAGE_PICTURES = 120
#: for so long a browser keeps a picture without asking whether the link still works
_KEPT_SECONDS = 300


class ByToken(Model):
    token: str = Field(description="As it stands in the link.", min_length=1, max_length=TOKEN_MAX_CHARACTERS)


class ByTokenAndId(ByToken):
    id: str = Field(description="Of a picture that the link leads to.", min_length=1, max_length=64)


def routes(door: Door) -> APIBlueprint:
    """Pictures and ZIPs, for programs and browsers."""
    api = blueprint("shared", "What links lead to; no key is needed.")
    gone: dict[Any, Any] = {410: Error}

    @api.get("/files/<token>", responses={**PICTURE_ANSWERS, **gone})
    def fetch_linked(path: ByToken, query: DownloadQuery) -> Response:
        """Fetch the picture that a link leads to."""
        followed = _follow(door, path.token)
        if followed.what.kind != "image":
            raise LinkVoid
        image = picture_of(door.services, followed, followed.what.image_ids[0])
        return _given(followed, picture_answer(door, image, download=bool(query.download)))

    @api.get("/files/<token>/images/<id>", responses={**PICTURE_ANSWERS, **gone})
    def fetch_one(path: ByTokenAndId, query: DownloadQuery) -> Response:
        """Fetch one of the pictures that a link leads to."""
        followed = _follow(door, path.token)
        image = picture_of(door.services, followed, path.id)
        return _given(followed, picture_answer(door, image, download=bool(query.download)))

    @api.get("/files/<token>/images/<id>/thumbnail", responses={**THUMBNAIL_ANSWERS, **gone})
    def fetch_small(path: ByTokenAndId) -> Response:
        """Fetch a small version of one of the pictures that a link leads to."""
        followed = _follow(door, path.token)
        return _given(followed, thumbnail_answer(door, picture_of(door.services, followed, path.id)))

    @api.get("/files/<token>/zip", responses={**ZIP_ANSWERS, **gone})
    def fetch_zip(path: ByToken) -> Response:
        """Fetch all pictures that a link leads to as one ZIP."""
        followed = _follow(door, path.token, download=True)
        mine = followed.what.kind == "download"
        ids = ids_of(door.services, followed)
        who = f"link of {followed.account_id}"
        return zip_answer(door, who, followed.account_id, ids, with_recipes=mine)

    return api


def pages(door: Door) -> Blueprint:
    """The page for people."""
    page = Blueprint("shared-page", __name__, template_folder="templates")

    @page.get(f"{PAGES}/<token>")
    def show(token: str) -> Response:
        followed = _follow(door, token)
        ids = ids_of(door.services, followed)
        number = max(1, request.args.get("page", 1, type=int))
        last = max(1, -(-len(ids) // PAGE_PICTURES))
        number = min(number, last)
        some = ids[(number - 1) * PAGE_PICTURES : number * PAGE_PICTURES]
        response = Response(
            render_template(
                "shared.html",
                token=token,
                files=FILES,
                images=[_shown(image) for image in pictures_of(door.services, followed, some)],
                count=len(ids),
                first=(number - 1) * PAGE_PICTURES + 1,
                number=number,
                last=last,
                until=datetime.fromtimestamp(followed.until, UTC),
            )
        )
        return _unlisted(response)

    return page


def as_page(refusal: errors.Refusal) -> tuple[Any, int, Mapping[str, str]]:
    """How what is refused looks to people who followed a link; to programs it looks as everywhere."""
    wants_page = request.path.startswith(PAGES) or (
        request.accept_mimetypes.best_match(["application/json", "text/html"]) == "text/html"
    )
    if not wants_page:
        return errors.our_own(refusal)
    words = render_template("refused.html", message=refusal.message, hint=refusal.hint)
    return Markup(words), refusal.status, {"X-Robots-Tag": "noindex, nofollow"}  # noqa: S704  of our own template


def _follow(door: Door, token: str, *, download: bool = False) -> Followed:
    """Raises LinkVoid, LinkExpired, LinkRevoked."""
    followed = follow(door.services, door.options.secret_key, token, now=time.time())
    if followed.what.kind == "download" and not download:
        raise LinkVoid
    return followed


def _given(followed: Followed, response: Response) -> Response:
    """A picture that was given away: to be shown elsewhere, and not long after the link has ended."""
    if response.status_code in (200, 206, 304):
        left = max(0, int(followed.until - time.time()))
        response.headers["Cache-Control"] = f"private, max-age={min(left, _KEPT_SECONDS)}"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    return response


def _unlisted(response: Response) -> Response:
    response.headers["X-Robots-Tag"] = "noindex, nofollow"
    response.headers["Referrer-Policy"] = "no-referrer"
    response.headers["Cache-Control"] = "private, no-store"
    return response


def _shown(image: Image) -> Mapping[str, Any]:
    return {"id": image.id, "width": image.width, "height": image.height, "prompt": image.recipe.prompt}
