"""Signing in by an identity provider: to it, back from it, and out of it.

The code flow of OpenID Connect with PKCE, state and nonce, by Authlib. All three routes are gone to by a browser, so
that their refusals lead to the sign-in page, which has words for each :data:`stablehand.domain.provider.Problem`.
"""

from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any
from urllib.parse import urlencode

import structlog
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.base_client.errors import MismatchingStateError
from authlib.integrations.flask_client import OAuth
from flask import Blueprint, Flask, current_app, redirect, request, session
from flask.typing import ResponseReturnValue
from flask_login import current_user
from flask_security.utils import login_user, logout_user
from joserfc.errors import JoseError
from requests import RequestException

from stablehand.api.auth.members import Member
from stablehand.api.door import Door
from stablehand.api.options import AccountOptions, ProviderOptions
from stablehand.domain.errors import NotFound
from stablehand.domain.provider import Problem, SignInRefused
from stablehand.services.accounts import credentials
from stablehand.services.arrive import arrive

PREFIX = "/api/v1/auth/oidc"
#: what follows the house's own address in the redirect URI that the provider must know
CALLBACK_PATH = f"{PREFIX}/callback"
SIGN_OUT_PATH = f"{PREFIX}/sign-out"

#: the callback takes what comes: providers add parameters of their own
QUERY_NAMES: Mapping[str, frozenset[str] | None] = {
    "oidc.sign_in": frozenset({"to", "invitation"}),
    "oidc.come_back": None,
    "oidc.sign_out": frozenset(),
}

#: keys in the cookie: where to go and by which invitation; that the session being begun, or begun, is by the provider
_JOURNEY, _ARRIVING, _ARRIVED = "oidc", "oidc_arriving", "by_provider"
#: how Authlib's own keys in the cookie begin: one for each journey that has not ended
_STATES = "_state_oidc_"
_MAX_CHARACTERS = 500

log = structlog.get_logger("stablehand.oidc")


def routes(app: Flask, door: Door, accounts: AccountOptions) -> Blueprint:
    blueprint = Blueprint("oidc", __name__, url_prefix=PREFIX)
    provider = accounts.provider
    client = None if provider is None else _client(app, provider)

    def house() -> str:
        # The guard has seen that the Host header is one of our own names.
        return (door.options.public_url or request.host_url).rstrip("/")

    def known() -> tuple[ProviderOptions, Any]:
        if provider is None:
            raise NotFound("Nobody signs in by a provider here.", hint="See the settings auth.oidc.")
        return provider, client

    @blueprint.get("/sign-in")
    @_refusals_on_the_page
    def sign_in() -> ResponseReturnValue:
        """Go to the provider. ``to``: the page to come back to; ``invitation``: the token of one."""
        options, client = known()
        _check_issuer(client, options)
        for name in [name for name in session if name.startswith(_STATES)]:
            session.pop(name)  # of journeys that have not ended: cookies are small
        session[_JOURNEY] = {name: request.args.get(name, "")[:_MAX_CHARACTERS] for name in ("to", "invitation")}
        answer: ResponseReturnValue = client.authorize_redirect(house() + CALLBACK_PATH)
        return answer

    @blueprint.get("/callback")
    @_refusals_on_the_page
    def come_back() -> ResponseReturnValue:
        """Come back from the provider with a code, and go on to the page."""
        options, client = known()
        journey = session.pop(_JOURNEY, {})
        if "error" in request.args:
            log.warning("the provider refused", error=request.args["error"][:_MAX_CHARACTERS])
            raise SignInRefused("provider_refused" if request.args["error"] == "access_denied" else "provider_trouble")
        issuer = _check_issuer(client, options)
        account = arrive(
            door.services,
            _claims(client, options, issuer),
            issuer,
            options.rules,
            invitation=journey.get("invitation") or None,
            came_from=request.remote_addr or "",
        )
        found = credentials(door.services, account_id=account.id)
        if found is None or found.state != "active":
            raise SignInRefused("account_unusable")
        if current_user.is_authenticated:
            logout_user()
        session[_ARRIVING] = True
        member, to = Member.of(found), _page(journey.get("to"))
        # Whoever has turned one-time codes on is asked for one on this way too; the answer is for forms, not for us.
        if current_app.extensions["security"].two_factor_plugins.tf_enter(member, False, "oidc", None) is not None:
            return redirect("/sign-in?" + urlencode({"step": "code", "to": to}))
        login_user(member, authn_via=["oidc"])
        return redirect(to)

    @blueprint.get("/sign-out")
    @_refusals_on_the_page
    def sign_out() -> ResponseReturnValue:
        """Go to the provider to sign out there too, after having signed out here."""
        options, client = known()
        _check_issuer(client, options)
        end = client.load_server_metadata().get("end_session_endpoint")
        if not end:
            return redirect("/sign-in")
        asked = {"client_id": options.client_id, "post_logout_redirect_uri": house() + "/sign-in"}
        return redirect(f"{end}{'&' if '?' in end else '?'}{urlencode(asked)}")

    return blueprint


