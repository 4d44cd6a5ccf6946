"""The gallery: an account's delivered pictures."""

from stablehand.domain.accounts import Account
from stablehand.domain.images import Image
from stablehand.domain.pages import LIMIT_DEFAULT, Page
from stablehand.services import Services


def list_images(
    services: Services,
    account: Account,
    *,
    limit: int = LIMIT_DEFAULT,
    cursor: str | None = None,
    trashed: bool = False,
    search: str | None = None,
) -> Page[Image]:
    """Newest first; ``search``: words that all stand in the prompt. Raises InvalidFields."""
    raise NotImplementedError


def get_image(services: Services, account: Account, image_id: str) -> Image:
    """Raises NotFound."""
    raise NotImplementedError


def delete_image(services: Services, account: Account, image_id: str) -> Image:
    """To the trash; it can be restored for some days. Raises NotFound."""
    raise NotImplementedError


def restore_image(services: Services, account: Account, image_id: str) -> Image:
    """Out of the trash. Raises NotFound."""
    raise NotImplementedError


def star_image(services: Services, account: Account, image_id: str, starred: bool) -> Image:
    """Raises NotFound."""
    raise NotImplementedError


def image_bytes(services: Services, account: Account, image_id: str, *, thumbnail: bool = False) -> bytes:
    """The stored file, or its WebP thumbnail of at most 320 px. Raises NotFound."""
    raise NotImplementedError
