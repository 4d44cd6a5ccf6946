"""collect: the bytes of a job's pictures, for answers that carry them."""

from collections.abc import Sequence

from stablehand.adapters import sheets
from stablehand.adapters.reworded import reworded
from stablehand.domain.images import Image
from stablehand.domain.jobs import Job
from stablehand.services import Services


def collect(services: Services, job: Job) -> tuple[tuple[Image, ...], list[bytes]]:
    """The job's pictures in the order of their shots, as they are stored. Raises NotFound, StorageAway."""
    images = tuple(sorted(job.images, key=lambda image: image.index))
    return images, [services.objects.get(image.object_key) for image in images]


def sheet_of(images: Sequence[Image], pictures: Sequence[bytes], shape: tuple[int, int]) -> bytes:
    """All of a job's pictures on one sheet of so many columns and rows."""
    first = images[0]
    return sheets.grid(pictures, shape, format=first.format, quality=first.recipe.quality, infotext=first.infotext)


def with_words(picture: bytes, infotext: str | None, done: str) -> bytes:
    """A picture that was made larger, with the words of the one it was made from, and of what was done."""
    return reworded(picture, infotext, done)


def cut_out(image: Image, picture: bytes, size: tuple[int, int]) -> bytes:
    """The middle of a picture, of this size in pixels."""
    return sheets.cut(picture, size, format=image.format, quality=image.recipe.quality, infotext=image.infotext)
