"""Strict JSON: what a request's body may be before any field is looked at."""

import json
import math
from typing import Any, NoReturn

from flask import Flask, Request
from flask.json.provider import DefaultJSONProvider
from gunicorn.http.errors import NoMoreData, ParseException
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge

from stablehand.api.errors import BadJson, UnsupportedType

#: no body of ours nests deeper than a handful
MAX_DEPTH = 32


class NotStrict(ValueError):
    """Python's parser would take it, JSON does not, or nothing of ours can mean it."""


def _no_constant(name: str) -> NoReturn:
    raise NotStrict(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise NotStrict("a number is too large")
    return number


def parse_json(text: str | bytes, **more: Any) -> Any:
    """JSON without NaN and Infinity, and of bounded depth. Raises ValueError for anything else."""
    try:
        value = json.loads(text, parse_constant=_no_constant, parse_float=_finite, **more)
    except RecursionError as error:
        raise NotStrict("it is nested too deeply") from error
    _bound_depth(value)
    return value


class StrictJson(DefaultJSONProvider):
    """JSON as RFC 8259 has it: no NaN, no Infinity (nor 1e999), bounded depth, no key twice, no half of
    a surrogate pair."""

    sort_keys = False

    def loads(self, s: str | bytes, **kwargs: Any) -> Any:
        """Raises ValueError for anything that is not strict JSON."""
        del kwargs
        value = parse_json(s, object_pairs_hook=_no_key_twice)
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise NotStrict("a text holds half of a surrogate pair") from error
        return value

    def dumps(self, obj: Any, **kwargs: Any) -> str:
        return super().dumps(obj, allow_nan=False, **kwargs)


def _no_key_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotStrict("a key stands twice")
    return found


def _bound_depth(value: Any) -> None:
    layer = [value]
    for _ in range(MAX_DEPTH):
        layer = [
            inner
            for outer in layer
            if isinstance(outer, (dict, list))
            for inner in (outer.values() if isinstance(outer, dict) else outer)
        ]
        if not layer:
            return
    raise NotStrict("it is nested too deeply")


class StrictRequest(Request):
    """A request whose unreadable JSON says what is wrong with it, never what it held."""

    def on_json_loading_failed(self, e: ValueError | None) -> NoReturn:
        if e is None:
            raise _not_json()
        if isinstance(e, json.JSONDecodeError):
            where = f"line {e.lineno}, column {e.colno}: {e.msg}"
        elif isinstance(e, UnicodeDecodeError):
            where = "it is not UTF-8"
        elif isinstance(e, NotStrict):
            where = str(e)
        else:
            where = "a number is too long"  # Python's own guard against quadratic parsing
        raise BadJson(f"The body is not valid JSON: {where}.", hint="Send one JSON object.") from e


def _not_json() -> UnsupportedType:
    return UnsupportedType("This route takes JSON only.", hint="Send the body with Content-Type: application/json.")


def read_bytes(request: Request) -> bytes:
    """The request's whole body.

    Raises RequestEntityTooLarge, for a body of stated length before a word of it is read, or BadRequest when the body
    breaks off.
    """
    limit = request.max_content_length
    if limit is not None and (request.content_length or 0) > limit:
        raise RequestEntityTooLarge
    try:
        data = request.get_data()
    except (ParseException, NoMoreData) as error:
        raise BadRequest from error  # its chunks make no sense, or end too early
    # A body of unstated length is cut off at the limit without a word.
    if limit is not None and request.content_length is None and len(data) >= limit:
        raise RequestEntityTooLarge
    return data


def read_object(request: Request) -> dict[str, Any]:
    """The request's body as one JSON object. Raises UnsupportedType, BadJson or RequestEntityTooLarge."""
    read_bytes(request)
    if not request.is_json:
        raise _not_json()
    body = request.get_json()
    if not isinstance(body, dict):
        raise BadJson("The body is not a JSON object.", hint='Send an object, such as {"prompt": "a red house"}.')
    return body


def install(app: Flask) -> None:
    app.request_class = StrictRequest
    app.json_provider_class = StrictJson  # what Flask-Security builds upon
    app.json = StrictJson(app)
