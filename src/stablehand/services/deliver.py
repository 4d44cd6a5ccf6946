"""deliver: finished pictures become images."""

import hashlib
import math

from stablehand.adapters.pictures import inspect
from stablehand.domain.agents import Agent
from stablehand.domain.errors import BadPicture
from stablehand.protocol import Deliver, Delivered, Picture, Uploaded
from stablehand.services import Services
from stablehand.services.announce import announce
from stablehand.services.identity import new_id
from stablehand.store.images import NewImage, NewUpload

THUMBNAIL_SIDE = 320
INFOTEXT_MAX_CHARACTERS = 65_536


def upload(services: Services, agent: Agent, shot_id: str, token: int, data: bytes) -> Uploaded:
    """Check that ``data`` is the picture that was ordered, store it and its thumbnail, and name it for ``deliver``.

    Raises: LeaseLost, BadPicture, StorageFull.
    """
    recipe = services.store.check_lease(agent.id, shot_id, token)
    picture = inspect(data, thumbnail_side=THUMBNAIL_SIDE)
    if (picture.format, picture.width, picture.height) != (recipe.format, recipe.width, recipe.height):
        raise BadPicture(
            f"The picture is a {picture.format} of {picture.width}×{picture.height} pixels, but a {recipe.format} of"
            f" {recipe.width}×{recipe.height} was ordered.",
            hint="The agent and the server may be of different versions; update the agent.",
        )
    upload_id = new_id()
    # The upload's id makes the key its own: sweeping one upload can never hit the bytes of another.
    # Its last characters are random: they spread a million pictures over a thousand folders.
    place = f"{upload_id[-2:]}/{shot_id}-{token}-{upload_id}"
    stored = NewUpload(
        id=upload_id,
        shot_id=shot_id,
        token=token,
        width=picture.width,
        height=picture.height,
        format=picture.format,
        object_key=f"images/{place}.{picture.format}",
        thumbnail_key=f"thumbnails/{place}.webp",
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
    )
    services.store.note_upload(stored)
    services.objects.put(stored.object_key, data, content_type=f"image/{picture.format}")
    services.objects.put(stored.thumbnail_key, picture.thumbnail, content_type="image/webp")
    return Uploaded(upload=upload_id, sha256=stored.sha256, size_bytes=stored.size_bytes)


def deliver(services: Services, agent: Agent, message: Deliver) -> Delivered:
    """Make uploads the results of their shots, each fenced alone."""
    pictures = [_new_image(services, picture) for picture in message.pictures]
    accepted, refused, changes = services.store.deliver(agent.id, message.incarnation, pictures)
    announce(services, changes)
    return Delivered(accepted=accepted, refused=refused)


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
    )
