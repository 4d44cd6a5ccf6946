"""deliver: finished pictures become images."""

import hashlib
import logging
import math

from stablehand.adapters.pictures import MAX_BYTES, inspect
from stablehand.domain.agents import Agent
from stablehand.domain.errors import BadPicture, NotFound
from stablehand.domain.manifests import BadManifest, Manifest
from stablehand.domain.notes import read_notes
from stablehand.domain.recipes import Recipe
from stablehand.protocol import Deliver, Delivered, Picture, Stage, Staged, Uploaded
from stablehand.services import Services
from stablehand.services.announce import announce
from stablehand.services.identity import new_id
from stablehand.services.safety import check_picture
from stablehand.store.images import NewImage
from stablehand.store.uploads import NewUpload

THUMBNAIL_SIDE = 320
#: Folder of the object store that agents are given links into, and how long a link is good.
STAGED = "uploads"
STAGE_SECONDS = 120.0
INFOTEXT_MAX_CHARACTERS = 65_536

_log = logging.getLogger(__name__)


def upload(services: Services, agent: Agent, shot_id: str, token: int, data: bytes) -> Uploaded:
    """Check that ``data`` is the picture that was ordered, store it and its thumbnail, and name it for ``deliver``.

    Raises: LeaseLost, BadPicture, PictureRefused, CheckerAway, StorageFull, StorageAway.
    """
    recipe = services.store.check_lease(agent.id, shot_id, token)
    picture = inspect(data, thumbnail_side=THUMBNAIL_SIDE)
    width, height = recipe.output_size
    if (picture.format, picture.width, picture.height) != (recipe.format, width, height):
        raise BadPicture(
            f"The picture is a {picture.format} of {picture.width}×{picture.height} pixels, but a {recipe.format} of"
            f" {width}×{height} was ordered.",
            hint="The agent and the server may be of different versions; update the agent.",
        )
    kept, notes = check_picture(services, data, recipe)
    if kept is not data:
        data, picture = kept, inspect(kept, thumbnail_side=THUMBNAIL_SIDE)
    sha256 = hashlib.sha256(data).hexdigest()
    stored = _new_upload(shot_id, token, recipe, size_bytes=len(data), sha256=sha256)
    services.store.note_upload(stored)
    with services.space.watched():
        services.objects.put(stored.object_key, data, content_type=f"image/{picture.format}")
        services.objects.put(stored.thumbnail_key, picture.thumbnail, content_type="image/webp")
    return Uploaded(upload=stored.id, sha256=stored.sha256, size_bytes=stored.size_bytes, notes=list(notes))


def stage(services: Services, agent: Agent, message: Stage) -> Staged:
    """Give the holder of a lease a link for putting the picture into the object store itself.

    The link is good for one key and a short time; it cannot bind what is put there. So the bytes count for nothing
    until ``deliver`` has copied them to a key that no link was ever given for, and has looked at that copy.

    Raises: LeaseLost, BadPicture, StorageAway.
    """
    recipe = services.store.check_lease(agent.id, message.shot_id, message.token)
    if message.size_bytes > MAX_BYTES:
        raise BadPicture(f"The picture has more than {MAX_BYTES} bytes.", hint="Order a smaller one.")
    if not services.stages:
        return Staged(url=None)
    new = _new_upload(
        message.shot_id,
        message.token,
        recipe,
        size_bytes=message.size_bytes,
        sha256=message.sha256,
        is_staged=True,
    )
    link = services.objects.link_to_put(new.staged_key or "", STAGE_SECONDS)
    if link is None:
        return Staged(url=None)
    services.store.note_upload(new)
    headers = {"Content-Type": f"image/{recipe.format}"}
    return Staged(url=link, upload=new.id, headers=headers, seconds=STAGE_SECONDS)


def _new_upload(
    shot_id: str, token: int, recipe: Recipe, *, size_bytes: int, sha256: str, is_staged: bool = False
) -> NewUpload:
    upload_id = new_id()
    # The upload's id makes the key its own: sweeping one upload can never hit the bytes of another.
    # Its last characters are random: they spread a million pictures over a thousand folders.
    place = f"{upload_id[-2:]}/{shot_id}-{token}-{upload_id}"
    return NewUpload(
        id=upload_id,
        shot_id=shot_id,
        token=token,
        width=recipe.output_size[0],
        height=recipe.output_size[1],
        format=recipe.format,
        object_key=f"images/{place}.{recipe.format}",
        thumbnail_key=f"thumbnails/{place}.webp",
        size_bytes=size_bytes,
        sha256=sha256,
        staged_key=f"{STAGED}/{place}.{recipe.format}" if is_staged else None,
    )


def _take_in(services: Services, staged: NewUpload) -> bool:
    """Move staged bytes to their own key if they are what was announced; False: they are not there, or not that.

    Raises: StorageAway, StorageFull.
    """
    assert staged.staged_key is not None
    if not services.stages:
        return False  # a link of before the checker came: the agent sends the picture here
    try:
        services.objects.copy(staged.staged_key, staged.object_key)
        opened = services.objects.open(staged.object_key)
        # The type travels with the copy, and a browser that fetches the object itself goes by it.
        if opened.size_bytes != staged.size_bytes or opened.content_type != f"image/{staged.format}":
            return False
        data = b"".join(opened.chunks)
    except NotFound:
        return False
    if hashlib.sha256(data).hexdigest() != staged.sha256:
        return False
    try:
        picture = inspect(data, thumbnail_side=THUMBNAIL_SIDE)
    except BadPicture:
        return False
    if (picture.format, picture.width, picture.height) != (staged.format, staged.width, staged.height):
        return False
    services.objects.put(staged.thumbnail_key, picture.thumbnail, content_type="image/webp")
    services.store.accept_staged(staged.id)
    return True


def deliver(services: Services, agent: Agent, message: Deliver) -> Delivered:
    """Make uploads the results of their shots, each fenced alone. Raises StorageAway, StorageFull."""
    absent: set[str] = set()
    if services.objects.gives_links:
        for staged in services.store.staged([picture.upload for picture in message.pictures]):
            with services.space.watched():
                is_there = _take_in(services, staged)
            if not is_there:
                services.store.discard_upload(staged.id)
                absent.add(staged.id)
    missing = [picture.shot_id for picture in message.pictures if picture.upload in absent]
    pictures = [_new_image(services, picture) for picture in message.pictures if picture.upload not in absent]
    accepted, refused, changes = services.store.deliver(agent.id, message.incarnation, pictures)
    announce(services, changes)
    return Delivered(accepted=accepted, refused=refused, missing=missing)


def _new_image(services: Services, picture: Picture) -> NewImage:
    # A broken stopwatch must not charge more than so many attempts can take; each has a token of its own, and one that
    # went on from a parked state counts the device time that is in it.
    seconds = picture.device_seconds if math.isfinite(picture.device_seconds) else 0.0
    return NewImage(
        id=new_id(),
        shot_id=picture.shot_id,
        token=picture.token,
        upload_id=picture.upload,
        infotext=picture.infotext[:INFOTEXT_MAX_CHARACTERS],
        device_seconds=min(max(0.0, seconds), services.limits.timeout_seconds * picture.token),
        notes=read_notes(picture.notes),
        manifest=_manifest(picture),
    )


def _manifest(picture: Picture) -> Manifest | None:
    """What the agent says it was drawn by; None when it says nothing, or nothing that can be kept."""
    if picture.manifest is None:
        return None
    try:
        return Manifest.from_dict(picture.manifest)
    except BadManifest as error:
        _log.warning("shot %s came with a manifest that cannot be read: %s", picture.shot_id, error)
        return None
