"""What a browser must know before anybody has signed in, and how the built-in owner is claimed."""

from flask import Response, current_app, request
from flask_openapi.blueprint import APIBlueprint
from flask_openapi.models.tag import Tag
from flask_security.utils import hash_password, login_user

from stablehand.api.account_schemas import ClaimIn, DoorOut
from stablehand.api.auth.install import signed_in
from stablehand.api.auth.members import Member
from stablehand.api.door import BODY_ERRORS, COMMON_ERRORS, Door, reply
from stablehand.api.options import AccountOptions
from stablehand.api.schemas import Error
from stablehand.domain.errors import InvalidFields
from stablehand.services.accounts import claim_owner, credentials


def routes(door: Door) -> APIBlueprint:
    api = APIBlueprint(
        "doorway",
        __name__,
        url_prefix="/api/v1/auth",
        abp_tags=[Tag(name="sign-in", description="Accounts, and signing in to them.")],
        abp_responses=COMMON_ERRORS,
    )
    accounts = door.options.accounts

    @api.get("/door", responses={200: DoorOut})
    def read_door() -> Response:
        """Look at whether and how people sign in here."""
        return reply(_door_out(accounts, is_in=accounts is not None and signed_in() is not None))

    if accounts is not None:
        _add_claim(api, door, accounts)
    return api


def _add_claim(api: APIBlueprint, door: Door, accounts: AccountOptions) -> None:
    @api.post("/claim", responses={200: DoorOut, **BODY_ERRORS, 409: Error})
    def claim(body: ClaimIn) -> Response:
        """Become the built-in owner, by the link on the server's console."""
        address, password = _checked(body)
        account = claim_owner(
            door.services,
            body.token,
            address=address,
            password_hash=hash_password(password),
            came_from=request.remote_addr or "",
        )
        known = credentials(door.services, account_id=account.id)
        assert known is not None
        login_user(Member.of(known), authn_via=["claim"])
        return reply(_door_out(accounts, is_in=True))


def _door_out(accounts: AccountOptions | None, *, is_in: bool) -> DoorOut:
    return DoorOut(
        authentication=accounts is not None,
        signed_in=is_in,
        sign_up="closed" if accounts is None else accounts.sign_up,
        password_length=0 if accounts is None else accounts.password_length,
        provider=accounts.provider.label if accounts is not None and accounts.provider is not None else None,
    )


def _checked(body: ClaimIn) -> tuple[str, str]:
    """Address and password in the form in which they are kept. Raises InvalidFields."""
    security = current_app.extensions["security"]
    wrong = {}
    address = body.email
    try:
        address = security._mail_util.validate(body.email)
    except ValueError as error:
        wrong["email"] = str(error)
    problems, password = security._password_util.validate(body.password, True, email=body.email)
    if problems:
        wrong["password"] = " ".join(map(str, problems))
    if wrong:
        raise InvalidFields(wrong)
    return address, password
