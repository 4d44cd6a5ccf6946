"""Links to pictures: made, addressed, followed, revoked.

A link is signed (HMAC-SHA256) with the server's secret key. Two kinds of them have the same look. *Kept* links have a
row, and name only that: the row says what they lead to, until when, and whether they were revoked. *Hour* links are
made by the thousand for programs and have none: they say account, picture and end themselves, and the number of times
that the account had revoked all its links when they were made, so that revoking all ends them as well.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from itsdangerous import BadData, URLSafeSerializer

from stablehand.domain.accounts import Account
from stablehand.domain.audit import Deed
from stablehand.domain.errors import LinkExpired, LinkRevoked, LinkVoid, NotFound
from stablehand.domain.images import Image
from stablehand.domain.links import DOWNLOAD_MINUTES, Link, Linked
from stablehand.domain.pages import LIMIT_DEFAULT, Page, check_limit
from stablehand.services import Services
from stablehand.services.identity import new_id

HOUR_SECONDS = 3600
TOKEN_MAX_CHARACTERS = 512


@dataclass(frozen=True, slots=True)
class Addresses:
    """Whole addresses of links. ``base``: where people reach the server, such as https://pictures.example."""

    secret_key: str = field(repr=False)
    base: str

    def picture(self, link: Link) -> str:
        """Of the file, for a link to one picture."""
        return f"{self._api}/{token_of(self.secret_key, link)}"

    def page(self, link: Link) -> str:
        """Of a page that shows the pictures and offers them for download."""
        return f"{self.base.rstrip('/')}/shared/{token_of(self.secret_key, link)}"

    def zip(self, link: Link) -> str:
        """Of all its pictures in one file."""
        return f"{self._api}/{token_of(self.secret_key, link)}/zip"

    def thumbnail(self, link: Link, image_id: str) -> str:
        """Of a small version of one of its pictures."""
        return f"{self._api}/{token_of(self.secret_key, link)}/images/{image_id}/thumbnail"

    def file(self, link: Link, image_id: str) -> str:
        """Of one of its pictures."""
        return f"{self._api}/{token_of(self.secret_key, link)}/images/{image_id}"

    def best(self, link: Link) -> str:
        """What is given to somebody else: the file, or the page where there are several."""
        return self.picture(link) if link.what.kind == "image" else self.page(link)

    def hour(self, image: Image, *, stamp: int, now: float) -> str:
        """An hour link. ``stamp``: ``link_stamp`` of its account; ``now``: seconds since 1970."""
        return f"{self._api}/{hour_token(self.secret_key, image, stamp=stamp, now=now)}"

    @property
    def _api(self) -> str:
        return f"{self.base.rstrip('/')}/api/v1/files"


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """What a token of ours leads to, now."""

    account_id: str
    what: Linked
    until: float  #: seconds since 1970


def make_link(
    services: Services,
    account_id: str,
    what: Linked,
    until: datetime,
    *,
    by: Account | None = None,
    came_from: str = "",
) -> Link:
    """A link that works from now on. ``by``: who makes it by hand, for the log; None: the house does, in a letter.

    Raises:
        NotFound: the account has no such job, or not all of these pictures. InvalidFields: it would end at once.
        Conflict: the account has as many as it may.
    """
    link_id = new_id()
    deed = None
    if by is not None:
        details = {"kind": what.kind, "until": until.isoformat(timespec="seconds")}
        deed = Deed(action="link.made", account_id=by.id, subject=link_id, address=came_from, details=details)
    return services.store.add_link(link_id, account_id, what, until, deed)


def make_download(services: Services, account: Account, image_ids: Sequence[str], *, now: datetime) -> Link:
    """A link by which a browser fetches chosen pictures as one file; it stands in no list.

    Raises NotFound: not all of these pictures are there.
    """
    until = now + timedelta(minutes=DOWNLOAD_MINUTES)
    return services.store.add_link(new_id(), account.id, Linked.to_download(image_ids), until)


