"""An order for a job, as somebody typed it: everything but the prompt may be left out.

``problems`` says everything that is wrong with one by itself; whether the checkpoint exists and the tier is allowed is
for the service to say, which adds its findings to the same answer.
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, get_args

from stablehand.domain.checkpoints import Checkpoint
from stablehand.domain.defaults import USUAL, defaults_of
from stablehand.domain.notify import Notify
from stablehand.domain.order_options import (
    DEFAULT_SWITCH_AT,
    MASK_FILLS,
    RESIZE_MODES,
    RESULT_SIDE_MAX,
    OrderOptions,
    hires_options,
    hires_size,
    noise_options,
    option_problems,
    sampler_options,
    size_like,
    text_options,
    upscaled_size,
    upscaler_of,
)
from stablehand.domain.recipes import SEED_MAX, Addon, Format, Kind, Recipe, Refiner, Source
from stablehand.domain.samplers import SAMPLERS, SCHEDULES, Named, find_sampler, find_schedule

#: field -> (smallest, largest) allowed value
LIMITS: dict[str, tuple[float, float]] = {
    "width": (64, 2048),
    "height": (64, 2048),
    "steps": (1, 150),
    "cfg_scale": (0.0, 30.0),
    "seed": (-1, SEED_MAX),
    "count": (1, 1000),
    "quality": (1, 100),
}
SIDE_MULTIPLE = 8
PROMPT_MAX_CHARACTERS = 10_000
IDEMPOTENCY_KEY_MAX_CHARACTERS = 255

#: The kinds that can be ordered.
KINDS: tuple[Kind, ...] = get_args(Kind)

DEFAULT_FORMAT: Format = "webp"
DEFAULT_QUALITY = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOrder(OrderOptions):
    """What is asked for. None means: the default, which may depend on the checkpoint and the input."""

    prompt: str
    negative_prompt: str | None = None
    checkpoint: str | None = None  #: id or name
    steps: int | None = None
    schedule: str | None = None
    cfg_scale: float | None = None
    seed: int | None = None  #: -1 or None: random
    count: int | None = None
    format: str | None = None
    quality: int | None = None
    exact: bool | None = None
    tier: str | None = None
    notify: Notify | None = None
    may_be_wordless: bool = False  #: no prompt is a mistake of people, and a wish of some programs

    @property
    def fingerprint(self) -> str:
        """A SHA-256 by which two sendings of the same order are known as one."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def problems(order: JobOrder, checkpoint: Checkpoint | None = None) -> dict[str, str]:
    """field -> what it must be, for every field that is wrong by itself. Empty: nothing is.

    ``checkpoint``: the one that it means, if there is one; its sampler says which options do something.
    """
    found: dict[str, str] = {}
    for field, (low, high) in LIMITS.items():
        value = getattr(order, field)
        if value is None:
            continue
        fits = _is_number(value, whole=field != "cfg_scale") and low <= value <= high
        if not fits or (field in ("width", "height") and value % SIDE_MULTIPLE):
            found[field] = _range_text(field)
    for field in ("prompt", "negative_prompt", "hr_prompt", "hr_negative_prompt"):
        text = getattr(order, field)
        if text is not None and (problem := _text_problem(text)):
            found[field] = problem
    if "prompt" not in found and not order.prompt.strip() and order.kind != "upscale" and not order.may_be_wordless:
        found["prompt"] = "what to draw, in words"
    _check_choice(found, "kind", order.kind, lambda text: text in KINDS, KINDS)
    _check_choice(found, "format", order.format, lambda text: text in get_args(Format), get_args(Format))
    _check_choice(found, "sampler", order.sampler, lambda text: find_sampler(text) is not None, _names(SAMPLERS))
    _check_choice(found, "schedule", order.schedule, lambda text: find_schedule(text) is not None, _names(SCHEDULES))
    if "kind" not in found:
        usual = (USUAL if checkpoint is None else defaults_of(checkpoint)).sampler
        sampler = usual if order.sampler is None else find_sampler(order.sampler) or ""
        for field, words in option_problems(order, sampler).items():
            found.setdefault(field, words)
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """A picture that an order starts from, or a mask: its input, with its size in pixels."""

    id: str
    width: int
    height: int


def size_problems(order: JobOrder, native_size: int, source: Given | None) -> dict[str, str]:
    """What is wrong with the size of the result, which depends on checkpoint and input."""
    most = f"a result of at most {RESULT_SIDE_MAX} pixels a side"
    if order.kind == "upscale" and source is not None:
        return {"scale": most} if max(upscaled_size(order, source.width, source.height)) > RESULT_SIDE_MAX else {}
    if order.enable_hr and order.kind in (None, "text"):
        size = hires_size(order, order.width or native_size, order.height or native_size)
        field = "hr_scale" if not (order.hr_resize_x or order.hr_resize_y) else "hr_resize_x"
        if max(size) > RESULT_SIDE_MAX:
            return {field: most}
        if min(size) < LIMITS["width"][0]:
            return {field: f"a result of at least {LIMITS['width'][0]} pixels a side"}
    return {}


