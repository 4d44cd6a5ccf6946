"""suspend: an account may do nothing for a while.

Its sessions end and its keys rest at once. What it has ordered is cancelled rather than held: an accepted job must come
to an end, and not hang on whether somebody changes their mind. Delivered pictures stay, and a cancelled job can be
ordered again once the suspension is lifted.
"""

from stablehand.domain.audit import Deed
from stablehand.domain.events import AccountStopped
from stablehand.services import Services
from stablehand.services.announce import announce


def suspend(services: Services, account_id: str, *, by: str | None, reason: str = "", came_from: str = "") -> None:
    """``by``: the account of who does it; None: whoever sits at the machine.

    Raises:
        NotFound. AccountProtected: the built-in owner, or the last administrator. Conflict: oneself, or suspended.
    """
    deed = Deed(
        action="account.suspended",
        account_id=by,
        subject=account_id,
        address=came_from,
        details={"reason": reason} if reason else {},
    )
    services.store.suspend_account(account_id, reason=reason, deed=deed)
    stop(services, account_id)


def lift_suspension(services: Services, account_id: str, *, by: str | None, came_from: str = "") -> None:
    """Raises NotFound; Conflict: it is not suspended."""
    deed = Deed(action="account.unsuspended", account_id=by, subject=account_id, address=came_from)
    services.store.lift_suspension(account_id, deed)


def stop(services: Services, account_id: str) -> None:
    """Cancel all that a suspended or deleted account has ordered, and hang up on its browsers."""
    services.feed.publish(AccountStopped(account_id))
    while (changes := services.store.cancel_all(account_id)).jobs:
        announce(services, changes)


def stop_leftovers(services: Services) -> None:
    """As ``stop``, for accounts whose process died on the way."""
    for account_id in services.store.accounts_to_stop():
        stop(services, account_id)
