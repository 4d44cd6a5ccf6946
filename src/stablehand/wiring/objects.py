"""Where the pictures' bytes are kept: a folder of this machine, or a bucket."""

import secrets
from urllib.parse import urlsplit

from stablehand.adapters.bucket import Address, Bucket
from stablehand.adapters.objects import Objects
from stablehand.domain.errors import StorageAway
from stablehand.services.gallery import PRESIGNED
from stablehand.settings import Settings


def open_objects(settings: Settings) -> Objects:
    """The object store that the settings name. Opens no connection. Raises BadSettings."""
    storage = settings.storage
    if storage.url is None:
        return Objects(settings.objects_dir)
    secret = storage.secret_access_key
    return Bucket(
        Address(
            url=storage.url,
            endpoint=storage.endpoint,
            region=storage.region,
            access_key_id=storage.access_key_id,
            secret_access_key=None if secret is None else secret.get_secret_value(),
            path_style=storage.path_style,
        )
    )


def pictures_origin(settings: Settings) -> str | None:
    """Scheme and host that pictures come from when not from us: what the page's policy must let through."""
    public_url = settings.storage.public_url
    if public_url == PRESIGNED:
        public_url = open_objects(settings).link_to_get("any", 1)
    if public_url is None:
        return None
    parts = urlsplit(public_url)
    return f"{parts.scheme}://{parts.netloc}"


def try_out(objects: Objects) -> str:
    """Write, read, list and delete an object of our own; returns the store's address.

    Raises StorageAway, StorageFull or NotFound for what cannot be done.
    """
    key = f"doctor/{secrets.token_hex(8)}"
    objects.put(key, b"may be deleted")
    try:
        if objects.get(key) != b"may be deleted" or key not in set(objects.list("doctor")):
            raise StorageAway(
                "The object store gives back something else than was stored.", hint="Is there a cache before it?"
            )
    finally:
        objects.delete(key)
    return objects.place