def make_recipe(
    order: JobOrder,
    checkpoint: Checkpoint,
    *,
    random_seed: int,
    source: Given | None = None,
    mask: Given | None = None,
    refiner: Checkpoint | None = None,
    network: Addon | None = None,
) -> Recipe:
    """The recipe of an order without problems.

    ``random_seed`` is taken when the order leaves a seed open; ``network`` is the upscaler that it names, if it is one.
    """
    kind: Kind = next((name for name in KINDS if name == order.kind), "text")
    defaults = defaults_of(checkpoint)
    native = (checkpoint.native_size, checkpoint.native_size)
    if source is not None:
        native = size_like(source.width, source.height, checkpoint.native_size)
    width, height = order.width or native[0], order.height or native[1]
    if kind == "upscale" and source is not None:
        width, height = upscaled_size(order, source.width, source.height)
    seed = order.seed if order.seed is not None and order.seed >= 0 else random_seed
    return Recipe(
        prompt=order.prompt,
        negative_prompt=order.negative_prompt or "",
        kind=kind,
        checkpoint_id=checkpoint.id,
        checkpoint=checkpoint.name,
        width=width,
        height=height,
        steps=order.steps or defaults.steps,
        sampler=(order.sampler and find_sampler(order.sampler)) or defaults.sampler,
        schedule=(order.schedule and find_schedule(order.schedule)) or defaults.schedule,
        cfg_scale=defaults.cfg_scale if order.cfg_scale is None else float(order.cfg_scale),
        seed=seed,
        format=next((name for name in get_args(Format) if name == order.format), DEFAULT_FORMAT),
        quality=order.quality or DEFAULT_QUALITY,
        exact=bool(order.exact),
        sampler_options=sampler_options(order),
        noise=noise_options(order, random_seed),
        text=text_options(order),
        source=None if source is None else _source(order, source, mask),
        hires=hires_options(order, width, height, network),
        refiner=None
        if refiner is None
        else Refiner(
            checkpoint_id=refiner.id,
            checkpoint=refiner.name,
            switch_at=DEFAULT_SWITCH_AT if order.refiner_switch_at is None else float(order.refiner_switch_at),
        ),
        upscaler=upscaler_of(order.upscaler, network) if kind == "upscale" else None,
    )


def _source(order: JobOrder, source: Given, mask: Given | None) -> Source:
    plain = Source(input=source.id, mask=None if mask is None else mask.id, width=source.width, height=source.height)
    asked: dict[str, Any] = {
        "denoising_strength": order.denoising_strength,
        "resize_mode": None if order.resize_mode is None else RESIZE_MODES[order.resize_mode],
        "initial_noise_multiplier": order.initial_noise_multiplier,
        "mask_blur": order.mask_blur,
        "mask_invert": None if order.inpainting_mask_invert is None else bool(order.inpainting_mask_invert),
        "mask_fill": None if order.inpainting_fill is None else MASK_FILLS[order.inpainting_fill],
        "only_masked": order.inpaint_full_res,
        "only_masked_padding": order.inpaint_full_res_padding,
    }
    return replace(plain, **{name: value for name, value in asked.items() if value is not None})


def _is_number(value: object, *, whole: bool) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, int) or (not whole and isinstance(value, float) and math.isfinite(value))


def _range_text(field: str) -> str:
    low, high = LIMITS[field]
    if field in ("width", "height"):
        return f"{low} to {high}, a multiple of {SIDE_MULTIPLE}"
    if field == "seed":
        return f"-1 (random) to {SEED_MAX}"
    return f"{low:g} to {high:g}"


def _text_problem(text: str) -> str | None:
    if len(text) > PROMPT_MAX_CHARACTERS:
        return f"at most {PROMPT_MAX_CHARACTERS} characters"
    return None if can_be_kept(text) else "text without NUL characters and unpaired surrogates"


def can_be_kept(text: str) -> bool:
    """Neither a file nor a database can hold a NUL, or half of a surrogate pair."""
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


def _check_choice(
    found: dict[str, str], field: str, text: str | None, is_known: Callable[[str], bool], names: tuple[str, ...]
) -> None:
    if text is not None and not is_known(text):
        found[field] = "one of: " + ", ".join(names)


def _names(table: tuple[Named, ...]) -> tuple[str, ...]:
    return tuple(entry.name for entry in table)
