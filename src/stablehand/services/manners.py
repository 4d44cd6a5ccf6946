"""How letters are written here: what the settings say of them, and the words below each."""

from dataclasses import dataclass, field
from typing import TypedDict

from stablehand.domain.mail_choices import Sort, unsubscribe_token

UNSUBSCRIBE_PATH = "/api/v1/mail/unsubscribe"

#: what one unsubscribes from
SORT_WORDS: dict[Sort, str] = {
    "results": "letters with pictures",
    "failures": "letters about orders that fail",
    "notices": "letters about limits and webhooks",
}


class Footer(TypedDict):
    sort: str
    unsubscribe: str | None
    account: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """``public_url``: where readers reach the server; None: nobody knows, and letters have no links."""

    secret_key: str = field(repr=False)
    house: str = "Stablehand"
    public_url: str | None = None
    attach_bytes: int = 3_000_000
    link_days: float = 7.0

    def footer(self, account_id: str, sort: Sort) -> Footer:
        if self.public_url is None:
            return Footer(sort=SORT_WORDS[sort], unsubscribe=None, account=None)
        token = unsubscribe_token(self.secret_key, account_id, sort)
        return Footer(
            sort=SORT_WORDS[sort],
            unsubscribe=f"{self.public_url}{UNSUBSCRIBE_PATH}/{token}",
            account=f"{self.public_url}/account",
        )
