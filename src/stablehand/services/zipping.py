"""zip: many pictures as one file, made while it is sent; no more of it is in memory than a part of one picture.

Pictures are not compressed again. What a reader must know of each stands behind it (data descriptors), because nobody
can go back in what has been sent; and so each is a deflated member of level 0: readers that go from front to back, such
as Java's ``ZipInputStream``, find the end of such a member, and of a stored one they do not. From 4 GiB or 65,536 files
on it is a ZIP64.
"""

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from tempfile import SpooledTemporaryFile
from typing import IO, Any
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from stablehand.domain.errors import NotFound
from stablehand.domain.images import Image
from stablehand.domain.links import member_name
from stablehand.services import Services

#: pictures whose rows are read at once
IMAGES_AT_ONCE = 200
#: what is told of the pictures is written to a temporary file from so many bytes on
_TOLD_IN_MEMORY = 1_048_576
RECIPES = "recipes.json"
#: the only name of a member's own level before Python 3.13, and an alias since
_LEVEL = "_compresslevel"


class _Outlet(io.RawIOBase):
    """What has been written and not been sent. It cannot be sought in, by which ZipFile knows to write onwards only."""

    def __init__(self) -> None:
        self._written: list[bytes] = []

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._written.append(bytes(data))
        return len(data)

    def take(self) -> bytes:
        taken = b"".join(self._written)
        self._written.clear()
        return taken


def zip_pictures(
    services: Services, account_id: str, image_ids: Sequence[str], *, with_recipes: bool
) -> Iterator[bytes]:
    """The ZIP's bytes. Pictures that have gone since their ids were read are left out.

    ``with_recipes``: for whom they belong to; a file beside them tells of each what it was ordered and drawn by.

    Raises StorageAway after the first byte: then what was sent is no whole ZIP.
    """
    outlet = _Outlet()
    with (
        ZipFile(outlet, "w") as archive,
        SpooledTemporaryFile(max_size=_TOLD_IN_MEMORY) as told,
    ):
        number = 0
        for start in range(0, len(image_ids), IMAGES_AT_ONCE):
            for image in services.store.images(account_id, image_ids[start : start + IMAGES_AT_ONCE]):
                try:
                    opened = services.objects.open(image.object_key)
                except NotFound:
                    continue
                number += 1
                member = _member(member_name(number, image), image)
                with archive.open(member, "w") as file:
                    for chunk in opened.chunks:
                        file.write(chunk)
                        yield outlet.take()
                if with_recipes:
                    told.write(b",\n" if number > 1 else b"[\n")
                    told.write(json.dumps(_told(member.filename, image), ensure_ascii=False).encode())
        if number and with_recipes:
            told.write(b"\n]\n")
            yield from _add_recipes(archive, told, outlet)
    yield outlet.take()


def _member(name: str, image: Image) -> ZipInfo:
    member = ZipInfo(name, date_time=image.created_at.timetuple()[:6])
    member.external_attr = 0o644 << 16
    member.compress_type = ZIP_DEFLATED
    setattr(member, _LEVEL, 0)
    member.file_size = image.size_bytes  # says beforehand whether it takes a ZIP64
    return member


def _told(name: str, image: Image) -> Mapping[str, Any]:
    return {
        "file": name,
        "id": image.id,
        "job_id": image.job_id,
        "created_at": image.created_at.isoformat(),
        "recipe": image.recipe.as_dict(),
        "infotext": image.infotext,
    }


def _add_recipes(archive: ZipFile, told: IO[bytes], outlet: _Outlet) -> Iterator[bytes]:
    told.seek(0)
    member = ZipInfo(RECIPES)
    member.compress_type = ZIP_DEFLATED
    member.external_attr = 0o644 << 16
    with archive.open(member, "w") as file:
        while chunk := told.read(65_536):
            file.write(chunk)
            yield outlet.take()
