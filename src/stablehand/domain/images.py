"""An image: the delivered result of a shot, with its recipe and its bytes' place."""

from dataclasses import dataclass
from datetime import datetime

from stablehand.domain.notes import Note
from stablehand.domain.recipes import Format, Recipe

#: format -> how names of its files end
SUFFIX: dict[Format, str] = {"png": "png", "webp": "webp", "jpeg": "jpg"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    id: str
    account_id: str
    job_id: str
    index: int  #: of its shot in the job
    width: int
    height: int
    format: Format
    seed: int
    created_at: datetime
    starred: bool
    deleted_at: datetime | None  #: set while it lies in the trash
    recipe: Recipe  #: as drawn: with this shot's own seed
    checkpoint_sha256: str | None
    infotext: str
    object_key: str
    thumbnail_key: str
    size_bytes: int
    sha256: str  #: of the stored bytes
    notes: tuple[Note, ...] = ()  #: what had to be done otherwise than asked for
