"""Links: signed addresses by which whoever was given one may see some pictures of an account, for a while;
and how pictures are called inside a ZIP.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Self

from stablehand.domain.images import SUFFIX, Image

#: ``download``: of chosen pictures as one file, for the browser of whoever they belong to; good for minutes
LinkKind = Literal["image", "job", "images", "download"]

#: pictures that one link may lead to, or one ZIP may hold
PICTURES_AT_MOST = 5_000
#: that one account may have at a time, those in its letters among them, before it can make no more by hand
LINKS_AT_MOST = 10_000
#: for so long one may be made
DAYS_AT_MOST = 90
#: a download must have begun within so long
DOWNLOAD_MINUTES = 10
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

    @classmethod
    def to_download(cls, image_ids: Sequence[str]) -> Self:
        """As ``to_images``."""
        return cls(kind="download", image_ids=tuple(dict.fromkeys(image_ids)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    id: str
    account_id: str
    what: Linked
    created_at: datetime
    until: datetime
    revoked_at: datetime | None = None


#: letters of a prompt that a file's name takes
_NAME_CHARACTERS = 60


def member_name(number: int, image: Image) -> str:
    """What a picture is called inside a ZIP: ``0001-42-a red house.png``. ``number``: from 1; makes it unique."""
    kept = "".join(letter if letter.isalnum() or letter in "-_'" else " " for letter in image.recipe.prompt)
    words = " ".join(kept.split())
    if len(words) > _NAME_CHARACTERS:
        words = words[: _NAME_CHARACTERS + 1].rpartition(" ")[0] or words[:_NAME_CHARACTERS]
    return "-".join(part for part in (f"{number:04}", str(image.seed), words) if part) + f".{SUFFIX[image.format]}"
