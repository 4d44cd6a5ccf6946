"""One's own account: what it is, and where it is signed in."""

import dataclasses
import uuid

from flask import Response, current_app, request
from flask_openapi.blueprint import APIBlueprint
from flask_security.utils import logout_user, verify_password

from stablehand.api.account_schemas import AccountOut, FarewellIn, SessionOut, SessionPage
from stablehand.api.auth.oidc import sign_out_path
from stablehand.api.door import BODY_ERRORS, Door, blueprint, reply
from stablehand.api.options import AccountOptions
from stablehand.api.schemas import ById, Error, PageQuery
from stablehand.domain.audit import Deed
from stablehand.domain.credentials import fold_address
from stablehand.domain.errors import InvalidFields
from stablehand.domain.pages import page_of
from stablehand.services.accounts import credentials, note_deed, save_credentials
from stablehand.services.erase import erase
from stablehand.services.sessions import end_session, list_sessions


def routes(door: Door, accounts: AccountOptions) -> APIBlueprint:
    api = blueprint("account", "Your account, for your browser.")

    @api.get("/account", responses={200: AccountOut})
    def read_account() -> Response:
        """Look at what you sign in with."""
        account = door.account
        known = credentials(door.services, account_id=account.id)
        assert known is not None  # it has signed in
        return reply(
            AccountOut(
                id=account.id,
                email=known.address,
                role=account.role,
                tier=account.tier,
                has_password=known.password_hash is not None,
                totp=known.totp_secret is not None,
                recovery_codes=len(known.recovery_codes),
                sign_out_path=sign_out_path(accounts),
            )
        )

    @api.get("/account/sessions", responses={200: SessionPage})
    def browse_sessions(query: PageQuery) -> Response:
        """List the browsers that you are signed in with, the last seen first."""
        found = list_sessions(door.services, door.account, idle_days=accounts.session_days)
        page = page_of("sessions", found, limit=query.limit, cursor=query.cursor)
        items = [
            SessionOut(
                id=public_id(entry.id),
                current=entry.id == door.caller.session,
                created_at=entry.created_at,
                last_seen_at=entry.last_seen_at,
                address=entry.address,
                browser=entry.browser,
            )
            for entry in page.items
        ]
        return reply(SessionPage(items=items, next_cursor=page.next_cursor))

    @api.delete("/account/sessions/<id>", responses={204: None})
    def drop_session(path: ById) -> tuple[str, int]:
        """Sign one browser out."""
        found = list_sessions(door.services, door.account, idle_days=accounts.session_days)
        session_id = next((entry.id for entry in found if public_id(entry.id) == path.id), path.id)
        end_session(door.services, door.account.id, session_id, came_from=request.remote_addr or "")
        return "", 204

    @api.delete("/account/sessions", responses={204: None})
    def drop_all_sessions() -> tuple[str, int]:
        """Sign out everywhere, here too."""
        account = door.account
        known = credentials(door.services, account_id=account.id)
        assert known is not None
        save_credentials(door.services, dataclasses.replace(known, uniquifier=uuid.uuid4().hex))
        deed = Deed(
            action="session.ended_all",
            account_id=account.id,
            subject=account.id,
            address=request.remote_addr or "",
        )
        note_deed(door.services, deed)
        logout_user()
        return "", 204

    @api.post("/account/delete", responses={204: None, **BODY_ERRORS, 409: Error})
    def delete_account(body: FarewellIn) -> tuple[str, int]:
        """Delete your account with your pictures and everything else that is yours. There is no way back."""
        account = door.account
        known = credentials(door.services, account_id=account.id)
        assert known is not None
        if known.password_hash is None:
            if fold_address(body.email or "") != known.address:
                raise InvalidFields({"email": "the address of your account"})
        elif body.password is None or not verify_password(
            current_app.extensions["security"].password_util.normalize(body.password), known.password_hash
        ):
            raise InvalidFields({"password": "the password of your account"})
        erase(door.services, account.id, by=account.id, came_from=request.remote_addr or "")
        logout_user()
        return "", 204

    return api


def public_id(session_id: str) -> str:
    """A session's id as it is shown: its own is half of what the cookie says."""
    return uuid.uuid5(uuid.NAMESPACE_OID, session_id).hex
