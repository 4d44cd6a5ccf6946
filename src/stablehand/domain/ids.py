"""Ids of our own: opaque strings that sort roughly by age, so that indexes grow at one end."""

from datetime import datetime

ENTROPY_BYTES = 10

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, lower case


def make_id(now: datetime, entropy: bytes) -> str:
    """26 characters: 48 bits of milliseconds and 80 bits of ``entropy`` (the layout of a ULID)."""
    if len(entropy) != ENTROPY_BYTES:
        raise ValueError(f"an id takes {ENTROPY_BYTES} bytes of entropy")
    number = int(now.timestamp() * 1000) << 80 | int.from_bytes(entropy)
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
