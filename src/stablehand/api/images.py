"""Pictures: browse, look, fetch the bytes, star, delete and restore."""

from datetime import UTC, datetime
from typing import Any

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint
from werkzeug.datastructures import ContentRange
from werkzeug.exceptions import RequestedRangeNotSatisfiable

from stablehand.api.door import BODY_ERRORS, Door, blueprint, reply
from stablehand.api.etags import CHANGED, expected_versions, reply_tagged
from stablehand.api.links import DownloadOut, ZipIn, addresses
from stablehand.api.manifest_schemas import ImageDetailOut
from stablehand.api.schemas import ById, DownloadQuery, Error, ImageOut, ImagePage, ImagePatch, ImagesQuery
from stablehand.api.views import image_detail_out, image_out
from stablehand.api.zips import ZIP_ANSWERS, zip_answer
from stablehand.domain.images import SUFFIX, Image
from stablehand.domain.versions import image_version
from stablehand.services.gallery import (
    LINK_SECONDS,
    delete_image,
    get_image,
    get_manifest,
    list_images,
    open_picture,
    picture_link,
    picture_size,
    restore_image,
    star_image,
)
from stablehand.services.links import check_pictures, make_download

MIME = {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg"}

#: bytes under an image's address never change; the browser may keep them, nobody between may
IMMUTABLE = "private, max-age=31536000, immutable"

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_PICTURE = {"description": "The picture's bytes.", "content": dict.fromkeys(MIME.values(), _BINARY)}
_THUMBNAIL = {"description": "A WebP of at most 320 pixels a side.", "content": {"image/webp": _BINARY}}
_PART = {"description": "The bytes that the Range header asks for.", "content": dict.fromkeys(MIME.values(), _BINARY)}
_ELSEWHERE = {"description": "Another host has the bytes (`storage.public_url`)."}
_UNCHANGED = {"description": "The browser's copy is still good."}
THUMBNAIL_ANSWERS: dict[Any, Any] = {200: _THUMBNAIL, 206: _PART, 302: _ELSEWHERE, 304: _UNCHANGED, 416: Error}
PICTURE_ANSWERS: dict[Any, Any] = {200: _PICTURE, 206: _PART, 302: _ELSEWHERE, 304: _UNCHANGED, 416: Error}


def routes(door: Door) -> APIBlueprint:
    api = blueprint("images", "Delivered pictures.")

    @api.get("/images", responses={200: ImagePage})
    def browse_images(query: ImagesQuery) -> Response:
        """List pictures, newest first."""
        page = list_images(
            door.services,
            door.account,
            limit=query.limit,
            cursor=query.cursor,
            trashed=query.trashed,
            search=query.search,
        )
        return reply(ImagePage(items=[image_out(image) for image in page.items], next_cursor=page.next_cursor))

    @api.get("/images/<id>", responses={200: ImageDetailOut})
    def read_image(path: ById) -> Response:
        """Look at a picture's parameters, and at what it was drawn by."""
        image = get_image(door.services, door.account, path.id)
        manifest = get_manifest(door.services, door.account, path.id)
        return reply_tagged(image_detail_out(image, manifest), image_version(image))

    @api.patch("/images/<id>", responses={200: ImageOut, **BODY_ERRORS, **CHANGED})
    def patch_image(path: ById, body: ImagePatch) -> Response:
        """Add a picture to the favourites, or take it out."""
        image = star_image(door.services, door.account, path.id, body.starred, expected=expected_versions())
        return reply_tagged(image_out(image), image_version(image))

    @api.delete("/images/<id>", responses={204: None, **CHANGED})
    def trash_image(path: ById) -> tuple[str, int]:
        """Move a picture to the trash."""
        delete_image(door.services, door.account, path.id, expected=expected_versions())
        return "", 204

    @api.post("/images/<id>/restore", responses={200: ImageOut})
    def untrash_image(path: ById) -> Response:
        """Take a picture out of the trash."""
        image = restore_image(door.services, door.account, path.id)
        return reply_tagged(image_out(image), image_version(image))

    @api.get("/images/<id>/file", responses=PICTURE_ANSWERS)
    def fetch_file(path: ById, query: DownloadQuery) -> Response:
        """Fetch a picture's bytes."""
        image = get_image(door.services, door.account, path.id)
        return picture_answer(door, image, download=bool(query.download))

    @api.get("/images/<id>/thumbnail", responses=THUMBNAIL_ANSWERS)
    def fetch_thumbnail(path: ById) -> Response:
        """Fetch a small version of a picture."""
        return thumbnail_answer(door, get_image(door.services, door.account, path.id))

    @api.post("/images/zip", responses={**ZIP_ANSWERS, **BODY_ERRORS})
    def zip_images(body: ZipIn) -> Response:
        """Fetch chosen pictures as one ZIP, with their recipes."""
        account_id = door.account.id
        check_pictures(door.services, account_id, body.ids)
        return zip_answer(door, account_id, account_id, list(dict.fromkeys(body.ids)), with_recipes=True)

    @api.post("/images/zip/address", responses={201: DownloadOut, **BODY_ERRORS})
    def address_zip(body: ZipIn) -> Response:
        """Get an address from which a browser downloads chosen pictures as one ZIP, within minutes."""
        link = make_download(door.services, door.account, body.ids, now=datetime.now(UTC))
        return reply(DownloadOut(url=addresses(door).zip(link), expires_at=link.until), 201)

    return api


def thumbnail_answer(door: Door, image: Image) -> Response:
    """Raises as ``_bytes`` does."""
    return _bytes(door, image, thumbnail=True)


def picture_answer(door: Door, image: Image, *, download: bool = False) -> Response:
    """A picture's bytes under a name by which people keep it. Raises as ``_bytes`` does."""
    response = _bytes(door, image, stays_here=download)
    name = f"stablehand-{image.created_at:%Y%m%d-%H%M%S}-{image.seed}.{SUFFIX[image.format]}"
    response.headers["Content-Disposition"] = f'{"attachment" if download else "inline"}; filename="{name}"'
    return response


def _bytes(door: Door, image: Image, *, thumbnail: bool = False, stays_here: bool = False) -> Response:
    """A picture's bytes: whole, a part, not at all for who has them, or the way to another host that has them.

    Raises NotFound, StorageAway, RequestedRangeNotSatisfiable.
    """
    etag = f"{image.sha256}-thumbnail" if thumbnail else image.sha256
    response = Response(mimetype="image/webp" if thumbnail else MIME[image.format])
    response.set_etag(etag)
    response.headers["Cache-Control"] = IMMUTABLE
    response.headers["Accept-Ranges"] = "bytes"
    if request.if_none_match.contains(etag):
        response.status_code = 304
        return response
    link = None if stays_here else picture_link(door.services, image, thumbnail=thumbnail)
    if link is not None:
        away = Response(status=302)
        away.headers["Location"] = link
        away.headers["Cache-Control"] = f"private, max-age={int(LINK_SECONDS / 2)}"
        return away
    size = picture_size(door.services, image, thumbnail=thumbnail)
    span = _span(etag, size)
    if span is not None:
        response.status_code = 206
        response.content_range = ContentRange("bytes", *span, size)
    start, end = span or (0, size)
    if request.method != "HEAD":
        response.response = open_picture(door.services, image, thumbnail=thumbnail, span=span).chunks
    response.content_length = end - start
    return response


def _span(etag: str, size: int) -> tuple[int, int] | None:
    """The one range of bytes that is asked for; None for all. Several at once are answered with all, as is their right.

    Raises RequestedRangeNotSatisfiable.
    """
    asked = request.range
    unchanged = request.if_range.etag in (None, etag) and request.if_range.date is None
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1 or not unchanged:
        return None
    span = asked.range_for_length(size)
    if span is None:
        raise RequestedRangeNotSatisfiable(length=size)
    return span
