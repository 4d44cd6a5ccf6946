"""Flask-Security, set up for this house."""

import contextlib
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from flask import Flask, g, redirect, request, session
from flask_login import current_user, user_logged_out
from flask_security import (
    Security,
    change_email_confirmed,
    password_changed,
    password_reset,
    tf_disabled,
    tf_profile_changed,
    user_authenticated,
    user_confirmed,
)
from flask_security.confirmable import confirm_user
from flask_security.utils import check_and_get_token_status
from flask_wtf.csrf import CSRFProtect
from werkzeug.wrappers import Response as BaseResponse

from stablehand.api.auth.answers import answer, forbidden, stale, unauthenticated
from stablehand.api.auth.forms import PROVIDED_FORMS, ForgottenForm, SignInForm, sign_up_form, wrong_fields
from stablehand.api.auth.letters import letters_for
from stablehand.api.auth.members import Member, Members, one_time_codes
from stablehand.api.auth.oidc import note_begun
from stablehand.api.door import Door
from stablehand.api.options import AccountOptions
from stablehand.api.reading import read_object
from stablehand.domain.accounts import Account
from stablehand.domain.audit import Deed
from stablehand.domain.errors import InvalidFields, NotFound
from stablehand.services.accounts import note_deed
from stablehand.services.sessions import account_in_session, begin_session, end_session

#: key of the session's id in the cookie, which Flask signs
_SESSION = "sid"

#: Flask-Security's signal -> what the audit log calls it
_DEEDS = {
    user_confirmed: "address.confirmed",
    password_changed: "password.changed",
    password_reset: "password.reset",
    change_email_confirmed: "address.changed",
    tf_profile_changed: "totp.enabled",
    tf_disabled: "totp.disabled",
}


def install(app: Flask, door: Door, accounts: AccountOptions) -> None:
    """Let people sign up and in, and remember who has."""
    app.config.update(_settings(accounts, door.options.public_url, door.options.secret_key))
    CSRFProtect(app)
    security = Security(
        app,
        Members(door.services),
        register_blueprint=door.options.serves_api,
        login_form=SignInForm,
        register_form=sign_up_form(door.services, accounts.sign_up),
        **(PROVIDED_FORMS if accounts.provider else {"forgot_password_form": ForgottenForm}),
        mail_util_cls=letters_for(accounts.post, door.options.public_url),
        totp_cls=one_time_codes(door.services),
    )
    security.want_json(lambda _: True)
    security.render_json(answer)
    security.unauthn_handler(unauthenticated)
    security.reauthn_handler(stale)
    security.unauthz_handler(forbidden)
    _keep_sessions(app, door, accounts)
    _write_log(app, door)
    _confirm_by_choosing(app)
    _change_addresses_at_home(app)

    @app.before_request
    def read_form() -> None:
        if (request.endpoint or "").startswith("security.") and request.method == "POST":
            problems = wrong_fields(str(request.endpoint), read_object(request))
            if problems:
                raise InvalidFields(problems)


def signed_in() -> tuple[Account, str] | None:
    """(account, id of the session) of the browser that asks; None when it has not signed in."""
    if not current_user.is_authenticated:
        return None
    found: tuple[Account, str] | None = g.get("signed_in")
    return found


def _keep_sessions(app: Flask, door: Door, accounts: AccountOptions) -> None:
    manager = app.login_manager  # type: ignore[attr-defined]
    by_uniquifier = manager._user_callback
    # API keys are looked at by our own door; Flask-Security's tokens are not for sale.
    manager._request_callback = None

    @manager.user_loader  # type: ignore[untyped-decorator]
    def load(uniquifier: str) -> Member | None:
        session_id = session.get(_SESSION)
        account = account_in_session(door.services, session_id, idle_days=accounts.session_days) if session_id else None
        member: Member | None = by_uniquifier(uniquifier) if account is not None else None
        if account is None or member is None or member.id != account.id:
            return None
        g.signed_in = account, session_id
        return member

    @user_authenticated.connect_via(app)  # type: ignore[untyped-decorator]
    def begin(_: Flask, user: Member, **__: Any) -> None:
        assert user.id is not None
        session[_SESSION] = begin_session(
            door.services, user.id, came_from=request.remote_addr or "", browser=request.headers.get("User-Agent", "")
        )
        session.permanent = True
        note_begun()

    @user_logged_out.connect_via(app)  # type: ignore[untyped-decorator]
    def end(_: Flask, user: Member, **__: Any) -> None:
        session_id = session.pop(_SESSION, None)
        if session_id is not None and getattr(user, "id", None) is not None:
            with contextlib.suppress(NotFound):
                end_session(door.services, str(user.id), session_id, came_from=request.remote_addr or "")


def _confirm_by_choosing(app: Flask) -> None:
    """Whoever chooses the first password, by the link of a letter, has shown whose address it is."""

    @password_reset.connect_via(app)  # type: ignore[untyped-decorator]
    def confirm(_: Flask, user: Member, **__: Any) -> None:
        confirm_user(user)