def note_begun() -> None:
    """Remember in the cookie whether the session that begins now is by the provider."""
    session[_ARRIVED] = session.pop(_ARRIVING, False)


def sign_out_path(accounts: AccountOptions) -> str | None:
    """Where whoever signs out goes on to; None where that ends at our own door."""
    by_provider = accounts.provider is not None and accounts.provider.sign_out and session.get(_ARRIVED)
    return SIGN_OUT_PATH if by_provider else None


def _client(app: Flask, provider: ProviderOptions) -> Any:
    return OAuth(app).register(
        "oidc",
        client_id=provider.client_id,
        client_secret=provider.client_secret,
        server_metadata_url=provider.issuer.rstrip("/") + "/.well-known/openid-configuration",
        client_kwargs={
            "scope": provider.scopes,
            "code_challenge_method": "S256",
            "default_timeout": provider.timeout_seconds,
            **({} if provider.client_secret else {"token_endpoint_auth_method": "none"}),
        },
    )


def _check_issuer(client: Any, provider: ProviderOptions) -> str:
    """What the provider calls itself. Raises SignInRefused when that is not what the settings call it."""
    said = client.load_server_metadata().get("issuer")
    if not isinstance(said, str) or said.rstrip("/") != provider.issuer.rstrip("/"):
        log.error("the provider calls itself by another name than auth.oidc.issuer", said=said)
        raise SignInRefused("provider_trouble")
    return said


def _claims(client: Any, provider: ProviderOptions, issuer: str) -> dict[str, Any]:
    """What the provider says of whoever has come back: of the signed token, and of its user info where there is one."""
    metadata = client.load_server_metadata()
    token = client.authorize_access_token(
        claims_options={
            "iss": {"essential": True, "values": [issuer]},
            "aud": {"essential": True, "values": [provider.client_id]},
        }
    )
    claims = token.get("userinfo")
    if not claims or not isinstance(claims["sub"], str):
        log.error("the provider sent no ID token")
        raise SignInRefused("provider_trouble")
    if "userinfo_endpoint" not in metadata:
        return _with_address(claims)
    told = client.userinfo(token=token)  # not signed, but fetched with the token, over TLS
    if told.get("sub") != claims["sub"]:
        log.error("the provider's user info is about somebody else")
        raise SignInRefused("provider_trouble")
    return _with_address({**told, **claims})


def _with_address(claims: Mapping[str, Any]) -> dict[str, Any]:
    """The same, with the address in the form that signing up gives it; without what is no address."""
    kept = dict(claims)
    try:
        kept["email"] = current_app.extensions["security"]._mail_util.validate(str(claims.get("email") or ""))
    except ValueError:
        kept.pop("email", None)
    return kept


def _page(asked: object) -> str:
    """A path of our own page, never another site."""
    if not isinstance(asked, str) or not asked.startswith("/") or asked[1:2] in ("/", "\\"):
        return "/"
    return asked if asked.isprintable() else "/"


def _refusals_on_the_page(view: Callable[[], ResponseReturnValue]) -> Callable[[], ResponseReturnValue]:
    """Whoever is turned away is a person before a page: lead them to ours, which says why."""

    @wraps(view)
    def shown() -> ResponseReturnValue:
        problem: Problem | str
        try:
            return view()
        except SignInRefused as error:
            problem = error.code
        except MismatchingStateError:
            problem = "sign_in_expired"
        except RequestException as error:
            log.error("the provider does not answer", exc_info=error)
            problem = "provider_away"
        except (AuthlibBaseError, JoseError, RuntimeError, ValueError, KeyError) as error:
            log.error("the provider answers what it should not", exc_info=error)
            problem = "provider_trouble"
        return redirect("/sign-in?" + urlencode({"problem": problem}))

    return shown
