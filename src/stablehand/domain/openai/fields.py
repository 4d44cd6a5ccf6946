"""The fields of this dialect's bodies, and how they are read.

Values in JSON must be of the right type, as upstream has it; those of a form come as text. A field that nobody knows is
refused, and so is one that is known and cannot be had here: whoever sends it believes that it does something.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from stablehand.domain.openai.errors import Refused, shown

Operation = Literal["generations", "edits", "variations"]
OPERATIONS: tuple[Operation, ...] = ("generations", "edits", "variations")

_TYPES = {"text": "a string", "whole": "an integer", "number": "a number", "truth": "a boolean"}
_TRUTHS = {"true": True, "1": True, "false": False, "0": False}
MOST_PICTURES = 10


@dataclass(frozen=True, slots=True)
class Field:
    """``choices``: none for any value. ``limits``: smallest and largest; None where the order's own limits hold."""

    name: str
    type: Literal["text", "whole", "number", "truth"] = "text"
    choices: tuple[str, ...] = ()
    limits: tuple[int, int] | None = None
    required: bool = False


_EVERYWHERE = (
    Field("model"),
    Field("n", "whole", limits=(1, MOST_PICTURES)),
    Field("size"),
    Field("response_format", choices=("url", "b64_json")),
    Field("user"),
    Field("safety_identifier"),
)
_DRAWN_FROM_WORDS = (
    Field("prompt", required=True),
    Field("quality", choices=("auto", "low", "medium", "high", "xhigh", "max", "standard", "hd")),
    Field("background", choices=("auto", "opaque", "transparent")),
    Field("output_format", choices=("png", "jpeg", "webp")),
    Field("output_compression", "whole", limits=(0, 100)),
    Field("stream", "truth"),
    Field("partial_images", "whole", limits=(0, 3)),
)
#: fields of our own orders that may stand beside those of the dialect, under their own names
_OF_ORDERS = (
    Field("negative_prompt"),
    Field("seed", "whole"),
    Field("steps", "whole"),
    Field("cfg_scale", "number"),
    Field("sampler"),
    Field("schedule"),
    Field("clip_skip", "whole"),
    Field("exact", "truth"),
    Field("tier"),
)

FIELDS: Mapping[Operation, tuple[Field, ...]] = {
    "generations": (
        *_DRAWN_FROM_WORDS,
        *_EVERYWHERE,
        Field("style", choices=("vivid", "natural")),
        Field("moderation", choices=("auto", "low")),
        *_OF_ORDERS,
    ),
    "edits": (
        *_DRAWN_FROM_WORDS,
        *_EVERYWHERE,
        Field("input_fidelity", choices=("low", "high")),
        *_OF_ORDERS,
        Field("denoising_strength", "number"),
    ),
    "variations": (*_EVERYWHERE, Field("prompt"), *_OF_ORDERS, Field("denoising_strength", "number")),
}
#: known upstream, and not to be had here
UNSUPPORTED = ("complexity", "frame_count", "frame_duration_ms", "svg", "markup")
#: files of a form
FILES: Mapping[Operation, tuple[str, ...]] = {
    "generations": (),
    "edits": ("image", "mask"),
    "variations": ("image",),
}


def read_body(operation: Operation, body: Mapping[str, Any], *, as_text: bool = False) -> dict[str, Any]:
    """Every field of the operation; None for what is not there, or null. ``as_text``: the values come from a form.

    Raises Refused for the first that is wrong.
    """
    fields = FIELDS[operation]
    known = {field.name for field in fields}
    for name, value in body.items():
        if name in known or value is None:
            continue
        if name.partition("[")[0] in UNSUPPORTED:
            raise Refused(f"'{name}' is not available on this server.", param=name, code="unsupported_parameter")
        if name in FILES[operation]:
            raise Refused(f"Invalid type for '{name}': expected a file.", param=name, code="invalid_type")
        raise Refused(f"Unknown parameter: '{shown(name)}'.", param=shown(name), code="unknown_parameter")
    return {field.name: _read(field, body.get(field.name), as_text=as_text) for field in fields}


def _read(field: Field, value: Any, *, as_text: bool) -> Any:
    if value is None:
        if field.required:
            raise Refused(
                f"Missing required parameter: '{field.name}'.", param=field.name, code="missing_required_parameter"
            )
        return None
    if as_text and field.type != "text":
        value = _from_text(field, str(value))
    if not _is(field, value):
        raise _wrong_type(field)
    if field.choices and value not in field.choices:
        raise Refused(
            f"Invalid value: '{shown(value)}'. Supported values are: {_listed(field.choices)}.",
            param=field.name,
            code="invalid_value",
        )
    if field.limits is not None and not field.limits[0] <= value <= field.limits[1]:
        low, high = field.limits
        raise Refused(
            f"Invalid '{field.name}': expected a value from {low} to {high}.",
            param=field.name,
            code="integer_below_min_value" if value < low else "integer_above_max_value",
        )
    return value


def _from_text(field: Field, text: str) -> Any:
    try:
        if field.type == "truth":
            return _TRUTHS[text.strip().lower()]
        return int(text) if field.type == "whole" else float(text)
    except (ValueError, KeyError):
        raise _wrong_type(field) from None


def _is(field: Field, value: Any) -> bool:
    if field.type == "text":
        return isinstance(value, str)
    if field.type == "truth" or isinstance(value, bool):
        return field.type == "truth" and isinstance(value, bool)
    return isinstance(value, int) or (field.type == "number" and isinstance(value, float) and math.isfinite(value))


def _wrong_type(field: Field) -> Refused:
    return Refused(
        f"Invalid type for '{field.name}': expected {_TYPES[field.type]}.", param=field.name, code="invalid_type"
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)
