"""Pictures: browse, look, fetch the bytes, star, delete and restore."""

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint

from stablehand.api.door import BODY_ERRORS, Door, blueprint, reply
from stablehand.api.schemas import ById, DownloadQuery, ImageOut, ImagePage, ImagePatch, ImagesQuery
from stablehand.api.views import image_out
from stablehand.services.gallery import delete_image, get_image, image_bytes, list_images, restore_image, star_image

MIME = {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg"}
SUFFIX = {"png": "png", "webp": "webp", "jpeg": "jpg"}

#: bytes under an image's address never change; the browser may keep them, nobody between may
IMMUTABLE = "private, max-age=31536000, immutable"

_BINARY = {"schema": {"type": "string", "format": "binary"}}
_PICTURE = {"description": "The picture's bytes.", "content": dict.fromkeys(MIME.values(), _BINARY)}
_THUMBNAIL = {"description": "A WebP of at most 320 pixels a side.", "content": {"image/webp": _BINARY}}
_UNCHANGED = {"description": "The browser's copy is still good."}


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

    @api.get("/images/<id>", responses={200: ImageOut})
    def read_image(path: ById) -> Response:
        """Look at a picture's parameters."""
        return reply(image_out(get_image(door.services, door.account, path.id)))

    @api.patch("/images/<id>", responses={200: ImageOut, **BODY_ERRORS})
    def patch_image(path: ById, body: ImagePatch) -> Response:
        """Add a picture to the favourites, or take it out."""
        return reply(image_out(star_image(door.services, door.account, path.id, body.starred)))

    @api.delete("/images/<id>", responses={204: None})
    def trash_image(path: ById) -> tuple[str, int]:
        """Move a picture to the trash."""
        delete_image(door.services, door.account, path.id)
        return "", 204

    @api.post("/images/<id>/restore", responses={200: ImageOut})
    def untrash_image(path: ById) -> Response:
        """Take a picture out of the trash."""
        return reply(image_out(restore_image(door.services, door.account, path.id)))

    @api.get("/images/<id>/file", responses={200: _PICTURE, 304: _UNCHANGED})
    def fetch_file(path: ById, query: DownloadQuery) -> Response:
        """Fetch a picture's bytes."""
        image = get_image(door.services, door.account, path.id)
        response = _bytes(door, path.id, MIME[image.format], etag=image.sha256, thumbnail=False)
        name = f"stablehand-{image.created_at:%Y%m%d-%H%M%S}-{image.seed}.{SUFFIX[image.format]}"
        disposition = "attachment" if query.download else "inline"
        response.headers["Content-Disposition"] = f'{disposition}; filename="{name}"'
        return response

    @api.get("/images/<id>/thumbnail", responses={200: _THUMBNAIL, 304: _UNCHANGED})
    def fetch_thumbnail(path: ById) -> Response:
        """Fetch a small version of a picture."""
        image = get_image(door.services, door.account, path.id)
        return _bytes(door, path.id, "image/webp", etag=f"{image.sha256}-thumbnail", thumbnail=True)

    return api


def _bytes(door: Door, image_id: str, mime: str, *, etag: str, thumbnail: bool) -> Response:
    response = Response(mimetype=mime)
    response.set_etag(etag)
    response.headers["Cache-Control"] = IMMUTABLE
    if request.if_none_match.contains(etag):
        response.status_code = 304
        return response
    response.data = image_bytes(door.services, door.account, image_id, thumbnail=thumbnail)
    return response
