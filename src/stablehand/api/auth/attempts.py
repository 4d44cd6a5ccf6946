"""Guessing and pestering, made slow: what is tried at the sign-in, and letters that are asked for.

Every try counts for the address that it comes from and for the account that it is about, whether there is such an
account or not, and is taken back when it was good. A stranger who tries again and again makes others wait who try the
same account from browsers that it does not know; browsers that have signed in to it before have a count of their own,
and so has the one that a new password was chosen in by the link of a letter. So nobody can lock anybody out for long.
"""

import hashlib
import secrets
from typing import Any

from flask import Flask, Response, current_app, g, request, session
from flask_login import current_user
from flask_security import password_reset, user_authenticated
from itsdangerous import BadSignature, URLSafeSerializer

from stablehand.api.auth.members import Member
from stablehand.api.door import Door
from stablehand.api.options import Rates
from stablehand.api.reading import read_object
from stablehand.api.throttle import Count, Throttle, network
from stablehand.domain.credentials import fold_address
from stablehand.domain.errors import TooManyAttempts, TooManyRequests
from stablehand.services.accounts import credentials

#: where a password or a code is tried
_GUESSES = frozenset(
    {
        "security.login",
        "security.two_factor_token_validation",
        "security.mf_recovery",
        "security.verify",
        "security.change_password",
    }
)
#: where the secret of a link is tried, which says by itself whose it is
_LINKS = frozenset({"security.reset_password", "doorway.claim"})
#: where a letter is asked for
_LETTERS = frozenset(
    {"security.register", "security.send_confirmation", "security.forgot_password", "security.change_email"}
)

#: a browser stays known for as long without signing in
_KNOWN_SECONDS = 365 * 86_400

_MESSAGE = "Too many passwords, codes or links were wrong."
_HINT = (
    "Wait as long as Retry-After says. A browser that you have signed in with before need not wait for the mistakes of "
    "others; nor need one in which you have chosen a new password by the link of a letter."
)


def install(app: Flask, door: Door, throttle: Throttle) -> None:
    """Count before anything is looked at, and take back afterwards."""
    rates = door.options.rates
    browsers = _KnownBrowsers(door.options.secret_key, https=(door.options.public_url or "").startswith("https://"))

    @app.before_request
    def count() -> None:
        if request.method != "POST":
            return
        endpoint = request.endpoint or ""
        if endpoint in _GUESSES:
            g.tried = _count_guess(door, throttle, rates, browsers)
        elif endpoint in _LINKS:
            g.tried = throttle.count(
                TooManyAttempts, _MESSAGE, _HINT, rates.attempts_per_address, "tries from", network()
            )
        elif endpoint in _LETTERS:
            _count_letter(throttle, rates)

    @app.after_request
    def take_back(response: Response) -> Response:
        tried: list[Count] = g.pop("tried", [])
        if response.status_code < 400 or response.status_code >= 500:
            throttle.take_back(tried)
        address = g.pop("known_address", None)
        if address is not None:
            browsers.remember(response, address)
        return response

    @user_authenticated.connect_via(app)  # type: ignore[untyped-decorator]
    @password_reset.connect_via(app)  # type: ignore[untyped-decorator]
    def know(_: Flask, user: Member, **__: Any) -> None:
        g.known_address = user.email


def count_bad_key(door: Door) -> None:
    """A key was sent that is none. Good ones are never counted here. Raises TooManyAttempts."""
    if door.throttle is not None:
        door.throttle.count(
            TooManyAttempts,
            "Too many requests with keys that are not good come from your address.",
            "Stop the program that sends them, or give it a good key. Requests with good keys pass meanwhile.",
            door.options.rates.attempts_per_address,
            "bad keys from",
            network(),
        )


def _count_guess(door: Door, throttle: Throttle, rates: Rates, browsers: "_KnownBrowsers") -> list[Count]:
    address = _whose(door)
    browser = browsers.known(address) if address else None
    if browser is not None:
        return throttle.count(TooManyAttempts, _MESSAGE, _HINT, rates.attempts_per_account, "tries in", browser)
    counted = throttle.count(TooManyAttempts, _MESSAGE, _HINT, rates.attempts_per_address, "tries from", network())
    if not address:
        return counted
    try:
        return counted + throttle.count(
            TooManyAttempts, _MESSAGE, _HINT, rates.attempts_per_account, "tries at", _digest(address)
        )
    except TooManyAttempts:
        throttle.take_back(counted)  # whoever has to wait for the mistakes of others has made none
        raise


def _count_letter(throttle: Throttle, rates: Rates) -> None:
    hint = "Look into your mail, also among the unwanted: links in letters are good for a day, whoever asked for them."
    message = "Too many letters were asked for."
    throttle.count(TooManyRequests, message, hint, rates.letters_per_address, "letters from", network())
    mailbox = _given_address()
    if mailbox:
        throttle.count(TooManyRequests, message, hint, rates.letters_per_mailbox, "letters to", _digest(mailbox))


def _whose(door: Door) -> str:
    """Address of the account that is tried; empty when none was named."""
    if request.endpoint == "security.login":
        return _given_address()
    if current_user.is_authenticated:
        return str(current_user.email)
    uniquifier = session.get("tf_user_id")  # whose password was good, and whose code is wanted
    known = credentials(door.services, uniquifier=str(uniquifier)) if uniquifier else None
    return known.address if known else ""


def _given_address() -> str:
    """In the one form that accounts are looked up by: else each way to write it would have a count of its own."""
    given = read_object(request).get("email")
    if not isinstance(given, str):
        return ""
    try:
        return fold_address(current_app.extensions["security"]._mail_util.normalize(given))
    except ValueError:
        return fold_address(given)


def _digest(address: str) -> str:
    """So that no addresses lie in Redis."""
    return hashlib.sha256(address.encode()).hexdigest()[:32]


class _KnownBrowsers:
    """A cookie that says, signed: this browser has signed in to that account before."""

    def __init__(self, secret_key: str, *, https: bool) -> None:
        self._signer = URLSafeSerializer(secret_key, salt="known browser")
        self._name = "__Host-stablehand-known" if https else "stablehand-known"
        self._https = https

    def known(self, address: str) -> str | None:
        """What counts for this browser alone; None when it has never signed in as ``address``."""
        try:
            whose, browser = self._signer.loads(request.cookies.get(self._name, ""))
        except (BadSignature, ValueError, TypeError):
            return None
        return str(browser) if whose == _digest(address) else None

    def remember(self, response: Response, address: str) -> None:
        if self.known(address) is None:
            response.set_cookie(
                self._name,
                self._signer.dumps([_digest(address), secrets.token_hex(16)]),
                max_age=_KNOWN_SECONDS,
                secure=self._https,
                httponly=True,
                samesite="Lax",
            )
