"""What draws: ``/v1/images/generations``, ``/edits`` and ``/variations``, at once or as a stream of events."""

import time

from flask import Blueprint, Response, jsonify

from stablehand.api.dialects.calling import call
from stablehand.api.dialects.openai.speaking import Asked, read_form, read_json
from stablehand.api.dialects.openai.streaming import stream
from stablehand.api.door import Door
from stablehand.api.links import addresses
from stablehand.domain.calls import fingerprint_of
from stablehand.domain.jobs import Job
from stablehand.domain.openai.answers import as_text, check_drawn, images_response
from stablehand.domain.openai.drafts import Draft, draft_of, with_pictures
from stablehand.domain.openai.fields import Operation
from stablehand.domain.orders import JobOrder
from stablehand.services.bring_files import bring_files
from stablehand.services.catalogue import allowed_checkpoints, default_checkpoint
from stablehand.services.collect import collect
from stablehand.services.links import link_stamp


def add(api: Blueprint, door: Door) -> None:
    @api.post("/v1/images/generations")
    def generations() -> Response:
        return _draw(door, "generations", read_json("generations"))

    @api.post("/v1/images/edits")
    def edits() -> Response:
        return _draw(door, "edits", read_form("edits"))

    @api.post("/v1/images/variations")
    def variations() -> Response:
        return _draw(door, "variations", read_form("variations"))


def _draw(door: Door, operation: Operation, asked: Asked) -> Response:
    draft = draft_of(
        operation,
        asked.values,
        allowed_checkpoints(door.services, door.account),
        default=default_checkpoint(door.services, door.account),
        default_quality=door.options.quality,
    )
    kind = f"images.{operation}"
    fingerprint = fingerprint_of(kind, asked.sent)
    if draft.streams:
        return stream(door, draft, kind=kind, fingerprint=fingerprint, order=lambda: _order(door, draft, asked))
    answered = call(door, kind=kind, fingerprint=fingerprint, order=lambda: _order(door, draft, asked))
    check_drawn(answered.job)
    return jsonify(_answer(door, draft, answered.job))


def _order(door: Door, draft: Draft, asked: Asked) -> JobOrder:
    """The draft's order with its pictures. Raises InvalidFields, PictureTooLarge, StorageFull, StorageAway."""
    if asked.picture is None:
        return draft.order
    picture, mask = bring_files(door.services, door.account, asked.picture, asked.mask)
    return with_pictures(draft, asked.values, picture.id, None if mask is None else mask.id)


def _answer(door: Door, draft: Draft, job: Job) -> dict[str, object]:
    if draft.as_links:
        images = sorted(job.images, key=lambda image: image.index)
        stamp = link_stamp(door.services, door.account)
        now = time.time()
        data = [{"url": addresses(door).hour(image, stamp=stamp, now=now)} for image in images]
        return images_response(draft, job, images, data)
    found, pictures = collect(door.services, job)
    return images_response(draft, job, found, [as_text(picture) for picture in pictures])
