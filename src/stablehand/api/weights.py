"""Agents' doors to weights: a file by its hash, in ranges; a folder's list, then its files."""

from collections.abc import Callable
from pathlib import Path

from flask import Blueprint, Response, current_app, send_file

from stablehand.api.door import Door
from stablehand.services.weights import find_part, find_weights, list_weights


def add_routes(api: Blueprint, door: Door, ask_who: Callable[[], object]) -> None:
    """Onto the agents' blueprint. ``ask_who`` raises Unauthorized for those who are none."""

    @api.get("/weights/<sha256>")
    def weights(sha256: str) -> Response:
        ask_who()
        place = find_weights(door.services, sha256)
        if place.is_dir():
            return current_app.response_class(list_weights(place), mimetype="text/plain")
        return _file(place, sha256)

    @api.get("/weights/<sha256>/<path:part>")
    def weights_part(sha256: str, part: str) -> Response:
        ask_who()
        return _file(find_part(door.services, sha256, part), None)


def _file(place: Path, sha256: str | None) -> Response:
    """Whole or in the range that is asked for; the hash is the best of all entity tags."""
    etag: bool | str = sha256 if sha256 is not None else True
    return send_file(place, mimetype="application/octet-stream", conditional=True, etag=etag, max_age=None)
