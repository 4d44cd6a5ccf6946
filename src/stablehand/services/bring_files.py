"""bring_files: pictures and masks that came as files of one form become inputs."""

from stablehand.adapters.cleaning import clean
from stablehand.adapters.masks import by_alpha
from stablehand.domain.accounts import Account
from stablehand.domain.errors import BadPicture, InvalidFields
from stablehand.services import Services
from stablehand.services.inputs import take_input
from stablehand.store.inputs import Input


def bring_files(services: Services, account: Account, picture: bytes, mask: bytes | None) -> tuple[Input, Input | None]:
    """The picture and the mask as inputs. ``mask``: what is transparent in it is painted.

    Raises InvalidFields, PictureTooLarge, StorageFull, StorageAway.
    """
    try:
        kept = take_input(services, account, picture)
    except BadPicture as error:
        raise InvalidFields({"image": error.message}, hint=error.hint) from error
    if mask is None:
        return kept, None
    try:
        plain = clean(mask)
    except BadPicture as error:
        raise InvalidFields({"mask": error.message}, hint=error.hint) from error
    if (plain.width, plain.height) != (kept.width, kept.height):
        raise InvalidFields({"mask": f"as large as the image, {kept.width}x{kept.height} pixels"})
    painted = by_alpha(plain.data, clear_is_painted=True)
    if painted is plain.data:
        raise InvalidFields({"mask": "a picture with transparency: what is transparent in it is drawn anew"})
    return kept, take_input(services, account, painted)
