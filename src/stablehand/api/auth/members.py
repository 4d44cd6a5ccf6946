"""What Flask-Security sees of an account: an object to change, and a datastore that writes it through our use cases."""

import dataclasses
from datetime import datetime
from typing import Any

from flask import request
from flask_security import RoleMixin, UserDatastore, UserMixin
from flask_security.totp import Totp
from passlib.exc import UsedTokenError

from stablehand.domain.credentials import Credentials, fold_address
from stablehand.services import Services
from stablehand.services.accounts import credentials, save_credentials, sign_up, take_totp_counter


class Role(RoleMixin):  # type: ignore[misc]
    """Flask-Security wants one; ours are a column of the account."""


class Member(UserMixin):  # type: ignore[misc]
    """Somebody who signs in, or is about to sign up. ``id`` is None until the account is made."""

    # Flask-Security looks at the class to learn what there is.
    id: str | None = None
    email: str = ""
    password: str | None = None
    active: bool = True
    confirmed_at: datetime | None = None
    fs_uniquifier: str = ""
    tf_primary_method: str | None = None
    tf_totp_secret: str | None = None
    tf_phone_number: str | None = None
    mf_recovery_codes: list[str] | None = None
    invitation: str | None = None
    suspended_reason: str = ""

    def __init__(self, **fields: Any) -> None:
        self.roles: list[Role] = []
        for name, value in fields.items():
            setattr(self, name, value)

    @classmethod
    def of(cls, known: Credentials) -> "Member":
        return cls(
            id=known.account_id,
            email=known.address,
            password=known.password_hash,
            active=known.state != "suspended",
            suspended_reason=known.suspended_reason,
            confirmed_at=known.confirmed_at,
            fs_uniquifier=known.uniquifier,
            tf_primary_method=known.totp_method,
            tf_totp_secret=known.totp_secret,
            mf_recovery_codes=list(known.recovery_codes),
        )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Member) and self.id == other.id and self.id is not None

    def __hash__(self) -> int:
        return hash(self.id)

    def get_security_payload(self) -> dict[str, Any]:
        """Nothing: who one is stands at ``/me``."""
        return {}

    def get_redirect_qparams(self, existing: dict[str, Any] | None = None) -> dict[str, Any]:
        """No address in an address bar."""
        return existing or {}


class Members(UserDatastore):  # type: ignore[misc]
    """Implements Flask-Security's datastore. What is put is written at once, each time in one transaction."""

    def __init__(self, services: Services) -> None:
        super().__init__(Member, Role)
        self._services = services

    def find_user(self, case_insensitive: bool = False, **kwargs: Any) -> Member | None:
        del case_insensitive  # all addresses are folded
        [(name, value)] = kwargs.items()
        if not value:
            return None
        match name:
            case "email":
                known = credentials(self._services, address=str(value))
            case "fs_uniquifier":
                known = credentials(self._services, uniquifier=str(value))
            case _:
                known = credentials(self._services, account_id=str(value))
        return None if known is None else Member.of(known)

    def find_role(self, role: str) -> None:
        """There is none."""

    def put(self, model: Member) -> Member:
        """Raises Conflict when the address has another account, NotFound when an invitation is not good."""
        model.email = fold_address(model.email)
        if model.id is None:
            account = sign_up(
                self._services,
                address=model.email,
                password_hash=model.password,
                uniquifier=model.fs_uniquifier,
                invitation=model.invitation or None,
                came_from=request.remote_addr or "",
            )
            model.id = account.id
            return model
        known = credentials(self._services, account_id=model.id)
        assert known is not None
        changed = dataclasses.replace(
            known,
            address=model.email,
            password_hash=model.password,
            confirmed_at=model.confirmed_at,
            uniquifier=model.fs_uniquifier,
            totp_method=model.tf_primary_method,
            totp_secret=model.tf_totp_secret,
            recovery_codes=tuple(model.mf_recovery_codes or ()),
        )
        if changed != known:
            save_credentials(self._services, changed)
        return model

    def commit(self) -> None:
        """Everything is written by then."""

    def delete(self, model: Member) -> None:
        """Nothing calls it: an account goes with all its data, in the steps of ``services/erase.py``."""
        raise NotImplementedError("accounts are not removed through Flask-Security")


def one_time_codes(services: Services) -> type[Totp]:
    """Flask-Security's one-time codes, of which none is taken twice."""

    class Codes(Totp):  # type: ignore[misc]
        def get_last_counter(self, user: Member) -> int | None:
            known = credentials(services, account_id=user.id) if user.id else None
            return None if known is None else known.totp_counter

        def set_last_counter(self, user: Member, tmatch: Any) -> None:
            """Raises UsedTokenError, upon which the code counts as wrong."""
            if user.id is None or not take_totp_counter(services, user.id, int(tmatch.counter)):
                raise UsedTokenError

    return Codes
