"""Flask-Security's answers in our shapes."""

import base64
from typing import Any, NoReturn

import qrcode
import qrcode.image.svg
from flask import Response, jsonify, request

from stablehand.domain.errors import Conflict, Forbidden, InvalidFields, StablehandError, Unauthorized


class SignInFailed(Unauthorized):
    """Address, password or code were wrong; which of them is nobody's business."""

    code = "sign_in_failed"


class SignInAgain(Unauthorized):
    """The session is good, but what is asked for needs a password that was given just now."""

    code = "sign_in_again"


class LinkExpired(Conflict):
    """A link from a letter is not good any more."""

    code = "link_expired"


#: where anything wrong means that somebody could not show who they are
_SIGNING_IN = {"security.login", "security.two_factor_token_validation", "security.mf_recovery", "security.verify"}


def answer(payload: dict[str, Any], code: int, headers: dict[str, str] | None, user: object) -> Response:
    """Flask-Security's hook for JSON. Raises what its errors mean here."""
    del headers, user
    if code >= 400:
        _refuse(payload, code)
    shown = {name: value for name, value in payload.items() if name not in {"user", "identity_attributes"}}
    if "tf_authr_uri" in shown:
        shown["qr"] = qr_code(str(shown["tf_authr_uri"]))
    return jsonify(shown)


def qr_code(text: str) -> str:
    """The text as a picture in a ``data:`` address."""
    picture = qrcode.make(text, image_factory=qrcode.image.svg.SvgPathImage).to_string()
    return "data:image/svg+xml;base64," + base64.b64encode(picture).decode()


def unauthenticated(*_: object, **__: object) -> NoReturn:
    raise not_signed_in()


def stale(*_: object, **__: object) -> NoReturn:
    raise SignInAgain("This needs your password once more.", hint="Give it to POST /api/v1/auth/verify, then repeat.")


def forbidden(*_: object, **__: object) -> NoReturn:
    raise Forbidden("You may not do this.")


def not_signed_in() -> Unauthorized:
    return Unauthorized(
        "Nobody is signed in.",
        hint="Sign in on the page, or send an API key: `Authorization: Bearer KEY`.",
    )


def _refuse(payload: dict[str, Any], code: int) -> NoReturn:
    fields = {name or "form": " ".join(map(str, words)) for name, words in (payload.get("field_errors") or {}).items()}
    said = " ".join(map(str, payload.get("errors") or ()))
    if request.endpoint in _SIGNING_IN and (said or fields):
        raise SignInFailed(
            "Signing in did not work: address, password or code is wrong, or the account cannot be used.",
            hint="Check them; a new account must be confirmed by the link in its letter.",
        )
    if request.endpoint == "security.reset_password" and set(fields) <= {"form", "None"}:
        raise LinkExpired("This link is not good any more.", hint="Ask for another one.")
    if fields and set(fields) - {"form", "None"}:
        raise InvalidFields(fields)
    error = Conflict if code == 400 else StablehandError
    raise error(said or "; ".join(fields.values()) or "That cannot be done now.")
