"""The one table from errors to HTTP statuses, and the one shape in which they leave.

``{"error": {"code", "message", "hint", "fields"}}``, everywhere but below the addresses of dialects, whose clients know
other shapes (``SHAPERS``). Unknown exceptions become ``internal_error`` with an
id that the log carries too; nothing of them leaks.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import structlog
from flask import Flask, Response, current_app, g, jsonify, request
from flask.typing import ResponseReturnValue
from markupsafe import Markup
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException

from stablehand.api.schemas import HitOut
from stablehand.domain import errors

log = structlog.get_logger("stablehand.api")


class BadJson(errors.StablehandError):
    """The body is not JSON, or not a JSON object."""

    code = "bad_json"


class UnsupportedType(errors.StablehandError):
    """The body's Content-Type is not the one this route takes."""

    code = "unsupported_media_type"


class BadHost(errors.StablehandError):
    """The Host header names a site that this server is not."""

    code = "bad_host"


class BadOrigin(errors.Forbidden):
    """A page of another site tried to write."""

    code = "bad_origin"


#: error -> status. The first class in an error's own line of ancestors that stands here decides.
STATUS: dict[type[errors.StablehandError], int] = {
    BadJson: 400,
    BadHost: 421,
    UnsupportedType: 415,
    errors.InvalidFields: 422,
    errors.BadPicture: 422,
    errors.AddressRefused: 422,
    errors.PictureTooLarge: 413,
    errors.Unauthorized: 401,
    errors.Forbidden: 403,
    errors.NotFound: 404,
    errors.LinkExpired: 410,
    errors.LinkRevoked: 410,
    errors.Conflict: 409,
    errors.ChangedMeanwhile: 412,
    errors.CheckpointBroken: 409,
    errors.RecipeUnsupported: 409,
    errors.QueueFull: 429,
    errors.QuotaSpent: 429,
    errors.TooManyRequests: 429,
    errors.Busy: 503,
    errors.StillDrawing: 504,
    errors.CallerGone: 499,  # as nginx logs it: the client closed the line
    errors.StorageAway: 503,
    errors.StoreUnavailable: 503,
    errors.StorageFull: 507,
    errors.DeviceOutOfMemory: 507,
    errors.BadSettings: 500,
    errors.StablehandError: 500,
}

#: status -> (code, message, hint) for what Flask and Werkzeug refuse themselves
REFUSALS: dict[int, tuple[str, str, str]] = {
    400: ("bad_request", "The request could not be read.", "Check its syntax against /openapi/."),
    404: ("not_found", "There is nothing at this address.", "The routes are listed at /openapi/."),
    405: ("method_not_allowed", "This address does not take this method.", "The Allow header lists those it takes."),
    413: ("too_large", "The request's body is larger than this server accepts.", "Send less at once."),
    414: (
        "address_too_long",
        "The request's address is longer than this server accepts.",
        "Cursors and ids are short.",
    ),
    415: ("unsupported_media_type", "This route takes JSON only.", "Send it with Content-Type: application/json."),
    416: ("bad_range", "The requested range lies outside the file.", "Ask for less, or for the whole file."),
    431: ("headers_too_large", "The request's headers are larger than this server accepts.", "Send fewer cookies."),
}

#: pydantic's error types whose own words would puzzle; {} takes their context
SAYINGS = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "string_type": "must be a text",
    "string_too_short": "at least {min_length} characters",
    "string_too_long": "at most {max_length} characters",
    "string_pattern_mismatch": "is not in the expected form",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing_size": "is too large",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "greater_than_equal": "at least {ge}",
    "less_than_equal": "at most {le}",
    "literal_error": "one of {expected}",
    "enum": "one of {expected}",
    "model_type": "must be a JSON object",
}


def say(problem: Mapping[str, Any]) -> str:
    """A pydantic problem in our words, without the offending input."""
    words = SAYINGS.get(problem["type"])
    return words.format(**problem.get("ctx", {})) if words else str(problem["msg"])


def fields_of(error: ValidationError) -> dict[str, str]:
    """Field name -> what it must be; nested ones as ``loras.0.weight``."""
    problems = error.errors(include_url=False, include_input=False)
    return {".".join(str(part) for part in problem["loc"]) or "body": say(problem) for problem in problems}


