"""From a job to the answers of this dialect: whole ones, and the events of a stream."""

import base64
from collections.abc import Sequence
from typing import Any

from stablehand.domain.checkpoints import Checkpoint
from stablehand.domain.images import Image
from stablehand.domain.jobs import Job, State
from stablehand.domain.openai.drafts import Draft
from stablehand.domain.openai.errors import Refused

_BACKGROUND = "opaque"
_EVENTS = {"generations": "image_generation", "edits": "image_edit"}


def images_response(draft: Draft, job: Job, images: Sequence[Image], data: Sequence[dict[str, str]]) -> dict[str, Any]:
    """``data``: of each picture its bytes (``as_text``) or its address."""
    first = images[0]
    answer = {
        "created": int((job.finished_at or job.created_at).timestamp()),
        "data": list(data),
        "background": _BACKGROUND,
        "output_format": first.format,
        "quality": draft.quality,
        "size": f"{first.width}x{first.height}",
        "usage": _usage(),
    }
    return _with_identifier(draft, answer)


def as_text(picture: bytes) -> dict[str, str]:
    return {"b64_json": base64.b64encode(picture).decode()}


def partial_event(draft: Draft, job: Job, index: int, picture: bytes, *, created_at: int) -> dict[str, Any]:
    """One picture as it forms; ``index``: the how many-th of them, from 0."""
    recipe = job.recipe
    return {
        "type": f"{_EVENTS[draft.operation]}.partial_image",
        **as_text(picture),
        "partial_image_index": index,
        "background": _BACKGROUND,
        "created_at": created_at,
        "output_format": recipe.format,
        "quality": draft.quality,
        "size": f"{recipe.output_size[0]}x{recipe.output_size[1]}",
    }


def completed_event(draft: Draft, image: Image, picture: bytes) -> dict[str, Any]:
    event = {
        "type": f"{_EVENTS[draft.operation]}.completed",
        **as_text(picture),
        "background": _BACKGROUND,
        "created_at": int(image.created_at.timestamp()),
        "output_format": image.format,
        "quality": draft.quality,
        "size": f"{image.width}x{image.height}",
        "usage": _usage(),
    }
    return _with_identifier(draft, event)


def is_partial_due(progress: float, *, shown: int, wanted: int) -> bool:
    """Whether the next of ``wanted`` partial pictures may be shown; they are spread evenly over the drawing."""
    return shown < wanted and progress >= (shown + 1) / (wanted + 1)


def check_drawn(job: Job) -> None:
    """Raises Refused for a job that failed, or has no picture because it was cancelled."""
    if job.state is State.FAILED:
        words = "it ended without a picture" if job.error is None else f"{job.error.message} {job.error.hint}".strip()
        kept = f" {len(job.images)} of its pictures lie in the gallery." if job.images else ""
        raise Refused(
            f"The job {job.id} failed: {words}{kept}", status=500, code="generation_failed", type="server_error"
        )
    if not job.images:
        raise Refused(f"The job {job.id} was cancelled.", status=409, code="generation_cancelled")


def model_of(checkpoint: Checkpoint) -> dict[str, Any]:
    """A checkpoint as this dialect lists it. When it was made, nobody knows."""
    return {"id": checkpoint.name, "object": "model", "created": 0, "owned_by": "stablehand"}


def _usage() -> dict[str, Any]:
    """Clients expect it; tokens are not what is counted here."""
    return {
        "input_tokens": 0,
        "input_tokens_details": {"image_tokens": 0, "text_tokens": 0},
        "output_tokens": 0,
        "total_tokens": 0,
    }


def _with_identifier(draft: Draft, answer: dict[str, Any]) -> dict[str, Any]:
    return answer if draft.safety_identifier is None else {**answer, "safety_identifier": draft.safety_identifier}
