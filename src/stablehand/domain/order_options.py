"""The further fields of an order: everything beside the plain picture from words.

They bear A1111's request names. A field that changes nothing for the kind, or beside the other fields, is refused:
whoever sends it believes that it does something.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from stablehand.domain.recipes import (
    SEED_MAX,
    Addon,
    Hires,
    MaskFill,
    NoiseOptions,
    ResizeMode,
    SamplerOptions,
    TextOptions,
)
from stablehand.domain.samplers import SAMPLERS, SCHEDULES, find_sampler, find_schedule
from stablehand.domain.upscalers import find_upscaler

RESIZE_MODES: tuple[ResizeMode, ...] = (
    "Just resize",
    "Crop and resize",
    "Resize and fill",
    "Just resize (latent upscale)",
)
MASK_FILLS: tuple[MaskFill, ...] = ("fill", "original", "latent noise", "latent nothing")
NOISE_SOURCES = ("CPU", "GPU", "NV")
EMPHASES = ("Original", "No norm", "Ignore", "None")

#: Pixels a side of what a second pass or an upscale may bring.
RESULT_SIDE_MAX = 4096
SIDE_MULTIPLE = 8
ID_MAX_CHARACTERS = 64
DEFAULT_SCALE = 2.0
DEFAULT_SWITCH_AT = 0.8

#: field -> (smallest, largest) allowed value, whole numbers
WHOLE_LIMITS: Mapping[str, tuple[int, int]] = MappingProxyType(
    {
        "resize_mode": (0, len(RESIZE_MODES) - 1),
        "mask_blur": (0, 64),
        "inpainting_fill": (0, len(MASK_FILLS) - 1),
        "inpaint_full_res_padding": (0, 1024),
        "inpainting_mask_invert": (0, 1),
        "hr_resize_x": (0, RESULT_SIDE_MAX),
        "hr_resize_y": (0, RESULT_SIDE_MAX),
        "hr_second_pass_steps": (0, 150),
        "subseed": (-1, SEED_MAX),
        "seed_resize_from_w": (-1, 2048),
        "seed_resize_from_h": (-1, 2048),
        "ensd": (0, 2**32 - 1),
        "clip_skip": (1, 12),
    }
)
#: field -> (smallest, largest) allowed value, any numbers
LIMITS_OF_OPTIONS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "denoising_strength": (0.0, 1.0),
        "initial_noise_multiplier": (0.0, 1.5),
        "hr_scale": (1.0, 4.0),
        "refiner_switch_at": (0.0, 1.0),
        "subseed_strength": (0.0, 1.0),
        "eta": (0.0, 1.0),
        "s_churn": (0.0, 100.0),
        "s_tmin": (0.0, 1000.0),
        "s_tmax": (0.0, 1000.0),
        "s_noise": (0.0, 2.0),
        "scale": (1.0, 8.0),
    }
)

_IMAGE = frozenset({"image", "inpaint"})
_SAMPLED = frozenset({"text", "image", "inpaint"})
_HIRES = (
    "hr_scale",
    "hr_resize_x",
    "hr_resize_y",
    "hr_upscaler",
    "hr_second_pass_steps",
    "hr_sampler_name",
    "hr_scheduler",
    "hr_prompt",
    "hr_negative_prompt",
)
#: field -> the kinds for which it does something
KINDS_OF: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        **dict.fromkeys(
            (
                "refiner_checkpoint",
                "refiner_switch_at",
                "subseed",
                "subseed_strength",
                "seed_resize_from_w",
                "seed_resize_from_h",
                "noise_source",
                "eta",
                "s_churn",
                "s_tmin",
                "s_tmax",
                "s_noise",
                "ensd",
                "discard_next_to_last_sigma",
                "clip_skip",
                "emphasis",
                "vae",
                "denoising_strength",
                "negative_prompt",
                "checkpoint",
                "width",
                "height",
                "steps",
                "sampler",
                "schedule",
                "cfg_scale",
                "seed",
                "exact",
            ),
            _SAMPLED,
        ),
        **dict.fromkeys(("resize_mode", "initial_noise_multiplier"), _IMAGE),
        "input": frozenset({"image", "inpaint", "upscale"}),
        **dict.fromkeys(
            (
                "mask",
                "mask_blur",
                "inpainting_fill",
                "inpaint_full_res",
                "inpaint_full_res_padding",
                "inpainting_mask_invert",
            ),
            frozenset({"inpaint"}),
        ),
        **dict.fromkeys(("enable_hr", *_HIRES), frozenset({"text"})),
        **dict.fromkeys(("upscaler", "scale"), frozenset({"upscale"})),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderOptions:
    """None: not asked for. The fields that other checks read as well stand in domain.orders.JobOrder."""

    kind: str | None = None
    width: int | None = None  #: pixels
    height: int | None = None  #: pixels
    sampler: str | None = None
    input: str | None = None  #: id of an input or an image
    mask: str | None = None  #: id of an input or an image
    denoising_strength: float | None = None
    resize_mode: int | None = None
    initial_noise_multiplier: float | None = None
    mask_blur: int | None = None
    inpainting_fill: int | None = None
    inpaint_full_res: bool | None = None
    inpaint_full_res_padding: int | None = None
    inpainting_mask_invert: int | None = None
    enable_hr: bool | None = None
    hr_scale: float | None = None
    hr_resize_x: int | None = None
    hr_resize_y: int | None = None
    hr_upscaler: str | None = None
    hr_second_pass_steps: int | None = None
    hr_sampler_name: str | None = None
    hr_scheduler: str | None = None
    hr_prompt: str | None = None
    hr_negative_prompt: str | None = None
    refiner_checkpoint: str | None = None
    refiner_switch_at: float | None = None
    subseed: int | None = None
    subseed_strength: float | None = None
    seed_resize_from_w: int | None = None
    seed_resize_from_h: int | None = None
    noise_source: str | None = None
    eta: float | None = None
    s_churn: float | None = None
    s_tmin: float | None = None
    s_tmax: float | None = None
    s_noise: float | None = None
    ensd: int | None = None
    discard_next_to_last_sigma: bool | None = None
    clip_skip: int | None = None
    emphasis: str | None = None
    vae: str | None = None
    upscaler: str | None = None
    scale: float | None = None


def option_problems(order: OrderOptions, sampler: str) -> dict[str, str]:
    """field -> what it must be, for every further field that is wrong by itself. ``sampler``: its exact label."""
    found = _out_of_range(order)
    _check_names(order, found)
    _check_needs(order, sampler, found)
    kind = order.kind or "text"
    for field, kinds in KINDS_OF.items():
        if getattr(order, field, None) is not None and kind not in kinds:
            found[field] = f"has no effect for the kind {kind}; leave it out"
    for field in ("input", "mask"):
        if getattr(order, field) is None and kind in KINDS_OF[field]:
            found[field] = "the id of a picture: from POST /api/v1/inputs, or of one of your images"
    return found


def _out_of_range(order: OrderOptions) -> dict[str, str]:
    found = {}
    for limits, whole in ((WHOLE_LIMITS, True), (LIMITS_OF_OPTIONS, False)):
        for field, (low, high) in limits.items():
            value = getattr(order, field)
            if value is None:
                continue
            kinds = int if whole else (int, float)
            if isinstance(value, bool) or not isinstance(value, kinds) or not low <= value <= high:
                found[field] = f"{low:g} to {high:g}" if high < SEED_MAX else f"-1 (random) to {SEED_MAX}"
    return found


def _check_names(order: OrderOptions, found: dict[str, str]) -> None:
    known: tuple[tuple[str, object, Sequence[str]], ...] = (
        (
            "hr_sampler_name",
            order.hr_sampler_name is None or find_sampler(order.hr_sampler_name),
            [entry.name for entry in SAMPLERS],
        ),
        (
            "hr_scheduler",
            order.hr_scheduler is None or find_schedule(order.hr_scheduler),
            [entry.name for entry in SCHEDULES],
        ),
        ("noise_source", order.noise_source in (None, *NOISE_SOURCES), NOISE_SOURCES),
        ("emphasis", order.emphasis in (None, *EMPHASES), EMPHASES),
    )
    for field, fits, names in known:
        if not fits:
            found[field] = "one of: " + ", ".join(names)
    for field in ("input", "mask", "vae", "refiner_checkpoint", "upscaler", "hr_upscaler"):
        text = getattr(order, field)
        most = ID_MAX_CHARACTERS if field in ("input", "mask") else 512
        if text is not None and not (0 < len(text) <= most and text.isprintable()):
            found[field] = f"1 to {most} printable characters"


def _check_needs(order: OrderOptions, sampler: str, found: dict[str, str]) -> None:
    """Fields that do something only beside others."""
    needs: list[tuple[str, bool, str]] = [(field, bool(order.enable_hr), "enable_hr") for field in _HIRES]
    if order.kind in (None, "text"):
        needs.append(("denoising_strength", bool(order.enable_hr), "enable_hr"))
    needs += [
        ("inpaint_full_res_padding", bool(order.inpaint_full_res), "inpaint_full_res"),
        ("refiner_switch_at", order.refiner_checkpoint is not None, "refiner_checkpoint"),
        ("subseed", bool(order.subseed_strength), "a subseed_strength above 0"),
    ]
    for field, given, what in needs:
        if getattr(order, field) is not None and not given:
            found.setdefault(field, f"has no effect without {what}; leave it out")
    if (order.hr_resize_x or order.hr_resize_y) and order.hr_scale is not None:
        found.setdefault("hr_scale", "has no effect beside hr_resize_x and hr_resize_y; leave it out")
    if order.kind == "inpaint" and order.resize_mode is not None:
        if order.inpaint_full_res:
            found.setdefault("resize_mode", "has no effect beside inpaint_full_res; leave it out")
        elif order.resize_mode == len(RESIZE_MODES) - 1:
            found.setdefault("resize_mode", "0 to 2 for the kind inpaint")
    widths = [value for value in (order.seed_resize_from_w, order.seed_resize_from_h) if value and value > 0]
    if len(widths) == 1:
        found.setdefault("seed_resize_from_w", "give both seed_resize_from_w and seed_resize_from_h")
        found.setdefault("seed_resize_from_h", "give both seed_resize_from_w and seed_resize_from_h")
    if order.s_tmin is not None and order.s_tmax and order.s_tmin > order.s_tmax:
        found.setdefault("s_tmin", "at most s_tmax")
    used = {sampler, *([find_sampler(order.hr_sampler_name) or ""] if order.hr_sampler_name else [])}
    knows = frozenset().union(*(entry.options for entry in SAMPLERS if entry.name in used))
    for field in ("eta", "s_churn", "s_tmin", "s_tmax", "s_noise", "ensd"):
        if getattr(order, field) is not None and field not in knows and sampler:
            found.setdefault(field, f"has no effect with the sampler {sampler}; leave it out")


def noise_options(order: OrderOptions, random_seed: int) -> NoiseOptions:
    strength = order.subseed_strength or 0.0
    subseed = order.subseed if order.subseed is not None and order.subseed >= 0 else random_seed
    return NoiseOptions(
        source=next((name for name in ("CPU", "GPU", "NV") if name == order.noise_source), "CPU"),
        subseed=subseed if strength else 0,
        subseed_strength=float(strength),
        seed_resize_from_w=max(0, order.seed_resize_from_w or 0),
        seed_resize_from_h=max(0, order.seed_resize_from_h or 0),
    )


def text_options(order: OrderOptions) -> TextOptions:
    emphasis = order.emphasis or "Original"
    return TextOptions(clip_skip=order.clip_skip or 1, emphasis=emphasis)  # type: ignore[arg-type]


def sampler_options(order: OrderOptions) -> SamplerOptions:
    """A ``s_tmax`` of 0 means no upper end, as it does to A1111."""
    return SamplerOptions(
        eta=None if order.eta is None else float(order.eta),
        s_churn=float(order.s_churn or 0.0),
        s_tmin=float(order.s_tmin or 0.0),
        s_tmax=float(order.s_tmax) if order.s_tmax else None,
        s_noise=1.0 if order.s_noise is None else float(order.s_noise),
        discard_next_to_last_sigma=order.discard_next_to_last_sigma,
        ensd=order.ensd or 0,
    )


def hires_options(order: OrderOptions, width: int, height: int, network: Addon | None = None) -> Hires | None:
    """The second pass after a first one of this size, in pixels; None when none is asked for.

    ``network``: the upscaler that leads to it, if that is one.
    """
    if not order.enable_hr:
        return None
    target_width, target_height = hires_size(order, width, height)
    return Hires(
        width=target_width,
        height=target_height,
        upscaler=upscaler_of(order.hr_upscaler, network, latent=True),
        steps=order.hr_second_pass_steps or 0,
        denoising_strength=0.7 if order.denoising_strength is None else float(order.denoising_strength),
        sampler=order.hr_sampler_name and find_sampler(order.hr_sampler_name),
        schedule=order.hr_scheduler and find_schedule(order.hr_scheduler),
        prompt=order.hr_prompt or None,
        negative_prompt=order.hr_negative_prompt or None,
    )


def upscaler_of(text: str | None, network: Addon | None, *, latent: bool = False) -> str:
    """The exact name of what enlarges, for what was asked for; ``latent``: latents may be enlarged as well."""
    if network is not None:
        return network.name
    return (text and find_upscaler(text, latent=latent)) or ("Latent" if latent else "Lanczos")


def hires_size(order: OrderOptions, width: int, height: int) -> tuple[int, int]:
    """What a second pass brings: scaled, or resized with the proportions kept where one side is open."""
    x, y = order.hr_resize_x or 0, order.hr_resize_y or 0
    if not x and not y:
        scale = DEFAULT_SCALE if order.hr_scale is None else order.hr_scale
        return _fitting(width * scale), _fitting(height * scale)
    return _fitting(x or y * width / height), _fitting(y or x * height / width)


def upscaled_size(order: OrderOptions, width: int, height: int) -> tuple[int, int]:
    """What an upscale of a picture of this size brings, in pixels."""
    scale = DEFAULT_SCALE if order.scale is None else order.scale
    return max(1, round(width * scale)), max(1, round(height * scale))


def size_like(width: int, height: int, native_size: int) -> tuple[int, int]:
    """About ``native_size``² pixels in the proportions of a picture, sides a multiple of 8 from 64 to 2048."""
    ratio = math.sqrt(width / height)
    sides = (native_size * ratio, native_size / ratio)
    first, second = (min(2048, max(64, round(side / SIDE_MULTIPLE) * SIDE_MULTIPLE)) for side in sides)
    return first, second


def _fitting(side: float) -> int:
    return max(SIDE_MULTIPLE, int(side) // SIDE_MULTIPLE * SIDE_MULTIPLE)
