"""Invitations, for the administrator."""

from flask import Response, current_app, request
from flask_openapi.blueprint import APIBlueprint

from stablehand.api.account_schemas import InvitationIn, InvitationOut, InvitationPage, NewInvitationOut
from stablehand.api.auth.letters import invitation_letter
from stablehand.api.door import BODY_ERRORS, Door, blueprint, reply
from stablehand.api.options import AccountOptions
from stablehand.api.schemas import ById, PageQuery
from stablehand.domain.credentials import Invitation
from stablehand.domain.errors import InvalidFields
from stablehand.domain.pages import page_of
from stablehand.services.invitations import invite, list_invitations, revoke_invitation


def routes(door: Door, accounts: AccountOptions) -> APIBlueprint:
    api = blueprint("invitations", "Invitations to sign up, for the administrator.")

    @api.get("/admin/invitations", responses={200: InvitationPage})
    def browse_invitations(query: PageQuery) -> Response:
        """List invitations that are still good, newest first."""
        page = page_of("invitations", list_invitations(door.services), limit=query.limit, cursor=query.cursor)
        return reply(InvitationPage(items=[_out(entry) for entry in page.items], next_cursor=page.next_cursor))

    @api.post("/admin/invitations", responses={201: NewInvitationOut, **BODY_ERRORS})
    def add_invitation(body: InvitationIn) -> Response:
        """Invite somebody; the link is shown this once, and sent to the address if there is one."""
        made, token = invite(
            door.services,
            door.account,
            address=None if body.email is None else _checked(body.email),
            role=body.role,
            tier=body.tier,
            days=body.days,
            came_from=request.remote_addr or "",
        )
        house = (door.options.public_url or request.host_url).rstrip("/")
        link = f"{house}/sign-up#{token}"
        if made.address is not None:
            accounts.post(invitation_letter(made.address, house=house, link=link, expires_at=made.expires_at))
        return reply(NewInvitationOut(**_out(made).model_dump(), link=link), 201)

    @api.delete("/admin/invitations/<id>", responses={204: None})
    def drop_invitation(path: ById) -> tuple[str, int]:
        """Revoke an invitation."""
        revoke_invitation(door.services, door.account, path.id, came_from=request.remote_addr or "")
        return "", 204

    return api


def _checked(address: str) -> str:
    """Raises InvalidFields unless it is an address that somebody could sign up with."""
    try:
        return str(current_app.extensions["security"]._mail_util.validate(address))
    except ValueError as error:
        raise InvalidFields({"email": str(error)}) from error


def _out(entry: Invitation) -> InvitationOut:
    return InvitationOut(
        id=entry.id,
        email=entry.address,
        role=entry.role,
        tier=entry.tier,
        created_at=entry.created_at,
        expires_at=entry.expires_at,
    )
