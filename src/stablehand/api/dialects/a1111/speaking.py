"""Bodies and answers of this dialect, and its shapes of errors."""

import json
from collections.abc import Mapping
from typing import Any

from flask import Response, current_app, request
from werkzeug.exceptions import HTTPException

from stablehand.api.dialects.calling import TASK_HEADER
from stablehand.api.door import Door
from stablehand.api.errors import Refusal
from stablehand.api.reading import NotStrict, parse_json, read_bytes
from stablehand.domain.a1111.drafts import NAMES
from stablehand.domain.a1111.fields import broken_json, no_body, not_a_body
from stablehand.domain.errors import Forbidden, InvalidFields, StillDrawing, TooManyCalls, Unauthorized

#: two large pictures as text, and words around them
BODY_MAX_BYTES = 64 * 2**20


def say(value: Any, status: int = 200) -> Response:
    """A JSON answer, ``null`` included."""
    text = json.dumps(value, allow_nan=False)
    return current_app.response_class(text, status=status, mimetype="application/json")


def body_of(door: Door) -> dict[str, Any]:
    """The request's body, which must be a JSON object; who sends a key need not say that it is JSON.

    Raises Invalid; Forbidden for one without a type from a browser's session; RequestEntityTooLarge.
    """
    request.max_content_length = BODY_MAX_BYTES
    if not request.mimetype and not _may_leave_type_out(door):
        raise Forbidden(
            "A body without a Content-Type is taken from API keys only.",
            hint="Send it with Content-Type: application/json.",
        )
    data = read_bytes(request)
    if not data:
        raise no_body()
    if request.mimetype and not request.is_json:
        raise not_a_body()
    try:
        body = parse_json(data)
    except json.JSONDecodeError as error:
        raise broken_json(str(error), error.pos) from error
    except NotStrict as error:
        raise broken_json(str(error), 0) from error
    except ValueError as error:
        raise broken_json("it cannot be read", 0) from error
    if not isinstance(body, dict):
        raise not_a_body()
    return body


def _may_leave_type_out(door: Door) -> bool:
    """Browsers can be made to send a body without a type to any site; programs with a key of their own cannot."""
    if door.options.accounts is not None:
        return door.caller.key is not None
    return "Origin" not in request.headers and "Sec-Fetch-Site" not in request.headers


def http_exception(detail: str) -> dict[str, str]:
    return {"error": "HTTPException", "detail": detail, "body": "", "errors": ""}


def shape(refusal: Refusal) -> tuple[Any, int, Mapping[str, str]]:
    """Every refusal of the house in the words of this dialect: (body, status, headers)."""
    error = refusal.error
    headers: dict[str, str] = {}
    if isinstance(error, InvalidFields):
        problems = [
            {"loc": ["body", *NAMES.get(field, field).split(".")], "msg": words, "type": "value_error"}
            for field, words in refusal.fields.items()
        ]
        return {"detail": problems}, refusal.status, headers
    if isinstance(error, HTTPException):
        words = {404: "Not Found", 405: "Method Not Allowed"}.get(refusal.status, refusal.message)
        return {"detail": words}, refusal.status, headers
    if isinstance(error, Unauthorized) or refusal.status == 401:
        sent = bool(request.headers.get("Authorization") or request.headers.get("X-Api-Key"))
        words = "Incorrect username or password" if sent else "Not authenticated"
        return http_exception(words), 401, {"WWW-Authenticate": 'Basic realm="Stablehand", charset="UTF-8"'}
    status = refusal.status
    if isinstance(error, TooManyCalls):
        status = 429
    if isinstance(error, StillDrawing):
        headers[TASK_HEADER] = error.task_id
    words = " ".join(part for part in (refusal.message, *refusal.fields.values(), refusal.hint) if part)
    if refusal.code == "internal_error":
        return {"error": "RuntimeError", "detail": "", "body": "", "errors": words}, status, headers
    return http_exception(words), status, headers
