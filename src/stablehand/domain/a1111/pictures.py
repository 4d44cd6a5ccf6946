"""Pictures inside of JSON: as bare base64, as a data URL, or as an address."""

import base64
import binascii
from dataclasses import dataclass

from stablehand.domain.a1111.errors import Refused


@dataclass(frozen=True, slots=True)
class Address:
    """Where a picture is to be fetched."""

    url: str


def decode(text: str) -> bytes | Address:
    """What a client sent. Characters that are not of base64 are passed over, as upstream does. Raises Refused."""
    stripped = text.strip()
    if stripped[:8].casefold().startswith(("http://", "https://")):
        return Address(stripped)
    if stripped[:11].casefold() == "data:image/":
        _, separator, stripped = stripped.partition(",")
        if not separator:
            raise unreadable()
    try:
        data = base64.b64decode(stripped)
    except (binascii.Error, ValueError):
        raise unreadable() from None
    if not data:
        raise unreadable()
    return data


def unreadable() -> Refused:
    return Refused(422, "Invalid encoded image")
