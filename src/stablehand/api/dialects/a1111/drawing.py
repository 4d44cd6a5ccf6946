"""What draws: ``/txt2img``, ``/img2img``, the extras; and what reads a picture."""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from flask import Blueprint, Response

from stablehand import __version__
from stablehand.api.dialects.a1111.speaking import body_of, say
from stablehand.api.dialects.calling import TASK_HEADER, Answered, call
from stablehand.api.door import Door
from stablehand.domain.a1111.answers import echo, failure_of, has_sheet, info_of, png_info_of, sheet_shape
from stablehand.domain.a1111.bodies import EXTRA_BATCH, EXTRA_SINGLE, INTERROGATE, LISTED_IMAGE, PNG_INFO
from stablehand.domain.a1111.client_options import Choices
from stablehand.domain.a1111.drafts import Draft, draft_of
from stablehand.domain.a1111.errors import Refused
from stablehand.domain.a1111.extras import Enlargement, enlargement_of
from stablehand.domain.a1111.fields import not_a_body, read_body
from stablehand.domain.calls import Call, fingerprint_of
from stablehand.domain.jobs import State
from stablehand.domain.orders import JobOrder
from stablehand.services.bring import bring, bring_mask, bring_written, words_in
from stablehand.services.catalogue import allowed_checkpoints, default_checkpoint
from stablehand.services.client_options import chosen_options
from stablehand.services.collect import collect, cut_out, sheet_of, with_words
from stablehand.services.inputs import input_bytes


def add(api: Blueprint, door: Door) -> None:
    @api.post("/sdapi/v1/txt2img")
    def txt2img() -> Response:
        return _draw(door, "txt2img")

    @api.post("/sdapi/v1/img2img")
    def img2img() -> Response:
        return _draw(door, "img2img")

    @api.post("/sdapi/v1/extra-single-image")
    def extra_single_image() -> Response:
        body = body_of(door)
        values = read_body(EXTRA_SINGLE, body)
        done = _enlarge(door, values, values["image"] or "", body)
        return done.named(say({"html_info": f"<p>{done.words}</p>", "image": _text(done.picture)}))

    @api.post("/sdapi/v1/extra-batch-images")
    def extra_batch_images() -> Response:
        body = body_of(door)
        values = read_body(EXTRA_BATCH, body)
        given = [_listed(entry) for entry in values["imageList"]]  # all of them before the first is drawn
        found = [_enlarge(door, values, text, {**body, "imageList": [index, text]}) for index, text in enumerate(given)]
        words = found[-1].words if found else ""
        response = say({"html_info": f"<p>{words}</p>", "images": [_text(done.picture) for done in found]})
        return found[-1].named(response) if found else response

    @api.post("/sdapi/v1/png-info")
    def png_info() -> Response:
        infotext, items = words_in(door.services, read_body(PNG_INFO, body_of(door))["image"])
        return say(png_info_of(infotext, items))

    @api.post("/sdapi/v1/interrogate")
    def interrogate() -> Response:
        read_body(INTERROGATE, body_of(door))
        raise Refused(404, "Model not found: describing pictures is not available on this server.")


def _listed(entry: Any) -> str:
    """The picture of one entry of a batch. Raises Invalid."""
    if not isinstance(entry, dict):
        raise not_a_body()
    return str(read_body(LISTED_IMAGE, entry)["data"])


def _draw(door: Door, kind: str) -> Response:
    body = body_of(door)
    chosen = chosen_options(door.services, door.caller)
    draft = draft_of(
        kind,
        body,
        chosen,
        allowed_checkpoints(door.services, door.account),
        default=default_checkpoint(door.services, door.account),
    )
    answered = call(
        door,
        kind=kind,
        # Some clients name each sending anew.
        fingerprint=fingerprint_of(kind, {"body": {**body, "force_task_id": None}, "options": chosen}),
        order=lambda: _order(door, draft),
        task_id=draft.values["force_task_id"],
        batches=draft.batches,
    )
    _check(answered)
    images, pictures = collect(door.services, answered.job)
    info = info_of(draft, answered.job, images, __version__)
    if has_sheet(draft, images):
        pictures = [sheet_of(images, pictures, sheet_shape(len(images))), *pictures]
    sent = [_text(picture) for picture in pictures] if draft.values["send_images"] else []
    response = say({"images": sent, "parameters": echo(draft), "info": info})
    response.headers[TASK_HEADER] = answered.call.task_id
    return response


def _order(door: Door, draft: Draft) -> JobOrder:
    """The draft's order with its pictures. Raises Refused, PictureTooLarge, StorageFull, StorageAway."""
    found: dict[str, str] = {}
    if draft.picture is not None:
        found["input"] = bring(door.services, door.account, draft.picture).id
    if draft.mask is not None:
        found["mask"] = bring_mask(door.services, door.account, draft.mask).id
    return replace(draft.order, **found) if found else draft.order  # type: ignore[arg-type]


def _check(answered: Answered) -> None:
    """Raises Refused where the job failed; one that was interrupted has fewer pictures, or none."""
    if answered.job.state is State.FAILED:
        raise Refused(500, "", name="RuntimeError", errors=failure_of(answered.job))


@dataclass(frozen=True, slots=True)
class _Enlarged:
    """``words``: what was done. ``call``: by which; none where there was nothing to do."""

    picture: bytes
    words: str
    call: Call | None = None

    def named(self, response: Response) -> Response:
        if self.call is not None:
            response.headers[TASK_HEADER] = self.call.task_id
        return response


def _enlarge(door: Door, values: Mapping[str, Any], text: str, body: Mapping[str, Any]) -> _Enlarged:
    chosen = chosen_options(door.services, door.caller)
    choices = Choices(chosen, None)
    kept, infotext = bring_written(door.services, door.account, text)
    done = enlargement_of(values, kept.width, kept.height, format=choices.format, quality=choices.quality)
    if done.order is None:
        return _Enlarged(with_words(input_bytes(door.services, door.account, kept.id), infotext, ""), done.words)
    answered = call(
        door,
        kind="extras",
        fingerprint=fingerprint_of("extras", {"body": body, "options": chosen}),
        order=_with_input(done, kept.id),
    )
    _check(answered)
    images, pictures = collect(door.services, answered.job)
    if not images:
        raise Refused(500, "", name="RuntimeError", errors=f"The job {answered.job.id} was interrupted.")
    picture = pictures[0] if done.crop is None else cut_out(images[0], pictures[0], done.crop)
    return _Enlarged(with_words(picture, infotext, done.words), done.words, answered.call)


def _with_input(done: Enlargement, input_id: str) -> Callable[[], JobOrder]:
    assert done.order is not None
    order = replace(done.order, input=input_id)
    return lambda: order


def _text(picture: bytes) -> str:
    return base64.b64encode(picture).decode("ascii")
