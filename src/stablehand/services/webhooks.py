"""Webhooks of an account: registered, tried, shown, ended."""

from stablehand.adapters.outside import target_of
from stablehand.domain.errors import AddressRefused
from stablehand.services import Services


def webhook_url_problem(services: Services, url: str) -> str | None:
    """What is wrong with an address as far as one can see now; None: nothing is. Asks for the name of its host."""
    if url.startswith("http:") and not services.webhooks.http:
        return "an address that begins with https://"
    try:
        target_of(url, services.fetching)
    except AddressRefused as error:
        return f"an address that can be reached: {error.why}"
    return None
