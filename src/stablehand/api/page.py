"""The page: built files with long caches, and the one document that every route of the page starts from."""

from pathlib import Path

from flask import Blueprint, Response, request, send_from_directory
from flask.typing import ResponseReturnValue
from werkzeug.exceptions import NotFound

from stablehand.api.errors import turned_away

#: addresses that belong to machines; a wrong one there is a 404, not the page
RESERVED = (
    "api",
    "agent",
    "sdapi",
    "v1",
    "v1alpha1",
    "v1alpha2",
    "controlnet",
    "internal",
    "openapi",
    "socket.io",
    "healthz",
    "readyz",
    "metrics",
    "assets",
    "shared",
)

NOT_BUILT = (
    "<!doctype html><meta charset=utf-8><title>Stablehand</title><p>The server runs, but its page has not been built. "
    "Run <code>make install</code> in the project's folder and reload. The API is described at "
    "<a href=/openapi/>/openapi/</a>."
)


def routes(static_dir: Path) -> Blueprint:
    page = Blueprint("page", __name__)

    @page.get("/assets/<path:name>")
    def asset(name: str) -> Response:
        response = send_from_directory(static_dir / "assets", name)
        # Their names carry a hash of their content.
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    # Not a route for every path: that would answer for the wrong method at an address that exists.
    @page.app_errorhandler(NotFound)
    def document(error: NotFound) -> ResponseReturnValue:
        """The page's own routes live in the browser; whatever no machine's address begins with leads there."""
        name = request.path.strip("/")
        if request.method not in ("GET", "HEAD") or name.partition("/")[0] in RESERVED:
            return turned_away(error)
        if name and (static_dir / name).is_file():
            try:
                response = send_from_directory(static_dir, name)
            except NotFound:
                return turned_away(error)  # it lies outside
            response.headers["Cache-Control"] = "no-cache"  # asked again each time, answered by 304
            return response
        if not (static_dir / "index.html").is_file():
            return Response(NOT_BUILT, status=503, mimetype="text/html", headers={"Cache-Control": "no-store"})
        response = send_from_directory(static_dir, "index.html")
        response.headers["Cache-Control"] = "no-cache"
        return response

    return page
