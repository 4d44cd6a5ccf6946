"""The gallery: an account's delivered pictures."""

from stablehand.adapters.objects import Opened
from stablehand.domain.accounts import Account
from stablehand.domain.errors import InvalidFields
from stablehand.domain.images import Image
from stablehand.domain.manifests import Manifest
from stablehand.domain.pages import LIMIT_DEFAULT, Page, check_limit
from stablehand.domain.versions import Expected
from stablehand.services import Services

SEARCH_MAX_CHARACTERS = 200
SEARCH_MAX_WORDS = 16

#: ``public_url`` that stands for links which expire, and how long one lives.
PRESIGNED = "presigned"
LINK_SECONDS = 600.0


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
    check_limit(limit)
    words = (search or "").casefold().split()
    if len(search or "") > SEARCH_MAX_CHARACTERS or len(words) > SEARCH_MAX_WORDS or "\0" in (search or ""):
        raise InvalidFields({"search": f"at most {SEARCH_MAX_WORDS} words and {SEARCH_MAX_CHARACTERS} characters"})
    return services.store.list_images(account.id, limit=limit, cursor=cursor, trashed=trashed, words=words)


def get_image(services: Services, account: Account, image_id: str) -> Image:
    """Raises NotFound."""
    return services.store.image(image_id, account.id)


def get_manifest(services: Services, account: Account, image_id: str) -> Manifest | None:
    """By what a picture was drawn; None when its agent did not say. Raises NotFound."""
    return services.store.manifest(image_id, account.id)


def delete_image(services: Services, account: Account, image_id: str, *, expected: Expected = None) -> Image:
    """To the trash; it can be restored for some days. Raises NotFound, ChangedMeanwhile."""
    return services.store.set_trashed(image_id, account.id, True, expected=expected)


def restore_image(services: Services, account: Account, image_id: str, *, expected: Expected = None) -> Image:
    """Out of the trash. Raises NotFound, ChangedMeanwhile."""
    return services.store.set_trashed(image_id, account.id, False, expected=expected)


def star_image(
    services: Services, account: Account, image_id: str, starred: bool, *, expected: Expected = None
) -> Image:
    """Raises NotFound, ChangedMeanwhile."""
    return services.store.set_starred(image_id, account.id, starred, expected=expected)


def picture_link(services: Services, image: Image, *, thumbnail: bool = False) -> str | None:
    """Where a browser may fetch the bytes instead of from us; None unless the settings send it elsewhere."""
    key = image.thumbnail_key if thumbnail else image.object_key
    if services.public_url == PRESIGNED:
        return services.objects.link_to_get(key, LINK_SECONDS)
    return None if services.public_url is None else f"{services.public_url.rstrip('/')}/{key}"


def open_picture(
    services: Services, image: Image, *, thumbnail: bool = False, span: tuple[int, int] | None = None
) -> Opened:
    """Stream the stored file or its thumbnail, or bytes ``span`` (end not included). Raises NotFound, StorageAway."""
    return services.objects.open(image.thumbnail_key if thumbnail else image.object_key, span)


def picture_size(services: Services, image: Image, *, thumbnail: bool = False) -> int:
    """Bytes of the stored file or its thumbnail. Raises NotFound, StorageAway."""
    return services.objects.size(image.thumbnail_key) if thumbnail else image.size_bytes


def image_bytes(services: Services, account: Account, image_id: str, *, thumbnail: bool = False) -> bytes:
    """The stored file, or its WebP thumbnail of at most 320 px. Raises NotFound."""
    image = services.store.image(image_id, account.id)
    return services.objects.get(image.thumbnail_key if thumbnail else image.object_key)
