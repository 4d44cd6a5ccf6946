"""Objects in a bucket of S3, or of any server that speaks its protocol."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

import obstore
from obstore.store import S3Store

from stablehand.adapters.objects import Objects, checked, in_our_words
from stablehand.domain.errors import BadSettings

if TYPE_CHECKING:
    from obstore.store import ClientConfig, RetryConfig, S3Config

#: How long one request may take, and how long it is tried again before the store counts as away. A waiting agent or
#: browser gives up after a minute; the answer must come before.
REQUEST_SECONDS = 20
CONNECT_SECONDS = 3
RETRIES = 3
RETRY_SECONDS = 30

_URL = re.compile(r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:/(?P<prefix>[A-Za-z0-9._/-]*))?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a bucket is, and who we are there. What is None comes from the AWS environment or the machine's role."""

    url: str  #: s3://bucket or s3://bucket/prefix
    endpoint: str | None = None
    region: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = field(default=None, repr=False)
    path_style: bool | None = None  #: None: with an endpoint of its own only


class Bucket(Objects):
    """A bucket, or the part of it below a prefix. Every request has a time limit and a few further tries."""

    gives_links = True

    def __init__(
        self,
        address: Address,
        *,
        request_seconds: float = REQUEST_SECONDS,
        retries: int = RETRIES,
        retry_seconds: float = RETRY_SECONDS,
    ) -> None:
        """Opens no connection. Raises BadSettings for an address that is none."""
        found = _URL.fullmatch(address.url)
        if found is None:
            raise BadSettings(
                f"storage.url is {address.url!r}, which is no address of a bucket.",
                hint="Write s3://BUCKET or s3://BUCKET/PREFIX.",
            )
        self.folder = None
        self._url = address.url.rstrip("/")
        prefix = (found["prefix"] or "").strip("/")
        client: ClientConfig = {
            "timeout": timedelta(seconds=request_seconds),
            "connect_timeout": timedelta(seconds=min(CONNECT_SECONDS, request_seconds)),
            "allow_http": True,  # the address says which it is
        }
        retry: RetryConfig = {
            "max_retries": retries,
            "retry_timeout": timedelta(seconds=retry_seconds),
            "backoff": {"init_backoff": timedelta(milliseconds=100), "max_backoff": timedelta(seconds=5), "base": 2},
        }
        try:
            self._bucket = S3Store(
                prefix=prefix or None,
                config=_config(address, found["bucket"]),
                client_options=client,
                retry_config=retry,
            )
        except Exception as error:  # the library has no one class for an address that it cannot use
            raise BadSettings(
                f"The bucket {address.url} cannot be used: {str(error).splitlines()[0][:200]}",
                hint="Check the settings storage.url, storage.endpoint and storage.region.",
            ) from error
        self._store = self._bucket

    @property
    def place(self) -> str:
        return self._url

    def put(self, key: str, data: bytes, *, content_type: str = "") -> None:
        """Store ``data`` under ``key``, replacing what was there. Raises StorageFull, StorageAway."""
        with in_our_words(checked(key)):
            # In one piece: what is cut off leaves nothing behind.
            self._store.put(
                key, data, attributes={"Content-Type": content_type} if content_type else None, use_multipart=False
            )

    def link_to_put(self, key: str, seconds: float) -> str:
        with in_our_words(checked(key)):
            return obstore.sign(self._bucket, "PUT", key, timedelta(seconds=seconds))

    def link_to_get(self, key: str, seconds: float) -> str:
        with in_our_words(checked(key)):
            return obstore.sign(self._bucket, "GET", key, timedelta(seconds=seconds))


def _config(address: Address, bucket: str) -> S3Config:
    path_style = address.path_style if address.path_style is not None else address.endpoint is not None
    endpoint = address.endpoint
    if endpoint is not None and not path_style:
        parts = urlsplit(endpoint)
        endpoint = urlunsplit(parts._replace(netloc=f"{bucket}.{parts.netloc}"))
    config: S3Config = {
        "bucket": bucket,
        "virtual_hosted_style_request": not path_style,
        # One request an object: not every server that speaks S3 deletes several at once.
        "disable_bulk_delete": True,
    }
    if endpoint is not None:
        config["endpoint"] = endpoint.rstrip("/")
    if address.region is not None:
        config["region"] = address.region
    if address.access_key_id is not None:
        config["access_key_id"] = address.access_key_id
    if address.secret_access_key is not None:
        config["secret_access_key"] = address.secret_access_key
    return config
