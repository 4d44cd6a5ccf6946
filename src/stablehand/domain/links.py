"""Links: signed addresses by which whoever was given one may see some pictures of an account, for a while."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self

LinkKind = Literal["image", "job", "images"]

#: pictures that one link may lead to, or one ZIP may hold
PICTURES_AT_MOST = 5_000
#: that one account may have at a time
LINKS_AT_MOST = 1_000
#: for so long one may be made
DAYS_AT_MOST = 90
#: one that has ended is remembered for so long, so that whoever follows it is told why it does not work
REMEMBERED_DAYS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Linked:
    """What a link leads to: one picture, whatever pictures a job has when somebody looks, or chosen ones."""

    kind: LinkKind
    job_id: str | None = None
    image_ids: tuple[str, ...] = ()  #: in the order in which they are shown

    @classmethod
    def to_image(cls, image_id: str) -> Self:
        return cls(kind="image", image_ids=(image_id,))

    @classmethod
    def to_job(cls, job_id: str) -> Self:
        return cls(kind="job", job_id=job_id)

    @classmethod
    def to_images(cls, image_ids: Sequence[str]) -> Self:
        """One that is named twice counts once."""
        return cls(kind="images", image_ids=tuple(dict.fromkeys(image_ids)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    id: str
    account_id: str
    what: Linked
    created_at: datetime
    until: datetime
    revoked_at: datetime | None = None
