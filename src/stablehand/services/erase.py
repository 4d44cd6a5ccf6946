"""erase: delete an account with everything that was its own."""

from stablehand.domain.audit import Deed
from stablehand.domain.versions import Expected
from stablehand.services import Services
from stablehand.services.suspend import stop

#: so many rounds are made while somebody waits for the answer; upkeep makes the others
ROUNDS_AT_ONCE = 10


def erase(
    services: Services, account_id: str, *, by: str | None, came_from: str = "", expected: Expected = None
) -> None:
    """Close the account, cancel its jobs, and remove its pictures, inputs, states, notices, sessions and keys.

    Nobody can use it any more when this returns; what is large, or still being drawn, goes within the next minutes.
    What stays for the ledger: how many pictures there were, when, and what they took, under a number without a name.

    Args:
        by: the account of who does it; None: whoever sits at the machine.

    Raises:
        NotFound. ChangedMeanwhile. AccountProtected: the built-in owner, or the last administrator.
    """
    services.store.close_account(
        account_id,
        Deed(action="account.deleted", account_id=by, subject=account_id, address=came_from),
        expected=expected,
    )
    stop(services, account_id)
    _sweep(services, account_id, rounds=ROUNDS_AT_ONCE)


def erase_leftovers(services: Services) -> None:
    """Go on with accounts of which something was left."""
    for account_id in services.store.accounts_to_erase():
        _sweep(services, account_id, rounds=None)


def _sweep(services: Services, account_id: str, *, rounds: int | None) -> None:
    made = 0
    while rounds is None or made < rounds:
        rows, keys = services.store.erase_some(account_id)
        for key in keys:
            services.objects.delete(key)
        services.store.forget_doomed(keys)
        made += 1
        if not rows:
            return
