"""People for tests: accounts with addresses, their sessions, keys and invitations."""

from stablehand.domain.accounts import Role
from stablehand.domain.audit import Deed
from stablehand.domain.credentials import ApiKey, BrowserSession, Invitation
from stablehand.store.credentials import SignUp
from tests.store.house import Clock, House

DEED = Deed(action="test.done")


def sign_up(house: House, name: str = "ada", *, invitation: str | None = None, confirmed: bool = True) -> str:
    """Id of a new account."""
    new = SignUp(
        new_id=f"id-{name}",
        address=f"{name}@example.org",
        password_hash="hash",
        uniquifier=f"unique-{name}",
        invitation_hash=invitation,
        confirmed=confirmed,
    )
    return house.services.store.sign_up(new, DEED).id


def invite(house: House, token: str, *, role: Role = "user", address: str | None = None, days: float = 7) -> Invitation:
    now = house.clock.now
    new = Invitation(
        id=f"invitation-{token}",
        address=address,
        role=role,
        tier="premium",
        made_by=None,
        created_at=now,
        expires_at=now,
    )
    return house.services.store.invite(new, token, days=days, deed=DEED)


def session(account_id: str, name: str, clock: Clock) -> BrowserSession:
    return BrowserSession(
        id=name, account_id=account_id, created_at=clock.now, last_seen_at=clock.now, address="::1", browser="lynx"
    )


def key(account_id: str, name: str, clock: Clock) -> ApiKey:
    return ApiKey(
        id=name,
        account_id=account_id,
        name=name,
        hint="sh_abc",
        scopes=("generate",),
        created_at=clock.now,
        expires_at=None,
        last_used_at=None,
    )
