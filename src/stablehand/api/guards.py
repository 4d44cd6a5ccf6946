"""Guards of the first day: who may knock, from which page, and what a browser may do with the answer.

Host names are checked against DNS rebinding: a foreign name that resolves to this machine still sends its own Host.
Origin is checked on every write and on the Socket.IO handshake, whatever the Content-Type says.
"""

import secrets
from collections.abc import Mapping
from ipaddress import ip_address
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

from stablehand.api.errors import BadHost, BadOrigin
from stablehand.api.options import Options
from stablehand.domain.errors import InvalidFields

#: asked by machines that reach the server by whatever name they have; the agents' doors carry their own token
EXEMPT = ("/agent/v1/", "/healthz", "/readyz", "/metrics")

#: whose answers are as private as those of our own API
DIALECTS = ("/sdapi/", "/internal/", "/controlnet/", "/v1/")

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

CSP = (
    "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; "
    "connect-src 'self'; base-uri 'self'; form-action 'self'; object-src 'none'; frame-ancestors 'none'"
)
#: the documentation page starts itself from an inline script
DOCS_CSP = CSP.replace("script-src 'self'", "script-src 'self' 'unsafe-inline'")

HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}

CORS_METHODS = "GET, POST, PATCH, DELETE"
CORS_HEADERS = "Content-Type, Authorization, X-Api-Key, Idempotency-Key, If-Match, If-None-Match"
EXPOSED_HEADERS = "Retry-After, X-Request-Id, X-Task-Id, ETag, Idempotent-Replayed"
#: what OpenAI's own client for browsers sends besides
_STAINLESS = ("Arch", "Lang", "OS", "Package-Version", "Retry-Count", "Runtime", "Runtime-Version", "Timeout")
OPENAI_HEADERS = ", ".join(("OpenAI-Organization", "OpenAI-Project", *(f"X-Stainless-{name}" for name in _STAINLESS)))


class Gate:
    """The rules about Host and Origin, for Flask and for the Socket.IO handshake alike."""

    def __init__(self, options: Options) -> None:
        public = urlsplit(options.public_url or "")
        self._public_origin = f"{public.scheme}://{public.netloc}".lower() if public.netloc else None
        self._hosts = {name.lower() for name in options.allowed_hosts}
        if public.hostname:
            self._hosts.add(public.hostname.lower())
        #: any site's pages, but only with an API key, which no browser sends by itself; nothing without accounts
        self.any_origin = "*" in options.cors_origins and options.accounts is not None
        self.other_origins = frozenset(origin.rstrip("/").lower() for origin in options.cors_origins) - {"*"}

    def knows_host(self, host: str) -> bool:
        """Whether a Host header (name or address, with or without port) is one of this server's own."""
        name = _name_of(host)
        if name is None:
            return False
        if name == "localhost" or name.endswith(".localhost") or name in self._hosts or host.lower() in self._hosts:
            return True
        try:
            return ip_address(name).is_loopback
        except ValueError:
            return False

    def knows_origin(self, origin: str, host: str, scheme: str) -> bool:
        """Whether a write from a page at ``origin`` may pass: our own page's, or a configured one's."""
        given = origin.lower()
        if given in self.other_origins or given == self._public_origin:
            return True
        return given == f"{scheme}://{host}".lower() and self.knows_host(host)


def _sends_key() -> bool:
    return "Authorization" in request.headers or "X-Api-Key" in request.headers


def _name_of(host: str) -> str | None:
    """The name in a Host header without port and brackets; None when it is not one."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port  # raises ValueError for nonsense after the colon
    except ValueError:
        return None
    if parts.username or parts.path or parts.query or parts.fragment:
        return None
    return parts.hostname


def name_requests(app: Flask) -> None:
    """Give each request an id, before anything can refuse it: whatever is refused is logged by it."""

    @app.before_request
    def name_request() -> None:
        g.request_id = secrets.token_hex(8)


def install(
    app: Flask, gate: Gate, query_names: Mapping[str, frozenset[str] | None], pictures_origin: str | None = None
) -> None:
    """Stand guard before and after every request.

    ``query_names``: endpoint -> query parameters it knows; None: it takes what comes. ``pictures_origin``: another
    host that pages may show pictures from.
    """
    page_csp, docs_csp = (
        policy.replace("img-src 'self'", f"img-src 'self' {pictures_origin}") if pictures_origin else policy
        for policy in (CSP, DOCS_CSP)
    )

    @app.before_request
    def check_caller() -> Response | None:
        if not request.path.startswith(EXEMPT):
            if not gate.knows_host(request.host):
                raise BadHost(
                    "This server does not answer to the name in the Host header.",
                    hint="Set api.public_url or api.allowed_hosts to the names it is reached by.",
                )
            origin = request.headers.get("Origin")
            if (
                origin
                and request.method not in SAFE_METHODS
                and not gate.knows_origin(origin, request.host, request.scheme)
                and not (gate.any_origin and _sends_key())
            ):
                raise BadOrigin(
                    "A page of another site may not write here.",
                    hint="Set api.cors_origins to the sites whose pages may.",
                )
            # Browsers say where a request comes from even where they send no Origin.
            if (
                not origin
                and request.method not in SAFE_METHODS
                and request.headers.get("Sec-Fetch-Site", "none") not in {"none", "same-origin"}
                and not (gate.any_origin and _sends_key())
            ):
                raise BadOrigin("A page of another site may not write here.")
            if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
                return app.make_response(("", 204))
        return None

    @app.before_request
    def refuse_stray_parameters() -> None:
        if request.url_rule and request.path.startswith(("/api/", "/agent/")):
            known = query_names.get(request.endpoint or "", frozenset())
            if known is None:
                return
            stray = {name: "is not a known parameter" for name in request.args if name not in known}
            if stray:
                raise InvalidFields(stray)

    @app.after_request
    def dress(response: Response) -> Response:
        for name, value in HEADERS.items():
            response.headers.setdefault(name, value)
        # Pages of sites that may not call us may not show our pictures either.
        response.headers.setdefault(
            "Cross-Origin-Resource-Policy", "cross-origin" if gate.other_origins else "same-origin"
        )
        csp = docs_csp if request.path.startswith("/openapi/") else page_csp
        response.headers.setdefault("Content-Security-Policy", csp)
        response.headers["X-Request-Id"] = g.get("request_id", "")
        if request.path.startswith(("/api/", *DIALECTS)):
            response.headers.setdefault("Cache-Control", "no-store")
        if (gate.other_origins or gate.any_origin) and not request.path.startswith(EXEMPT):
            response.vary.add("Origin")
            origin = request.headers.get("Origin", "")
            known = origin.lower() in gate.other_origins
            asks_first = request.method == "OPTIONS"  # without its key, which it only names
            if known or (gate.any_origin and origin and (asks_first or _sends_key())):
                response.headers["Access-Control-Allow-Origin"] = origin if known else "*"
                response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
                if request.method == "OPTIONS":
                    response.headers["Access-Control-Allow-Methods"] = CORS_METHODS
                    further = f", {OPENAI_HEADERS}" if request.path.startswith("/v1/") else ""
                    response.headers["Access-Control-Allow-Headers"] = CORS_HEADERS + further
                    response.headers["Access-Control-Max-Age"] = "600"
        return response