def refuse_fields(error: ValidationError) -> Response:
    """flask-openapi's callback for invalid paths, queries and bodies."""
    raise errors.InvalidFields(fields_of(error)) from error


def status_of(error: errors.StablehandError) -> int:
    return next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)


def shape(code: str, message: str, hint: str = "", fields: Mapping[str, str] | None = None) -> dict[str, Any]:
    return {"error": {"code": code, "message": message, "hint": hint, "fields": dict(fields or {})}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An error on its way out."""

    status: int
    code: str
    message: str
    hint: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    error: Exception | None = None  #: what was raised
    limit: Mapping[str, Any] | None = None  #: which limit was met


#: How a dialect says a refusal: (JSON value, or Markup for people, status, further headers).
Shaper = Callable[[Refusal], tuple[Any, int, Mapping[str, str]]]
#: key of ``app.extensions``: beginning of an address -> how refusals below it look
SHAPERS = "refusal shapers"


def answer(refusal: Refusal) -> Response:
    """A refusal in the shape that whoever asks at this address knows."""
    shapers: Mapping[str, Shaper] = current_app.extensions.get(SHAPERS, {})
    shaper = next((shaper for prefix, shaper in shapers.items() if request.path.startswith(prefix)), our_own)
    body, status, headers = shaper(refusal)
    response = Response(body, mimetype="text/html") if isinstance(body, Markup) else jsonify(body)
    response.status_code = status
    for name, value in {**refusal.headers, **headers}.items():
        response.headers[name] = value
    return response


def our_own(refusal: Refusal) -> tuple[Any, int, Mapping[str, str]]:
    """How the native API says it."""
    body = shape(refusal.code, refusal.message, refusal.hint, refusal.fields)
    if refusal.limit is not None:
        body["error"]["limit"] = dict(refusal.limit)
    return body, refusal.status, {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else {}


def refusal_of(error: errors.StablehandError, *, request_id: str, route: str) -> Refusal:
    """What is said of an error; what is wrong on our side is logged."""
    status = status_of(error)
    hit = getattr(error, "hit", None)
    retry_after = getattr(error, "retry_after_seconds", None)
    if status >= 500 and not isinstance(error, (errors.Busy, errors.StillDrawing)):
        log.error(
            "refused",
            code=error.code,
            status=status,
            reason=getattr(error, "reason", ""),
            route=route,
            request_id=request_id,
        )
    return Refusal(
        status=status,
        code=error.code,
        message=error.message,
        hint=error.hint,
        fields=error.fields,
        headers={} if retry_after is None else {"Retry-After": str(retry_after)},
        error=error,
        limit=None if hit is None else HitOut.of(hit).model_dump(mode="json"),
    )


def turned_away(error: HTTPException) -> ResponseReturnValue:
    """What Flask and Werkzeug refuse, in our shape; redirects pass."""
    status = error.code or 500
    if status < 400:
        return error.get_response()  # a redirect
    code, message, hint = REFUSALS.get(status, (f"http_{status}", error.name + ".", ""))
    headers = {
        name: value for name, value in error.get_headers() if name.lower() not in {"content-type", "content-length"}
    }
    return answer(Refusal(status=status, code=code, message=message, hint=hint, headers=headers, error=error))


def _request_id() -> str:
    """Empty for what is refused before a request has its name."""
    return str(g.get("request_id", ""))


def install(app: Flask, shapers: Mapping[str, Shaper]) -> None:
    """Answer every error of this application in our shape, or in those of ``shapers`` (see ``SHAPERS``)."""
    app.extensions[SHAPERS] = shapers

    @app.errorhandler(errors.StablehandError)
    def refused(error: errors.StablehandError) -> Response:
        return answer(refusal_of(error, request_id=_request_id(), route=str(request.url_rule)))

    app.register_error_handler(HTTPException, turned_away)

    @app.errorhandler(Exception)
    def broke(error: Exception) -> Response:
        # The traceback may hold a prompt; it goes to the log at error level only, never to the caller.
        log.error("broke", route=str(request.url_rule), request_id=_request_id(), exc_info=error)
        hint = f"Try again. If it stays, look for {_request_id()} in the server's log."
        return answer(
            Refusal(
                status=500,
                code="internal_error",
                message="Something went wrong on the server's side.",
                hint=hint,
                error=error,
            )
        )
