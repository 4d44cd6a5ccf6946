"""Idempotency-Key on every write of the native API: whoever sends a request twice has it done once.

A POST to the native API that carries the header is done once for that account, key and content; sent again within a
day it is answered as it was the first time, with ``Idempotent-Replayed: true``. Refusals and failures are not kept. A
new route has all this without doing anything. Orders for jobs do it themselves, in the transaction that writes the job.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import structlog
from flask import Flask, Response, g, request

from stablehand.api.access import need_of
from stablehand.api.door import Door
from stablehand.api.inputs import BODY_MAX_BYTES
from stablehand.api.reading import parse_json, read_bytes
from stablehand.domain.errors import StablehandError
from stablehand.services.idempotency import ANSWER_MAX_BYTES, Answer, begin, forget, keep

log = structlog.get_logger("stablehand.api")

HEADER, REPLAYED = "Idempotency-Key", "Idempotent-Replayed"
#: they note the key together with the job
ORDERS = frozenset({"jobs.create_job", "jobs.retry_job"})
#: they store nothing, and what they answer is true at the moment only
QUESTIONS = frozenset({"quotes.quote_job"})
#: endpoints that take more than the usual number of bytes
_LARGE = {"inputs.upload_input": BODY_MAX_BYTES}
_KEPT_HEADERS = ("Content-Type", "ETag", "Location")


@dataclass(frozen=True, slots=True)
class _Begun:
    account_id: str
    key: str


def takes_key(endpoint: str, method: str) -> bool:
    """Whether the header counts there: for writes of somebody who is known."""
    if endpoint in QUESTIONS:
        return False
    return method == "POST" and need_of(endpoint) in ("read", "generate", "session", "admin")


def replayed() -> None:
    """To be called by what knows by itself that the request came before."""
    g.replayed = True


def install(app: Flask, door: Door) -> None:
    """Must follow what finds out who is asking."""

    @app.before_request
    def look_for_key() -> Response | None:
        key = request.headers.get(HEADER)
        endpoint = request.endpoint or ""
        if (
            key is None
            or endpoint in ORDERS
            or not request.path.startswith("/api/v1/")
            or not takes_key(endpoint, request.method)
        ):
            return None
        if endpoint in _LARGE:
            request.max_content_length = _LARGE[endpoint]
        account = door.account
        known = begin(door.services, account, key, _fingerprint(), secret_key=door.options.secret_key)
        if known is None:
            g.begun = _Begun(account.id, key)
            return None
        replayed()
        return Response(known.body, known.status, dict(known.headers))

    @app.after_request
    def keep_answer(response: Response) -> Response:
        if g.get("replayed"):
            response.headers[REPLAYED] = "true"
        begun: _Begun | None = g.pop("begun", None)
        if begun is not None:
            try:
                _keep_or_forget(door, begun, response)
            except StablehandError as error:  # whoever sends it again will be told that nobody knows
                log.error("the answer to a request with an Idempotency-Key was not kept", code=error.code)
        return response


def document(spec: dict[str, Any], endpoints: dict[tuple[str, str], str]) -> None:
    """Describe the header wherever it counts. ``endpoints``: (path of the document, method) -> endpoint."""
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            endpoint = endpoints.get((path, method.upper()))
            if endpoint is None or not path.startswith("/api/v1/") or not takes_key(endpoint, method.upper()):
                continue
            parameters = operation.setdefault("parameters", [])
            if not any(parameter.get("name") == HEADER for parameter in parameters):
                parameters.append(_PARAMETER)
            refusal = operation["responses"].get("401")
            if refusal is not None:
                operation["responses"].setdefault("409", refusal)
            for status, answer in operation["responses"].items():
                if status.startswith("2"):
                    answer.setdefault("headers", {})[REPLAYED] = _REPLAYED


_PARAMETER = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "description": "Sending the same again with the same key within a day changes nothing and is answered as before.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_REPLAYED = {
    "description": "`true`: this was done before, by a request with the same Idempotency-Key.",
    "schema": {"type": "string", "enum": ["true"]},
}


def _keep_or_forget(door: Door, begun: _Begun, response: Response) -> None:
    length = None if response.is_streamed else response.calculate_content_length()
    if not 200 <= response.status_code < 300 or length is None or length > ANSWER_MAX_BYTES:
        forget(door.services, begun.account_id, begun.key)
        return
    headers = {name: response.headers[name] for name in _KEPT_HEADERS if name in response.headers}
    answer = Answer(status=response.status_code, headers=headers, body=response.get_data(as_text=True))
    keep(door.services, begun.account_id, begun.key, answer, secret_key=door.options.secret_key)


def _fingerprint() -> str:
    """Of everything that a request asks for, however it is spelled: order of fields and boundaries do not matter."""
    told = hashlib.sha256(f"{request.method} {request.path}?{request.query_string.decode('latin-1')}\n".encode())
    if request.mimetype == "multipart/form-data":
        for name, values in sorted(request.form.lists()):
            told.update(json.dumps([name, values]).encode())
        for name, files in sorted(request.files.lists()):
            for file in files:
                told.update(json.dumps([name]).encode())
                told.update(hashlib.file_digest(file.stream, "sha256").digest())  # type: ignore[arg-type]
                file.stream.seek(0)
        return told.hexdigest()
    body = read_bytes(request)
    try:
        told.update(json.dumps(parse_json(body), sort_keys=True).encode())
    except ValueError:
        told.update(body)
    return told.hexdigest()
