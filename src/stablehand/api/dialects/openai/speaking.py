"""Bodies of this dialect, and its shape of errors."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import Response, jsonify, request
from werkzeug.datastructures import FileStorage

from stablehand.api.errors import Refusal
from stablehand.api.reading import read_object
from stablehand.domain.errors import BadPicture, InvalidFields, PictureTooLarge, QuotaSpent, TooManyCalls
from stablehand.domain.inputs import INPUT_MAX_BYTES
from stablehand.domain.openai.errors import NAMES, ErrorType, Refused, error_body
from stablehand.domain.openai.fields import FILES, Operation, read_body

#: tells OpenAI's own clients not to send it again, which they otherwise do twice for 409, 429 and 5xx
NO_RETRY = {"x-should-retry": "false"}
#: room for the words of a form around its pictures
_FORM_BYTES = 262_144


@dataclass(frozen=True, slots=True)
class Asked:
    """``values``: every field that the operation knows. ``sent``: what tells this request from others."""

    values: Mapping[str, Any]
    sent: Mapping[str, Any]
    picture: bytes | None = None
    mask: bytes | None = None


def read_json(operation: Operation) -> Asked:
    """Raises Refused, UnsupportedType, BadJson, RequestEntityTooLarge."""
    body = read_object(request)
    return Asked(read_body(operation, body), body)


def read_form(operation: Operation) -> Asked:
    """Raises Refused, RequestEntityTooLarge."""
    if request.mimetype != "multipart/form-data":
        raise Refused("Send the picture in a body of the type multipart/form-data.", code="invalid_content_type")
    names = FILES[operation]
    request.max_content_length = len(names) * INPUT_MAX_BYTES + _FORM_BYTES
    values = read_body(operation, request.form.to_dict(), as_text=True)
    files = _files(names)
    if "image" not in files:
        raise Refused("Missing required parameter: 'image'.", param="image", code="missing_required_parameter")
    sent = {**request.form.to_dict(), **{name: hashlib.sha256(data).hexdigest() for name, data in files.items()}}
    return Asked(values, sent, files["image"], files.get("mask"))


def _files(names: tuple[str, ...]) -> dict[str, bytes]:
    """Of each name its one file. Raises Refused."""
    found: dict[str, list[FileStorage]] = {}
    for key, files in request.files.lists():
        found.setdefault(key.removesuffix("[]"), []).extend(files)
    for name, files in found.items():
        if name not in names:
            known = name in ("image", "mask", "markup")
            raise Refused(
                f"'{name}' is not available here." if known else f"Unknown parameter: '{name}'.",
                param=name,
                code="unsupported_parameter" if known else "unknown_parameter",
            )
        if len(files) != 1:
            raise Refused(
                f"{len(files)} pictures were sent as '{name}'; a picture starts from one here.",
                param=name,
                code="unsupported_value",
            )
    return {name: files[0].read() for name, files in found.items()}


def refused_answer(error: Refused) -> Response:
    response = jsonify(error.body())
    response.status_code = error.status
    if error.status >= 409:
        response.headers.update(NO_RETRY)
    return response


def shape(refusal: Refusal) -> tuple[Any, int, Mapping[str, str]]:
    """Every refusal of the house in the words of this dialect: (body, status, headers)."""
    error, status = refusal.error, refusal.status
    type_: ErrorType = "server_error" if status >= 500 else "invalid_request_error"
    message, param, code, headers = _sentence(refusal), None, refusal.code, {}
    if isinstance(error, InvalidFields):
        status, param = 400, _first_param(refusal)
        if code == "invalid_fields":
            code = "invalid_value"
    elif isinstance(error, (BadPicture, PictureTooLarge)):
        code = "invalid_image_file"
    elif status == 401:
        code, headers = "invalid_api_key", {"WWW-Authenticate": "Bearer"}
    elif status == 403 and refusal.fields:
        param = _first_param(refusal)
    elif isinstance(error, QuotaSpent):
        type_ = code = "insufficient_quota"
    elif status == 429 or isinstance(error, TooManyCalls):
        status, type_, code = 429, "requests", "rate_limit_exceeded"
    if status == 409 or (status == 429 and "Retry-After" not in refusal.headers):
        headers = NO_RETRY
    return error_body(message, type_, param, code), status, headers


def _sentence(refusal: Refusal) -> str:
    if refusal.fields:
        # Two of our fields may be one of theirs.
        said = dict.fromkeys(
            f"Invalid '{NAMES.get(name, name)}': {words.rstrip('.')}." for name, words in refusal.fields.items()
        )
        # What is wrong needs no more words than its fields; why one may not have it does.
        return " ".join(said if refusal.code == "invalid_fields" else (refusal.message, *said))
    return " ".join(part for part in (refusal.message, refusal.hint) if part)


def _first_param(refusal: Refusal) -> str | None:
    return next((NAMES.get(name, name) for name in refusal.fields), None)
