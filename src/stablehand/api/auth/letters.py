"""The letters that signing up and signing in need, in our words."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from flask import Flask, request, url_for
from flask_security import MailUtil
from flask_security.recoverable import generate_reset_password_token

from stablehand.domain.letters import Letter

#: Flask-Security's name of a letter -> (subject, text); the text's {link} is the address to open.
LETTERS: Mapping[str, tuple[str, str]] = {
    "welcome": (
        "Confirm your address",
        "Somebody, probably you, has made an account with this address at {house}.\n\n"
        "Open this link within a day to confirm that the address is yours, and choose a password:\n\n{link}\n\n"
        "If it was not you, do nothing: without the link nobody can use the account.",
    ),
    "welcome_existing": (
        "You have an account already",
        "Somebody, probably you, has tried to sign up with this address at {house}, but it has an account already.\n\n"
        "If you have forgotten the password, choose a new one here:\n\n{link}\n\n"
        "If it was not you, do nothing.",
    ),
    "confirmation_instructions": (
        "Confirm your address",
        "An account at {house} waits for you to confirm this address. Open this link within a day, and choose a "
        "password:\n\n{link}\n\nIf you know of no such account, do nothing.",
    ),
    "reset_instructions": (
        "Choose a new password",
        "Somebody, probably you, has asked for a new password at {house}. Choose it here within a day:\n\n{link}\n\n"
        "If it was not you, do nothing: the old password stays.",
    ),
    "reset_notice": (
        "Your password was changed",
        "The password of your account at {house} was changed by a link from a letter, and all its sessions have ended."
        "\n\nIf it was not you, ask for a new one at once:\n\n{house}/forgot",
    ),
    "change_notice": (
        "Your password was changed",
        "The password of your account at {house} was changed, and all its other sessions have ended.\n\n"
        "If it was not you, ask for a new one at once:\n\n{house}/forgot",
    ),
    "change_email_instructions": (
        "Confirm your new address",
        "Open this link within two hours, in a browser that is signed in there, to make this the address of your "
        "account at {house}:\n\n{link}\n\n"
        "If you did not ask for that, do nothing.",
    ),
}


def invitation_letter(to: str, *, house: str, link: str, expires_at: datetime) -> Letter:
    """Sent to whoever is invited by address."""
    text = (
        f"You are invited to draw pictures at {house}.\n\nOpen this link to make your account:\n\n{link}\n\n"
        f"It is good until {expires_at:%Y-%m-%d %H:%M} UTC, once, and for this address only.\n"
    )
    return Letter(to=to, subject="You are invited", text=text)


def letters_for(post: Callable[[Letter], None], public_url: str | None) -> type[MailUtil]:
    """Flask-Security's way to send mail, by ``post``. Its own templates are not used."""

    class Letters(MailUtil):  # type: ignore[misc]
        def __init__(self, app: Flask) -> None:
            super().__init__(app)

        def send_mail(  # noqa: PLR0917
            self,
            template: str,
            subject: str,
            recipient: str,
            sender: str,
            body: str | None,
            html: str | None,
            **kwargs: Any,
        ) -> None:
            del subject, sender, body, html
            # The guard has seen that the Host header is one of our own names.
            house = (public_url or request.host_url).rstrip("/")
            name = template.rpartition("/")[2]
            member = kwargs["user"]
            is_new = member.confirmed_at is None
            if is_new and name == "reset_notice":
                return  # the first password is no news to whoever has just chosen it
            if is_new and name in {"welcome_existing", "reset_instructions"}:
                name = "confirmation_instructions"  # the account is there, but nobody has confirmed it yet
            known_subject, text = LETTERS[name]
            post(
                Letter(
                    to=recipient,
                    subject=known_subject,
                    text=text.format(house=house, link=house + _path(name, kwargs)) + "\n",
                )
            )

    return Letters


def _path(name: str, context: Mapping[str, Any]) -> str:
    """What the letter's link leads to."""
    if name in {"welcome", "confirmation_instructions"}:
        return f"/reset?new=1&token={generate_reset_password_token(context['user'])}"
    if token := context.get("reset_token"):
        return f"/reset?token={token}"
    if token := context.get("token"):
        return url_for("security.change_email_confirm", token=token)
    return ""
