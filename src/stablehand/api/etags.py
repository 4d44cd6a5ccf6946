"""ETag, If-Match and If-None-Match of what people edit.

An ETag has two parts: ``"<version>.<content>"``. The version stands for what can be edited, the content for all that
the answer says, counts and times too. If-None-Match compares all of it, If-Match the version only: that a counter went
on is no reason to refuse an edit. Without If-Match an edit is done whatever has happened meanwhile.
"""

import hashlib
from typing import Any

from flask import Response, request
from pydantic import BaseModel

from stablehand.api.door import reply
from stablehand.api.guards import SAFE_METHODS
from stablehand.api.schemas import Error

#: what a route that looks at If-Match may answer besides; by it the document knows those routes
CHANGED: dict[Any, Any] = {412: Error}


def reply_tagged(model: BaseModel, version: str) -> Response:
    """A model with its ETag; 304 for whoever has it. ``version``: as ``domain.versions`` makes them."""
    response = reply(model)
    response.set_etag(f"{version}.{hashlib.sha256(response.get_data()).hexdigest()[:16]}")
    if request.method in SAFE_METHODS and request.if_none_match.contains(response.get_etag()[0] or ""):
        unchanged = Response(status=304)
        unchanged.headers["ETag"] = response.headers["ETag"]
        return unchanged
    return response


def expected_versions() -> frozenset[str] | None:
    """The versions that If-Match names; None: any will do.

    Weak ones count as well: proxies that compress answers make ours weak.
    """
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return None
    return frozenset(tag.partition(".")[0] for tag in request.if_match.as_set(include_weak=True) if tag)


def document(spec: dict[str, Any]) -> None:
    """Describe the headers: of every operation that may answer 412, and of the look at what it edits."""
    for operations in spec["paths"].values():
        edits = [operation for operation in operations.values() if "412" in operation.get("responses", {})]
        for operation in edits:
            operation.setdefault("parameters", []).append(_IF_MATCH)
        look = operations.get("get")
        if edits and look is not None:
            look.setdefault("parameters", []).append(_IF_NONE_MATCH)
            look["responses"]["304"] = {"description": "It is as the caller has it.", "headers": {"ETag": _ETAG}}
        for operation in (look, *edits) if edits and look is not None else ():
            if "200" in operation["responses"]:
                operation["responses"]["200"].setdefault("headers", {})["ETag"] = _ETAG


_IF_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "An ETag: the change is made only if nobody else has made one since; else 412.",
    "schema": {"type": "string"},
}
_IF_NONE_MATCH = {
    "name": "If-None-Match",
    "in": "header",
    "required": False,
    "description": "An ETag: the answer is 304, without content, if it has not changed since.",
    "schema": {"type": "string"},
}
_ETAG = {"description": "Stands for this content; for If-Match and If-None-Match.", "schema": {"type": "string"}}
