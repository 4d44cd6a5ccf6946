"""Answers that are given again: what a request with an Idempotency-Key was answered the first time.

They may hold what is shown only once, such as an API key, so they lie in the database encrypted (Fernet, by a key that
is derived from the server's secret), for a day.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from stablehand.domain.accounts import Account
from stablehand.domain.errors import InvalidFields, RequestUnknown
from stablehand.domain.orders import IDEMPOTENCY_KEY_MAX_CHARACTERS
from stablehand.services import Services

#: larger answers are not kept, and their requests are done again
ANSWER_MAX_BYTES = 262_144


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    status: int
    headers: Mapping[str, str]  #: those that belong to what was made
    body: str


def check_key(key: str) -> None:
    """Raises InvalidFields."""
    if not 0 < len(key) <= IDEMPOTENCY_KEY_MAX_CHARACTERS or not key.isascii() or not key.isprintable():
        raise InvalidFields({"Idempotency-Key": f"1 to {IDEMPOTENCY_KEY_MAX_CHARACTERS} printable ASCII characters"})


def begin(services: Services, account: Account, key: str, fingerprint: str, *, secret_key: str) -> Answer | None:
    """What the same request was answered before; None: it is new, and ``keep`` or ``forget`` must follow.

    Raises:
        InvalidFields: it is no key. IdempotencyConflict: it came with another request. RequestInTheMaking.
        RequestUnknown: the request was cut off, or the secret by which its answer was kept is another one now.
    """
    check_key(key)
    kept = services.store.begin_request(account.id, key, fingerprint, hours=services.limits.idempotency_hours)
    if kept is None:
        return None
    try:
        return Answer(**json.loads(_cipher(secret_key).decrypt(kept)))
    except InvalidToken:
        raise RequestUnknown from None


def keep(services: Services, account_id: str, key: str, answer: Answer, *, secret_key: str) -> None:
    services.store.keep_answer(account_id, key, _cipher(secret_key).encrypt(json.dumps(asdict(answer)).encode()))


def forget(services: Services, account_id: str, key: str) -> None:
    """The request was refused, or failed: it may come again, corrected or not."""
    services.store.forget_request(account_id, key)


def _cipher(secret_key: str) -> Fernet:
    derived = HKDF(SHA256(), length=32, salt=None, info=b"answers that are given again").derive(secret_key.encode())
    return Fernet(base64.urlsafe_b64encode(derived))
