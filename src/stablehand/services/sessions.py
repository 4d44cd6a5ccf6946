"""Sessions of browsers that have signed in."""

import secrets
from datetime import UTC, datetime

from stablehand.domain.accounts import Account
from stablehand.domain.audit import Deed
from stablehand.domain.credentials import BrowserSession
from stablehand.services import Services

#: of a browser's own name for itself, so much is kept
BROWSER_MAX_CHARACTERS = 300


def begin_session(services: Services, account_id: str, *, came_from: str, browser: str) -> str:
    """Id of a new session."""
    now = datetime.now(UTC)  # the store puts its own in place
    new = BrowserSession(
        id=secrets.token_urlsafe(24),
        account_id=account_id,
        created_at=now,
        last_seen_at=now,
        address=came_from,
        browser=browser[:BROWSER_MAX_CHARACTERS],
    )
    services.store.begin_session(new, Deed(action="session.begun", account_id=account_id, address=came_from))
    return new.id


def account_in_session(services: Services, session_id: str, *, idle_days: float) -> Account | None:
    """Whose session this is; None when it is over."""
    return services.store.account_in_session(session_id, idle_days=idle_days)


def list_sessions(services: Services, account: Account, *, idle_days: float) -> tuple[BrowserSession, ...]:
    """The account's open sessions, the last seen first."""
    return services.store.sessions(account.id, idle_days=idle_days)


def end_session(services: Services, account_id: str, session_id: str, *, came_from: str = "") -> None:
    """Raises NotFound."""
    deed = Deed(action="session.ended", account_id=account_id, address=came_from)
    services.store.end_session(account_id, session_id, deed)
