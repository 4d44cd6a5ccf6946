"""Fresh ids."""

import secrets
from datetime import UTC, datetime

from stablehand.domain.ids import ENTROPY_BYTES, make_id


def new_id() -> str:
    """A new id. The process's clock only sorts ids roughly; nothing is decided by it."""
    return make_id(datetime.now(UTC), secrets.token_bytes(ENTROPY_BYTES))
