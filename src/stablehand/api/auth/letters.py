"""The letters that signing up and signing in need, in our words."""

from collections.abc import Callable, Mapping
from typing import Any

from flask import Flask, request, url_for
from flask_security import MailUtil

from stablehand.domain.letters import Letter

#: Flask-Security's name of a letter -> (subject, text); the text's {link} is the address to open.
LETTERS: Mapping[str, tuple[str, str]] = {
    "welcome": (
        "Confirm your address",
        "Somebody, probably you, has made an account with this address at {house}.\n\n"
        "Open this link to confirm that the address is yours, and sign in:\n\n{link}\n\n"
        "If it was not you, do nothing: without the confirmation nobody can use the account.",
    ),
    "welcome_existing": (
        "You have an account already",
        "Somebody, probably you, has tried to sign up with this address at {house}, but it has an account already.\n\n"
        "If you have forgotten the password, choose a new one here:\n\n{link}\n\n"
        "If it was not you, do nothing.",
    ),
    "confirmation_instructions": (
        "Confirm your address",
        "Open this link to confirm that this address is yours, and sign in at {house}:\n\n{link}",
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
        "Open this link within two hours to make this the address of your account at {house}:\n\n{link}\n\n"
        "If you did not ask for that, do nothing.",
    ),
}


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
            if name == "welcome_existing" and kwargs.get("confirmation_token"):
                name = "confirmation_instructions"  # the account is there, but nobody has confirmed it yet
            known_subject, text = LETTERS[name]
            post(
                Letter(
                    to=recipient,
                    subject=known_subject,
                    text=text.format(house=house, link=house + _path(kwargs)) + "\n",
                )
            )

    return Letters


def _path(context: Mapping[str, Any]) -> str:
    """What the letter's link leads to."""
    if token := context.get("confirmation_token"):
        return url_for("security.confirm_email", token=token)
    if token := context.get("reset_token"):
        return f"/reset?token={token}"
    if token := context.get("token"):
        return url_for("security.change_email_confirm", token=token)
    return ""
