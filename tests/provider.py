"""A real OpenID Connect provider for tests: Authlib's authorization server, speaking HTTP on a port of its own.

It knows one client, takes codes only with PKCE (S256) and a nonce, and asks nobody for consent: whoever is ``who``
comes back signed in.
"""

import functools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from authlib.integrations.flask_oauth2 import AuthorizationServer
from authlib.oauth2.rfc6749 import ClientMixin, InvalidRequestError
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import AuthorizationCodeMixin, OpenIDCode
from flask import Flask, Response, jsonify, redirect, request
from joserfc.jwk import RSAKey
from werkzeug.serving import make_server

CLIENT_ID, CLIENT_SECRET = "stablehand", "a-secret-of-the-provider's"


@functools.cache
def first_key() -> RSAKey:
    """That providers sign with. Making one takes a while."""
    return RSAKey.generate_key(2048, {"kid": "first"})


@dataclass
class Provider:
    """``people``: subject -> claims. ``who``: the subject that is signed in there; None: whoever comes says no."""

    url: str = ""
    people: dict[str, dict[str, Any]] = field(default_factory=dict)
    who: str | None = None
    redirect_uris: set[str] = field(default_factory=set)  #: empty: any
    issuer: str | None = None  #: another one than its address, which must not be taken
    user_info: dict[str, Any] = field(default_factory=dict)  #: that its user info says besides
    ended: list[dict[str, str]] = field(default_factory=list)  #: what came with each signing out
    codes: "dict[str, Code]" = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)  #: access token -> subject
    key: RSAKey = field(default_factory=first_key)

    @property
    def name(self) -> str:
        return self.issuer or self.url


@dataclass
class Client(ClientMixin):  # type: ignore[misc]
    provider: Provider

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> None:
        return None

    def get_allowed_scope(self, scope: str) -> str:
        return scope

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return not self.provider.redirect_uris or redirect_uri in self.provider.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_basic" and bool(endpoint)

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class Code(AuthorizationCodeMixin):  # type: ignore[misc]
    code: str
    redirect_uri: str
    scope: str
    nonce: str
    subject: str
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str:
        return self.nonce

    def get_auth_time(self) -> None:
        return None

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


def _grant_for(provider: Provider) -> type[AuthorizationCodeGrant]:
    class Grant(AuthorizationCodeGrant):  # type: ignore[misc]
        TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic",)

        def save_authorization_code(self, code: str, request: Any) -> None:
            asked = request.payload.data
            if asked.get("code_challenge_method") != "S256" or not asked.get("code_challenge"):
                raise InvalidRequestError("PKCE is needed, with S256.")
            provider.codes[code] = Code(
                code,
                request.payload.redirect_uri,
                request.scope,
                asked["nonce"],
                request.user,
                asked["code_challenge"],
                asked["code_challenge_method"],
            )

        def query_authorization_code(self, code: str, client: Client) -> Code | None:
            del client
            return provider.codes.get(code)

        def delete_authorization_code(self, authorization_code: Code) -> None:
            del provider.codes[authorization_code.code]

        def authenticate_user(self, authorization_code: Code) -> str:
            return authorization_code.subject

    return Grant


def _openid_for(provider: Provider) -> OpenIDCode:
    class OpenId(OpenIDCode):  # type: ignore[misc]
        def resolve_client_private_key(self, client: Client) -> RSAKey:
            del client
            return provider.key

        def get_client_algorithm(self, client: Client) -> str:
            del client
            return "RS256"

        def get_client_claims(self, client: Client) -> dict[str, Any]:
            return {"iss": provider.name, "aud": [client.get_client_id()]}

        def get_encode_header(self, client: Client) -> dict[str, str]:
            del client
            return {"alg": "RS256", "kid": str(provider.key.kid)}

        def exists_nonce(self, nonce: str, request: Any) -> bool:
            del request
            return any(code.nonce == nonce for code in provider.codes.values())

        def generate_user_info(self, user: str, scope: str) -> dict[str, Any]:
            del scope
            return {"sub": user, **provider.people[user]}

    return OpenId(require_nonce=True)


def _application(provider: Provider) -> Flask:
    app = Flask("provider")
    server = AuthorizationServer(
        app,
        query_client=lambda client_id: Client(provider) if client_id == CLIENT_ID else None,
        save_token=lambda token, request: provider.tokens.update({token["access_token"]: request.user}),
    )
    server.register_grant(_grant_for(provider), [_openid_for(provider), CodeChallenge(required=True)])

    @app.get("/.well-known/openid-configuration")
    def metadata() -> Response:
        return jsonify(
            issuer=provider.name,
            authorization_endpoint=f"{provider.url}/authorize",
            token_endpoint=f"{provider.url}/token",
            userinfo_endpoint=f"{provider.url}/userinfo",
            jwks_uri=f"{provider.url}/keys",
            end_session_endpoint=f"{provider.url}/end",
            id_token_signing_alg_values_supported=["RS256"],
            code_challenge_methods_supported=["S256"],
        )

    @app.get("/authorize")
    def authorize() -> Any:
        grant = server.get_consent_grant(end_user=provider.who)
        return server.create_authorization_response(grant_user=provider.who, grant=grant)

    @app.post("/token")
    def token() -> Any:
        return server.create_token_response()

    @app.get("/userinfo")
    def user_info() -> Any:
        subject = provider.tokens.get(request.headers.get("Authorization", "").removeprefix("Bearer "))
        if subject is None:
            return "", 401
        return jsonify({"sub": subject, **provider.people[subject], **provider.user_info})

    @app.get("/keys")
    def keys() -> Response:
        return jsonify(keys=[json.loads(json.dumps(provider.key.as_dict(private=False)))])

    @app.get("/end")
    def end() -> Any:
        provider.ended.append(dict(request.args))
        return redirect(request.args["post_logout_redirect_uri"])

    return app


@contextmanager
def running_provider() -> Iterator[Provider]:
    """One that answers until the block ends."""
    provider = Provider()
    server = make_server("127.0.0.1", 0, _application(provider), threaded=True)
    provider.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield provider
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
