"""From a body of this dialect to an order of ours.

A draft is an order without the pictures that it starts from: these come as files, which only a service can keep.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from stablehand.domain.checkpoints import Checkpoint, find
from stablehand.domain.defaults import USUAL, defaults_of
from stablehand.domain.openai.errors import Refused, shown
from stablehand.domain.openai.fields import Operation
from stablehand.domain.orders import JobOrder

#: upstream's own names, which clients send because they know no other: here they mean the default checkpoint
_UPSTREAM_MODEL = re.compile(r"dall-e-[23]|(chat)?gpt-image-[\w.-]+")
_SIZE = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")

#: quality -> steps; None: the checkpoint's own number
STEPS: Mapping[str, int | None] = MappingProxyType(
    {
        "auto": None,
        "low": 12,
        "medium": None,
        "standard": None,
        "high": 30,
        "hd": 30,
        "xhigh": 40,
        "max": 50,
    }
)
#: what answers call a quality
_SAID = {"auto": "medium", "standard": "medium", "hd": "high"}

#: how much of a picture is drawn anew where its client does not say
EDIT_STRENGTH, FAITHFUL_EDIT_STRENGTH, VARIATION_STRENGTH, MASKED_STRENGTH = 0.75, 0.5, 0.6, 1.0
#: pictures of another shape are cropped, not squeezed ("Crop and resize")
_CROP = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    operation: Operation
    order: JobOrder
    as_links: bool  #: pictures are answered as addresses, not as text
    streams: bool
    partial_images: int
    quality: str  #: as answers say it
    safety_identifier: str | None


def draft_of(
    operation: Operation,
    values: Mapping[str, Any],
    checkpoints: Sequence[Checkpoint],
    *,
    default: Checkpoint | None,
    default_quality: int,
) -> Draft:
    """``values``: as ``read_body`` has them. ``default``: the checkpoint of who names none, if there is one.
    ``default_quality``: of lossy files, 1 to 100. Raises Refused."""
    streams, partial_images = bool(values.get("stream")), values.get("partial_images") or 0
    _check_stream(values, streams, partial_images)
    if values.get("background") == "transparent":
        raise Refused(
            "Transparent backgrounds are not available on this server.", param="background", code="unsupported_value"
        )
    quality = values.get("quality") or "auto"
    width, height = _size(values["size"])
    format_, compression = _format(values, default_quality)
    named = _checkpoint(values["model"], checkpoints)
    steps = _steps(quality, named or default) if values["steps"] is None else values["steps"]
    return Draft(
        operation=operation,
        order=JobOrder(
            kind="text" if operation == "generations" else "image",
            may_be_wordless=operation == "variations",
            prompt=values["prompt"] or "",
            negative_prompt=values["negative_prompt"],
            checkpoint=None if named is None else named.id,
            width=width,
            height=height,
            count=values["n"],
            format=format_,
            quality=compression,
            steps=steps,
            cfg_scale=values["cfg_scale"],
            seed=values["seed"],
            sampler=values["sampler"],
            schedule=values["schedule"],
            clip_skip=values["clip_skip"],
            exact=values["exact"],
            tier=values["tier"],
            denoising_strength=_strength(operation, values),
            resize_mode=None if operation == "generations" else _CROP,
        ),
        as_links=not streams and _wants_links(operation, values),
        streams=streams,
        partial_images=partial_images,
        quality=_SAID.get(quality, quality),
        safety_identifier=values["safety_identifier"] or values["user"] or None,
    )


def with_pictures(draft: Draft, values: Mapping[str, Any], picture: str, mask: str | None) -> JobOrder:
    """The order with the ids of its inputs. What a mask leaves open is drawn wholly anew, unless a client says."""
    if mask is None:
        return replace(draft.order, input=picture)
    strength = values["denoising_strength"]
    return replace(
        draft.order,
        kind="inpaint",
        input=picture,
        mask=mask,
        denoising_strength=MASKED_STRENGTH if strength is None else strength,
    )


def find_model(checkpoints: Sequence[Checkpoint], name: str) -> Checkpoint:
    """Raises Refused."""
    found = find(checkpoints, name)
    if found is None:
        raise Refused(
            f"The model '{shown(name)}' does not exist or you do not have access to it.",
            status=404,
            param="model",
            code="model_not_found",
        )
    return found


def _checkpoint(name: str | None, checkpoints: Sequence[Checkpoint]) -> Checkpoint | None:
    """None: the default."""
    if not name or (find(checkpoints, name) is None and _UPSTREAM_MODEL.fullmatch(name)):
        return None
    return find_model(checkpoints, name)


def _steps(quality: str, checkpoint: Checkpoint | None) -> int | None:
    """A distilled network has one number of steps: it draws better neither with fewer nor with more."""
    is_distilled = checkpoint is not None and defaults_of(checkpoint) is not USUAL
    return None if is_distilled else STEPS[quality]


def _check_stream(values: Mapping[str, Any], streams: bool, partial_images: int) -> None:
    if partial_images and not streams:
        raise Refused(
            "'partial_images' needs 'stream' to be true.", param="partial_images", code="invalid_parameter_combination"
        )
    if partial_images and (values["n"] or 1) > 1:
        raise Refused(
            "Partial images of several pictures could not be told apart: 'partial_images' needs 'n' to be 1.",
            param="partial_images",
            code="invalid_parameter_combination",
        )
    if streams and values["response_format"] == "url":
        raise Refused(
            "A stream carries pictures as 'b64_json' only.", param="response_format", code="unsupported_value"
        )


def _size(text: str | None) -> tuple[int | None, int | None]:
    """Pixels; none where the checkpoint, or the picture it starts from, decides."""
    if text in (None, "auto"):
        return None, None
    parts = _SIZE.fullmatch(text or "")
    if parts is None:
        raise Refused(
            f"Invalid value: '{shown(text or '')}'. A size is 'auto', or width and height in pixels, as '512x768'.",
            param="size",
            code="invalid_value",
        )
    return int(parts[1]), int(parts[2])


def _format(values: Mapping[str, Any], default_quality: int) -> tuple[str, int | None]:
    """(format, its quality; None for one that has none)."""
    format_ = values.get("output_format") or "png"
    compression = values.get("output_compression")
    if format_ == "png":
        if compression not in (None, 100):
            raise Refused(
                "PNG pictures have no compression to choose: 'output_compression' needs jpeg or webp.",
                param="output_compression",
                code="invalid_parameter_combination",
            )
        return format_, None
    return format_, default_quality if compression is None else max(1, compression)


def _strength(operation: Operation, values: Mapping[str, Any]) -> float | None:
    if operation == "generations" or values["denoising_strength"] is not None:
        return values.get("denoising_strength")
    if operation == "variations":
        return VARIATION_STRENGTH
    return FAITHFUL_EDIT_STRENGTH if values["input_fidelity"] == "high" else EDIT_STRENGTH


def _wants_links(operation: Operation, values: Mapping[str, Any]) -> bool:
    """Clients that know DALL·E only, variations among them, expect addresses where they have not said."""
    if values["response_format"] is not None:
        return bool(values["response_format"] == "url")
    return operation == "variations" or (values["model"] or "").startswith("dall-e-")
