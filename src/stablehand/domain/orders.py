"""An order for a job, as somebody typed it: everything but the prompt may be left out.

``problems`` says everything that is wrong with one by itself; whether the checkpoint exists and the tier is allowed is
for the service to say, which adds its findings to the same answer.
"""

import hashlib
import json
import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import get_args

from stablehand.domain.checkpoints import Checkpoint
from stablehand.domain.recipes import SEED_MAX, Format, Kind, Recipe
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
KINDS: tuple[Kind, ...] = ("text",)

DEFAULT_STEPS = 20
DEFAULT_SAMPLER = "DPM++ 2M"
DEFAULT_SCHEDULE = "Automatic"
DEFAULT_CFG_SCALE = 7.0
DEFAULT_FORMAT: Format = "webp"
DEFAULT_QUALITY = 90


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOrder:
    """What is asked for. None means: the default, which may depend on the checkpoint."""

    prompt: str
    negative_prompt: str | None = None
    kind: str | None = None
    checkpoint: str | None = None  #: id or name
    width: int | None = None  #: pixels
    height: int | None = None  #: pixels
    steps: int | None = None
    sampler: str | None = None
    schedule: str | None = None
    cfg_scale: float | None = None
    seed: int | None = None  #: -1 or None: random
    count: int | None = None
    format: str | None = None
    quality: int | None = None
    exact: bool | None = None
    tier: str | None = None

    @property
    def fingerprint(self) -> str:
        """A SHA-256 by which two sendings of the same order are known as one."""
        canonical = json.dumps(asdict(self), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(canonical.encode()).hexdigest()


def problems(order: JobOrder) -> dict[str, str]:
    """field -> what it must be, for every field that is wrong by itself. Empty: nothing is."""
    found: dict[str, str] = {}
    for field, (low, high) in LIMITS.items():
        value = getattr(order, field)
        if value is None:
            continue
        fits = _is_number(value, whole=field != "cfg_scale") and low <= value <= high
        if not fits or (field in ("width", "height") and value % SIDE_MULTIPLE):
            found[field] = _range_text(field)
    for field in ("prompt", "negative_prompt"):
        text = getattr(order, field)
        if text is not None and (problem := _text_problem(text)):
            found[field] = problem
    if "prompt" not in found and not order.prompt.strip():
        found["prompt"] = "what to draw, in words"
    _check_choice(found, "kind", order.kind, lambda text: text in KINDS, KINDS)
    _check_choice(found, "format", order.format, lambda text: text in get_args(Format), get_args(Format))
    _check_choice(found, "sampler", order.sampler, lambda text: find_sampler(text) is not None, _names(SAMPLERS))
    _check_choice(found, "schedule", order.schedule, lambda text: find_schedule(text) is not None, _names(SCHEDULES))
    return found


def make_recipe(order: JobOrder, checkpoint: Checkpoint, *, random_seed: int) -> Recipe:
    """The recipe of an order without problems. ``random_seed`` is taken when the order leaves the seed open."""
    seed = order.seed if order.seed is not None and order.seed >= 0 else random_seed
    return Recipe(
        prompt=order.prompt,
        negative_prompt=order.negative_prompt or "",
        kind="text",
        checkpoint_id=checkpoint.id,
        checkpoint=checkpoint.name,
        width=order.width or checkpoint.native_size,
        height=order.height or checkpoint.native_size,
        steps=order.steps or DEFAULT_STEPS,
        sampler=(order.sampler and find_sampler(order.sampler)) or DEFAULT_SAMPLER,
        schedule=(order.schedule and find_schedule(order.schedule)) or DEFAULT_SCHEDULE,
        cfg_scale=DEFAULT_CFG_SCALE if order.cfg_scale is None else float(order.cfg_scale),
        seed=seed,
        format=next((name for name in get_args(Format) if name == order.format), DEFAULT_FORMAT),
        quality=order.quality or DEFAULT_QUALITY,
        exact=bool(order.exact),
    )


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
    # Neither a file nor a database can hold these two.
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        return "text without NUL characters and unpaired surrogates"
    return None


def _check_choice(
    found: dict[str, str], field: str, text: str | None, is_known: Callable[[str], bool], names: tuple[str, ...]
) -> None:
    if text is not None and not is_known(text):
        found[field] = "one of: " + ", ".join(names)


def _names(table: tuple[Named, ...]) -> tuple[str, ...]:
    return tuple(entry.name for entry in table)