def _change_addresses_at_home(app: Flask) -> None:
    """Have the link that confirms a new address opened by whoever has asked for it.

    Else somebody could have another person's address put on an account of their own, by a letter that the other person,
    or a program that looks through the mail, opens without a thought.
    """

    @app.before_request
    def check_browser() -> BaseResponse | None:
        if request.endpoint != "security.change_email_confirm":
            return None
        if signed_in() is None:
            return redirect(f"/sign-in?{urlencode({'to': request.path})}")
        token = (request.view_args or {}).get("token", "")
        _, _, data = check_and_get_token_status(token, "change_email", timedelta(hours=2))
        if data is not None and data[0] != current_user.fs_uniquifier:
            return redirect("/account?address=refused")
        return None


def _write_log(app: Flask, door: Door) -> None:
    for signal, action in _DEEDS.items():

        def note(_: Flask, user: Member, action: str = action, **__: Any) -> None:
            deed = Deed(action=action, account_id=user.id, subject=user.id or "", address=request.remote_addr or "")
            note_deed(door.services, deed)

        signal.connect(note, app, weak=False)


def _settings(accounts: AccountOptions, public_url: str | None, secret_key: str) -> dict[str, Any]:
    https = (public_url or "").startswith("https://")
    totp_key = hashlib.sha256(b"one-time codes:" + secret_key.encode()).hexdigest()
    cookie = {"samesite": "Lax", "secure": https}
    settings: dict[str, Any] = {
        "URL_PREFIX": "/api/v1/auth",
        "PASSWORD_HASH": "argon2",
        "PASSWORD_SCHEMES": ["argon2"],
        "DEPRECATED_PASSWORD_SCHEMES": [],
        # Argon2 takes passwords of any length by itself.
        "PASSWORD_SINGLE_HASH": True,
        "PASSWORD_HASH_PASSLIB_OPTIONS": {
            "argon2__type": "ID",
            "argon2__memory_cost": accounts.argon2_memory_kib,
            "argon2__time_cost": accounts.argon2_rounds,
            "argon2__parallelism": 1,
        },
        # What goes into links is signed and lives for hours: one round will do.
        "HASHING_SCHEMES": ["hex_sha256"],
        "DEPRECATED_HASHING_SCHEMES": [],
        "PASSWORD_LENGTH_MIN": accounts.password_length,
        "PASSWORD_CONFIRM_REQUIRED": False,
        "REGISTERABLE": accounts.sign_up != "closed",
        "CONFIRMABLE": True,
        "RECOVERABLE": True,
        "CHANGEABLE": True,
        "CHANGE_EMAIL": True,
        "TWO_FACTOR": True,
        "TWO_FACTOR_ENABLED_METHODS": ["authenticator"],
        "TWO_FACTOR_RESCUE_EMAIL": False,
        "TWO_FACTOR_VALIDITY_COOKIE": {**cookie, "httponly": True},
        "MULTI_FACTOR_RECOVERY_CODES": True,
        "TOTP_SECRETS": {"1": totp_key},
        "TOTP_ISSUER": "Stablehand",
        # The house may stand in a network of its own, where no name server knows its addresses.
        "EMAIL_VALIDATOR_ARGS": {"check_deliverability": False, "globally_deliverable": False},
        "RETURN_GENERIC_RESPONSES": True,
        "API_ENABLED_METHODS": ["session"],
        "DATETIME_FACTORY": lambda: datetime.now(UTC),
        "FLASH_MESSAGES": False,
        "EMAIL_SENDER": "stablehand@localhost",
        "EMAIL_HTML": False,
        "CSRF_PROTECT_MECHANISMS": ["session"],
        "CSRF_IGNORE_UNAUTH_ENDPOINTS": True,
        "CSRF_COOKIE_NAME": "XSRF-TOKEN",
        "CSRF_COOKIE": {**cookie, "httponly": False},
        "REDIRECT_BEHAVIOR": "spa",
        # No letter leads there: the first password confirms.
        "POST_CONFIRM_VIEW": "/sign-in?confirmed=1",
        "CONFIRM_ERROR_VIEW": "/confirm",
        "RESET_VIEW": "/reset",
        "RESET_ERROR_VIEW": "/forgot",
        "POST_CHANGE_EMAIL_VIEW": "/account?address=changed",
        "CHANGE_EMAIL_ERROR_VIEW": "/account?address=refused",
        "STATIC_FOLDER": None,
        "CLI_USERS_NAME": None,
        "CLI_ROLES_NAME": None,
    }
    return {
        **{f"SECURITY_{name}": value for name, value in settings.items()},
        "WTF_CSRF_CHECK_DEFAULT": False,
        "WTF_CSRF_TIME_LIMIT": None,
        "WTF_CSRF_HEADERS": ["X-XSRF-TOKEN"],
        # The guard looks at Origin, which says the same as Referer and more.
        "WTF_CSRF_SSL_STRICT": False,
        "SESSION_COOKIE_NAME": "__Host-stablehand" if https else "stablehand",
        "SESSION_COOKIE_SECURE": https,
        "SESSION_COOKIE_HTTPONLY": True,
        "SESSION_COOKIE_SAMESITE": "Lax",
        "PERMANENT_SESSION_LIFETIME": int(accounts.session_days * 86_400),
    }
