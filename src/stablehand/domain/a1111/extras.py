"""From a body of an extra to an order for a larger picture."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stablehand.domain.a1111.errors import Refused
from stablehand.domain.a1111.fields import wrong
from stablehand.domain.a1111.labels import meant
from stablehand.domain.order_options import LIMITS_OF_OPTIONS
from stablehand.domain.orders import JobOrder


@dataclass(frozen=True, slots=True, kw_only=True)
class Enlargement:
    """``order``: None where nothing is to be done. ``crop``: to which size in pixels the result is cut."""

    order: JobOrder | None
    crop: tuple[int, int] | None = None
    words: str = ""  #: what was done, for people


def enlargement_of(values: Mapping[str, Any], width: int, height: int, *, format: str, quality: int) -> Enlargement:
    """``values``: of a body as it was read; ``width``, ``height``: of the picture, in pixels.

    Raises Invalid, Refused.
    """
    for name, what in (("gfpgan_visibility", "GFPGAN"), ("codeformer_visibility", "CodeFormer")):
        if values[name]:
            raise wrong(name, f"{what} is not available on this server")
    if meant(values["upscaler_2"]) is not None and values["extras_upscaler_2_visibility"]:
        raise wrong("upscaler_2", "pictures of two upscalers are not mixed on this server")
    upscaler = meant(values["upscaler_1"])
    if upscaler is None:
        return Enlargement(order=None)
    crop = None
    if values["resize_mode"] == 0:
        scale = float(values["upscaling_resize"])
        words = f"Postprocess upscale by: {_plain(scale)}, Postprocess upscaler: {upscaler}"
    else:
        target = (int(values["upscaling_resize_w"]), int(values["upscaling_resize_h"]))
        ratios = (target[0] / width, target[1] / height)
        cuts = _or_true(values["upscaling_crop"])
        scale = max(ratios) if cuts else min(ratios)
        crop = target if cuts else None
        words = f"Postprocess upscale to: {target[0]}x{target[1]}, Postprocess upscaler: {upscaler}"
    low, high = LIMITS_OF_OPTIONS["scale"]
    if not low <= scale <= high:
        field = "upscaling_resize" if values["resize_mode"] == 0 else "upscaling_resize_w"
        raise Refused(422, f"{field}: a picture is made {low:g} to {high:g} times as large here, not {scale:.3g} times")
    order = JobOrder(kind="upscale", prompt="", upscaler=upscaler, scale=scale, format=format, quality=quality)
    return Enlargement(order=order, crop=crop, words=words)


def _plain(value: float) -> str:
    return f"{value:g}"


def _or_true(value: bool | None) -> bool:
    return True if value is None else value