def check_pictures(services: Services, account_id: str, image_ids: Sequence[str]) -> None:
    """Raises NotFound unless all are there, the account's, and not in the trash."""
    services.store.check_linked(account_id, Linked.to_images(image_ids))


def ids_of_job(services: Services, account_id: str, job_id: str) -> list[str]:
    """Of a job's pictures, those that are not in the trash, in their order. Raises NotFound."""
    what = Linked.to_job(job_id)
    services.store.check_linked(account_id, what)
    return services.store.linked_ids(account_id, what)


def list_links(
    services: Services, account: Account, *, limit: int = LIMIT_DEFAULT, cursor: str | None = None
) -> Page[Link]:
    """Those that work, the newest first. Raises InvalidFields."""
    check_limit(limit)
    return services.store.links(account.id, limit=limit, cursor=cursor)


def revoke_link(services: Services, account: Account, link_id: str, *, came_from: str = "") -> None:
    """Raises NotFound unless it is one of this account's that works."""
    deed = Deed(action="link.revoked", account_id=account.id, subject=link_id, address=came_from)
    services.store.revoke_link(account.id, link_id, deed)


def revoke_links(services: Services, account: Account, *, came_from: str = "") -> int:
    """End all of an account's links, hour links too; returns how many kept ones that were."""
    deed = Deed(action="link.revoked_all", account_id=account.id, subject=account.id, address=came_from)
    return services.store.revoke_links(account.id, deed)


def link_stamp(services: Services, account: Account) -> int:
    """What hour links of this account must carry to work."""
    return services.store.link_stamp(account.id)


def follow(services: Services, secret_key: str, token: str, *, now: float) -> Followed:
    """What a token leads to. ``now``: seconds since 1970.

    Raises:
        LinkVoid: not ours, altered, or of an account that may not be used. LinkExpired, LinkRevoked.
    """
    match _read(secret_key, token):
        case [str(link_id)]:
            link = services.store.link(link_id)
            return Followed(account_id=link.account_id, what=link.what, until=link.until.timestamp())
        case [str(account_id), str(image_id), int(until), int(stamp)]:
            if until <= now:
                raise LinkExpired
            try:
                account = services.store.account(account_id)
            except NotFound:
                raise LinkVoid from None
            if account.suspended_at is not None:
                raise LinkVoid
            if stamp != services.store.link_stamp(account_id):
                raise LinkRevoked
            return Followed(account_id=account_id, what=Linked.to_image(image_id), until=float(until))
    raise LinkVoid


def ids_of(services: Services, followed: Followed) -> list[str]:
    """Of its pictures, those that are there and not in the trash, in their order."""
    return services.store.linked_ids(followed.account_id, followed.what)


def pictures_of(services: Services, followed: Followed, ids: Sequence[str]) -> list[Image]:
    """Some of its pictures, for one page of them."""
    return services.store.images(followed.account_id, ids)


def picture_of(services: Services, followed: Followed, image_id: str) -> Image:
    """One of its pictures. Raises NotFound."""
    what = followed.what
    found = services.store.images(followed.account_id, [image_id])
    if not found or (image_id not in what.image_ids if what.job_id is None else found[0].job_id != what.job_id):
        raise NotFound("This picture is not there (any more).", hint="Ask whoever gave you the link.")
    return found[0]


def token_of(secret_key: str, link: Link) -> str:
    return str(_signer(secret_key).dumps([link.id]))


def hour_token(secret_key: str, image: Image, *, stamp: int, now: float) -> str:
    return str(_signer(secret_key).dumps([image.account_id, image.id, int(now) + HOUR_SECONDS, stamp]))


def _read(secret_key: str, token: str) -> object:
    if len(token) > TOKEN_MAX_CHARACTERS:
        raise LinkVoid
    try:
        return _signer(secret_key).loads(token)
    except BadData:
        raise LinkVoid from None


def _signer(secret_key: str) -> URLSafeSerializer:
    return URLSafeSerializer(secret_key, salt="a link to a picture", signer_kwargs={"digest_method": hashlib.sha256})
