"""Flask-Security's forms where ours differ."""

from typing import Any

from flask_security.forms import LoginForm, RegisterFormV2
from wtforms import StringField

from stablehand.services import Services
from stablehand.services.invitations import invitation


class SignInForm(LoginForm):  # type: ignore[misc]
    """Without a second cookie that would outlive the session."""

    remember = None


def sign_up_form(services: Services, sign_up: str) -> type[RegisterFormV2]:
    """``sign_up``: open, invitation or closed."""

    class SignUpForm(RegisterFormV2):  # type: ignore[misc]
        invitation = StringField("Invitation")

        def validate(self, **kwargs: Any) -> bool:
            good = super().validate(**kwargs)
            problem = self._invitation_problem()
            if problem:
                self.invitation.errors = [problem]
            return bool(good) and not problem

        def _invitation_problem(self) -> str | None:
            token = self.invitation.data
            if not token:
                return None if sign_up == "open" else "is needed: ask an administrator for one"
            known = invitation(services, token) if isinstance(token, str) else None
            if known is None or known.role == "owner":
                return "is not good any more: ask for another one"
            if known.address not in (None, str(self.email.data).casefold()):
                return "was made for another address"
            return None

    return SignUpForm


def fields_are_plain(body: dict[str, Any]) -> dict[str, str]:
    """Field -> what it must be: forms know texts and switches, nothing nested."""
    return {name: "must be a text" for name, value in body.items() if not isinstance(value, str | bool | None)}
