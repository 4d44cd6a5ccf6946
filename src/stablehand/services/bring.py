"""bring: a picture that came inside of a request, or by its address, becomes an input."""

from collections.abc import Mapping

from stablehand.adapters.masks import by_alpha
from stablehand.adapters.outside import fetch
from stablehand.adapters.written import Written, read_written
from stablehand.domain.a1111.errors import Refused
from stablehand.domain.a1111.novelai import novelai_infotext
from stablehand.domain.a1111.pictures import Address, decode, unreadable
from stablehand.domain.accounts import Account
from stablehand.domain.errors import AddressRefused, BadPicture
from stablehand.services import Services
from stablehand.services.inputs import input_bytes, take_input
from stablehand.store.inputs import Input


def picture_bytes(services: Services, text: str) -> bytes:
    """What lies in the text, or at its address. Raises Refused."""
    found = decode(text)
    if isinstance(found, bytes):
        return found
    return _fetched(services, found)


def bring(services: Services, account: Account, text: str) -> Input:
    """Raises Refused, PictureTooLarge, StorageFull, StorageAway."""
    try:
        return take_input(services, account, picture_bytes(services, text))
    except BadPicture as error:
        raise unreadable() from error


def bring_written(services: Services, account: Account, text: str) -> tuple[Input, str | None]:
    """As ``bring``, with the infotext that stands in the picture's file, if any does."""
    data = picture_bytes(services, text)
    try:
        return take_input(services, account, data), _infotext(read_written(data))
    except BadPicture as error:
        raise unreadable() from error


def _infotext(written: Written) -> str | None:
    return written.infotext or novelai_infotext(written.items, written.width, written.height)


def bring_mask(services: Services, account: Account, text: str) -> Input:
    """As ``bring``, of a mask: white is painted; where it is drawn in transparency, what is opaque."""
    kept = bring(services, account, text)
    plain = input_bytes(services, account, kept.id)
    mask = by_alpha(plain, clear_is_painted=False)
    return kept if mask is plain else take_input(services, account, mask)


def words_in(services: Services, text: str) -> tuple[str | None, Mapping[str, str]]:
    """The infotext, and whatever else stands in the file of a picture that came in a request.

    Raises Refused, PictureTooLarge.
    """
    try:
        written = read_written(picture_bytes(services, text))
    except BadPicture as error:
        raise unreadable() from error
    return _infotext(written), written.items


def _fetched(services: Services, address: Address) -> bytes:
    try:
        return fetch(address.url, services.fetching).data
    except AddressRefused as error:
        # Upstream answers 500 here and to what is no picture; but whoever sent it is wrong, not the server.
        raise Refused(422, f"Invalid image url: {error.message}") from error
