"""Flask-Security's forms where ours differ."""

from typing import Any

from flask_login import current_user
from flask_security.forms import ChangePasswordForm, ForgotPasswordForm, LoginForm, RegisterFormV2
from flask_security.utils import hash_password
from wtforms import StringField

from stablehand.domain.errors import AccountSuspended
from stablehand.services import Services
from stablehand.services.invitations import invitation


class SignInForm(LoginForm):  # type: ignore[misc]
    """Without a second cookie that would outlive the session."""

    remember = None

    def validate(self, **kwargs: Any) -> bool:
        """Raises AccountSuspended: only to somebody who has given the right password."""
        good = bool(super().validate(**kwargs))
        if not good and self.user_authenticated and not self.user.is_active:
            raise AccountSuspended(self.user.suspended_reason)
        return good


class ForgottenForm(ForgotPasswordForm):  # type: ignore[misc]
    """A letter goes to addresses that nobody has confirmed as well: it lets their owners do so."""

    def validate(self, **kwargs: Any) -> bool:
        return bool(super(ForgotPasswordForm, self).validate(**kwargs) and self.user.is_active)


class ForgottenFormForSome(ForgottenForm):
    """For all but those whom an identity provider vouches for: no letter is a way around it."""

    def validate(self, **kwargs: Any) -> bool:
        if not super().validate(**kwargs):
            return False
        # Nobody else has confirmed an address without choosing a password.
        return self.user.password is not None or self.user.confirmed_at is None


class ChangeFormForSome(ChangePasswordForm):  # type: ignore[misc]
    """The same for whoever has signed in."""

    def validate(self, **kwargs: Any) -> bool:
        good = super().validate(**kwargs)
        if current_user.password is None:
            self.new_password.errors = ["cannot be set: an identity provider vouches for this account"]
            return False
        return bool(good)


#: in place of others where there is an identity provider
PROVIDED_FORMS = {"forgot_password_form": ForgottenFormForSome, "change_password_form": ChangeFormForSome}


def sign_up_form(services: Services, sign_up: str) -> type[RegisterFormV2]:
    """``sign_up``: open, invitation or closed."""

    class SignUpForm(RegisterFormV2):  # type: ignore[misc]
        """Without a password: whoever reads the letters of the address chooses it.

        Else somebody could sign up with another person's address and a password of their own, and would be let in as
        soon as that person confirms the address.
        """

        password = None
        invitation = StringField("Invitation")

        def to_dict(self, only_user: bool) -> dict[str, Any]:
            if only_user:
                # An address that has an account costs as much, so that nobody can tell by the clock.
                hash_password("not-a-password")
            return {**super().to_dict(only_user), "password": None}

        def validate(self, **kwargs: Any) -> bool:
            good = super(RegisterFormV2, self).validate(**kwargs)
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


#: endpoint -> what may be sent there; what is not listed takes nothing
FIELDS: dict[str, frozenset[str]] = {
    "security.login": frozenset({"email", "password"}),
    "security.verify": frozenset({"password"}),
    "security.register": frozenset({"email", "invitation"}),
    "security.send_confirmation": frozenset({"email"}),
    "security.forgot_password": frozenset({"email"}),
    "security.reset_password": frozenset({"password", "password_confirm"}),
    "security.change_password": frozenset({"password", "new_password", "new_password_confirm"}),
    "security.change_email": frozenset({"email"}),
    "security.two_factor_setup": frozenset({"setup"}),
    "security.two_factor_setup_validate": frozenset({"code"}),
    "security.two_factor_token_validation": frozenset({"code"}),
    "security.two_factor_select": frozenset({"which"}),
    "security.two_factor_rescue": frozenset({"help_setup"}),
    "security.mf_recovery": frozenset({"code"}),
}


def wrong_fields(endpoint: str, body: dict[str, Any]) -> dict[str, str]:
    """Field -> what it must be. Forms would look past what they do not know; a text that somebody has chosen to send
    along, a role perhaps, shall not seem to have been taken."""
    known = FIELDS.get(endpoint, frozenset())
    wrong = {name: "must be a text" for name, value in body.items() if not isinstance(value, str | bool | None)}
    wrong |= {name: "is not a known field" for name in body if name not in known}
    if endpoint == "security.register" and "password" in body:
        wrong |= {"password": "is chosen by the link in the letter, once the address is known to be yours"}
    return wrong
