"""result mail: the letter about an order that has ended, with its pictures or the way to them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from stablehand.adapters.letter_pages import Note, ResultPage, Shown, Way
from stablehand.adapters.pictures import Small, shrink
from stablehand.domain.errors import BadPicture, NotFound
from stablehand.domain.images import Image
from stablehand.domain.jobs import Job
from stablehand.domain.letters import Enclosure, Letter, one_line
from stablehand.domain.links import Linked
from stablehand.domain.mail_choices import Sort
from stablehand.domain.result_letters import ENCLOSED_AT_MOST, SHOWN_AT_MOST, Outcome, outcome_of, pictures
from stablehand.services import Services
from stablehand.services.links import Addresses, make_link
from stablehand.services.manners import Manners

#: the widest and highest that a picture stands in a letter, in pixels of the page; screens have two for each
ROOM_WIDTH, ROOM_HEIGHT = 534, 640
GAP = 8
SHARPNESS = 2
#: thumbnails are sharp enough for so many side by side
THUMBNAIL_COLUMNS = 3
PROMPT_MAX_CHARACTERS = 600
ALT_MAX_CHARACTERS = 100
_MIME = {"png": "image/png", "webp": "image/webp", "jpeg": "image/jpeg"}
_SUFFIX = {"png": "png", "webp": "webp", "jpeg": "jpg"}


def result_letter(services: Services, manners: Manners, job: Job, *, to: str, sort: Sort, key: str) -> Letter:
    """About an ended job. ``key``: by which a letter sent twice is known as one.

    Raises StorageAway.
    """
    outcome = outcome_of(job)
    there = [image for image in job.images if image.deleted_at is None]
    taken = _enclosed(services, manners, there)
    columns = _columns(len(there))
    seen = _seen(services, there[:SHOWN_AT_MOST], columns, taken)
    ways = _ways(services, manners, job, there)
    shown = [
        Shown(
            name=f"picture-{image.index + 1}",
            label=f"Picture {image.index + 1}",
            alt=_alt(image, job.count),
            width=small.width,
            height=small.height,
            address=ways.files.get(image.id),
        )
        for image, small in seen
    ]
    page = ResultPage(
        house=manners.house,
        title=outcome.title,
        preview=one_line(job.recipe.prompt, 140) or outcome.title,
        prompt=_cut(job.recipe.prompt),
        pictures=tuple(shown),
        columns=columns,
        hidden=len(there) - len(shown),
        view=ways.view,
        zip=ways.zip,
        studio=_studio(manners, there),
        lines=_lines(manners, outcome, there, taken, ways),
        troubles=_notes(outcome),
        remedy=_remedy(outcome),
        facts=outcome.facts,
        why=_why(outcome, job),
        **manners.footer(job.account_id, sort),
    )
    return Letter(
        to=to,
        subject=outcome.subject,
        text=page.text(),
        html=page.html(),
        pictures={
            one.name: Enclosure(name=f"{one.name}.jpg", media_type="image/jpeg", data=small.data)
            for one, (_, small) in zip(shown, seen, strict=True)
        },
        enclosures=tuple(
            Enclosure(name=_name(image), media_type=_MIME[image.format], data=taken[image.id])
            for image in there
            if image.id in taken
        ),
        key=key,
        earlier=None if job.retry_of is None else job_key(job.retry_of),
        written_at=job.finished_at,
        unsubscribe=page.unsubscribe,
    )


def job_key(job_id: str) -> str:
    """A job gets one letter."""
    return f"job-{job_id}"


@dataclass(frozen=True, slots=True)
class _Ways:
    """Where links lead. ``files``: image id -> address."""

    files: dict[str, str]
    view: Way | None = None
    zip: Way | None = None
    until: datetime | None = None


def _ways(services: Services, manners: Manners, job: Job, there: Sequence[Image]) -> _Ways:
    if manners.public_url is None or not there:
        return _Ways({})
    addresses = Addresses(manners.secret_key, manners.public_url)
    # The job's end is told by the database's clock, which may be ahead of ours.
    until = max(datetime.now(UTC), job.finished_at or job.created_at) + timedelta(days=manners.link_days)
    link = make_link(services, job.account_id, Linked.to_job(job.id), until)
    files = {image.id: addresses.file(link, image.id) for image in there}
    if len(there) == 1:
        return _Ways(files, Way(address=files[there[0].id], words="Open the picture"), None, link.until)
    size = _megabytes(sum(image.size_bytes for image in there))
    return _Ways(
        files,
        Way(address=addresses.page(link), words=f"Open all {len(there)}"),
        Way(address=addresses.zip(link), words=f"Download as a ZIP file ({size})"),
        link.until,
    )


def _studio(manners: Manners, there: Sequence[Image]) -> Way | None:
    if manners.public_url is None:
        return None
    if not there:
        return Way(address=f"{manners.public_url}/queue", words="See it in the studio")
    place = f"/gallery/{there[0].id}" if len(there) == 1 else "/gallery"
    return Way(address=f"{manners.public_url}{place}", words="In your gallery")


def _lines(
    manners: Manners, outcome: Outcome, there: Sequence[Image], taken: dict[str, bytes], ways: _Ways
) -> tuple[str, ...]:
    lines = []
    if taken:
        lines.append("The picture is attached." if len(taken) == 1 else f"All {len(taken)} pictures are attached.")
    if outcome.delivered > len(there):
        lines.append(f"{pictures(outcome.delivered - len(there))} of these you have deleted since.")
    if outcome.called_off:
        lines.append(f"The order was cancelled before the other {pictures(outcome.called_off)} began or were done.")
    if ways.until is not None:
        lines.append(
            f"Whoever has the links can see the pictures, without signing in, until {_moment(ways.until)}. "
            "Your gallery keeps them longer."
        )
    elif there:
        lines.append("You find them in the gallery of your studio.")
    return tuple(lines)


def _notes(outcome: Outcome) -> tuple[Note, ...]:
    whole = not outcome.delivered and len(outcome.troubles) == 1
    return tuple(
        Note(
            lead="" if whole else f"{pictures(trouble.pictures)} could not be drawn.",
            message=trouble.message,
            hint=trouble.hint,
        )
        for trouble in outcome.troubles
    )


def _remedy(outcome: Outcome) -> str:
    if not outcome.troubles:
        return ""
    return "“Retry”, beside the order in the studio, draws only what is missing, with the same seeds."


def _why(outcome: Outcome, job: Job) -> str:
    asked = job.notify is not None and job.notify.email
    if asked:
        return "You get this letter because you asked for it when you ordered."
    what = "pictures are ready" if outcome.delivered else "an order fails"
    return f"You get this letter because your account wants one when {what}."


def _enclosed(services: Services, manners: Manners, there: Sequence[Image]) -> dict[str, bytes]:
    """The files that travel with the letter, by image: all of them, or none."""
    total = sum(image.size_bytes for image in there)
    if len(there) > ENCLOSED_AT_MOST or total > manners.attach_bytes:
        return {}
    found = {}
    for image in there:
        data = _bytes(services, image.object_key)
        if data is not None:
            found[image.id] = data
    return found


def _columns(count: int) -> int:
    return {1: 1, 2: 2, 4: 2}.get(count, 3)


def _seen(
    services: Services, images: Sequence[Image], columns: int, taken: dict[str, bytes]
) -> list[tuple[Image, Small]]:
    """What is shown within the letter, with its size in pixels of the page."""
    room = (ROOM_WIDTH - GAP * (columns - 1)) // columns
    found = []
    for image in images:
        small_enough = columns >= THUMBNAIL_COLUMNS
        data = taken.get(image.id) or _bytes(services, image.thumbnail_key if small_enough else image.object_key)
        if data is None:
            continue
        try:
            small = shrink(data, width=room * SHARPNESS, height=ROOM_HEIGHT * SHARPNESS)
        except BadPicture:
            continue
        # Twice its own pixels at most: beyond that there is nothing to see.
        scale = min(room / small.width, ROOM_HEIGHT / small.height, 2.0)
        found.append((image, Small(small.data, round(small.width * scale), round(small.height * scale))))
    return found


def _bytes(services: Services, key: str) -> bytes | None:
    """An object; None when it has just been deleted. Raises StorageAway."""
    try:
        return services.objects.get(key)
    except NotFound:
        return None


def _alt(image: Image, count: int) -> str:
    which = "The picture" if count == 1 else f"Picture {image.index + 1} of {count}"
    words = one_line(image.recipe.prompt, ALT_MAX_CHARACTERS)
    return f"{which}: {words}" if words else which


def _cut(prompt: str) -> str:
    return one_line(prompt, PROMPT_MAX_CHARACTERS)


def _name(image: Image) -> str:
    return f"stablehand-{image.created_at:%Y%m%d-%H%M%S}-{image.seed}.{_SUFFIX[image.format]}"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{max(1, round(size / 1000))} KB"


def _moment(moment: datetime) -> str:
    return f"{moment.day} {moment:%B %Y, %H:%M} UTC"
