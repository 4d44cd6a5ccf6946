"""Inputs: pictures and masks that orders start from."""

from typing import Any

from flask import Response, request
from flask_openapi.blueprint import APIBlueprint
from pydantic import Field

from stablehand.api.door import Door, blueprint, reply
from stablehand.api.images import IMMUTABLE
from stablehand.api.reading import read_bytes
from stablehand.api.schemas import ById, Error, Out
from stablehand.domain.errors import BadPicture
from stablehand.domain.inputs import INPUT_MAX_BYTES
from stablehand.services.inputs import input_bytes, take_input

_MULTIPART = "multipart/form-data"
#: room for the boundaries and headers of a form around the picture
_FORM_BYTES = 65_536
BODY_MAX_BYTES = INPUT_MAX_BYTES + _FORM_BYTES
_BINARY = {"type": "string", "format": "binary"}

#: The document's word on the body, which is no JSON.
REQUEST_BODY: dict[str, Any] = {
    "required": True,
    "description": "One PNG, JPEG or WebP of one frame: as the body, or as the only file of a form.",
    "content": {
        **{kind: {"schema": _BINARY} for kind in ("image/png", "image/jpeg", "image/webp", "application/octet-stream")},
        _MULTIPART: {
            "schema": {
                "type": "object",
                "properties": {"file": {**_BINARY, "contentMediaType": "image/png"}},
                "required": ["file"],
            }
        },
    },
}


_PICTURE = {"description": "As it is kept: a PNG.", "content": {"image/png": {"schema": _BINARY}}}


class InputOut(Out):
    id: str = Field(description="SHA-256 of the picture as it is kept; for `input` and `mask` of an order.")
    width: int = Field(description="Pixels, upright.")
    height: int = Field(description="Pixels, upright.")


def routes(door: Door) -> APIBlueprint:
    api = blueprint("inputs", "Pictures that orders start from.")

    @api.post("/inputs", responses={201: InputOut, 503: Error, 507: Error})
    def upload_input() -> Response:
        """Upload a picture or a mask for later orders; kept for a day after its last use."""
        kept = take_input(door.services, door.account, _picture())
        return reply(InputOut(id=kept.id, width=kept.width, height=kept.height), 201)

    @api.get("/inputs/<id>/file", responses={200: _PICTURE, 304: {"description": "The browser's copy is still good."}})
    def fetch_input(path: ById) -> Response:
        """Fetch the bytes of an input of yours."""
        response = Response(input_bytes(door.services, door.account, path.id), mimetype="image/png")
        response.set_etag(path.id)
        response.headers["Cache-Control"] = IMMUTABLE
        response.make_conditional(request)
        return response

    return api


def _picture() -> bytes:
    """The bytes of the picture that was sent. Raises BadPicture, RequestEntityTooLarge."""
    request.max_content_length = BODY_MAX_BYTES
    if request.mimetype != _MULTIPART:
        return read_bytes(request)
    files = [file for _, some in request.files.lists() for file in some]
    if len(files) != 1:
        raise BadPicture("The form does not hold exactly one file.", hint="Send one picture, as `-F file=@house.png`.")
    data: bytes = files[0].read()
    return data
