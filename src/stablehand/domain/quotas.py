"""Quotas: how much one account may have, whether an order stays within, and what a refusal says."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, fields, replace
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any, get_args

from stablehand.domain.errors import InvalidFields
from stablehand.domain.recipes import Kind, Recipe

#: What is counted by the day is counted over the last 24 hours, whatever the clock says: no rush at midnight.
DAY = timedelta(hours=24)

KINDS: tuple[str, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quotas:
    """Of one account. None: no limit of this kind."""

    queued: int | None = 10_000  #: shots that may wait
    running: int | None = None  #: shots that agents may hold at once
    pictures_a_day: int | None = None  #: delivered within a day, with those that are still to be drawn
    device_seconds_a_day: float | None = None  #: the same in device time
    pixels: int | None = None  #: of one delivered picture
    steps: int | None = None
    count: int | None = None  #: pictures of one job
    checkpoints: tuple[str, ...] | None = None  #: patterns of names, without regard to case
    kinds: tuple[str, ...] | None = None

    def with_own(self, own: Mapping[str, Any]) -> "Quotas":
        """These, but for what an account has of its own; see :func:`read_own`."""
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in own.items() if name in NAMES
        }
        return replace(self, **known)

    def allows_checkpoint(self, name: str) -> bool:
        return self.checkpoints is None or any(
            fnmatchcase(name.casefold(), pattern.casefold()) for pattern in self.checkpoints
        )


#: every kind of limit
NAMES: tuple[str, ...] = tuple(field.name for field in fields(Quotas))
#: those whose value is a list of texts
LISTS = frozenset({"checkpoints", "kinds"})
#: those that are counted over a day, and those that are a number of what is there at this moment
BY_THE_DAY = ("pictures_a_day", "device_seconds_a_day")
AT_ONCE = ("queued", "running")


@dataclass(frozen=True, slots=True, kw_only=True)
class Hit:
    """A limit that an order would pass."""

    limit: str  #: of :data:`NAMES`
    most: float
    used: float  #: without the order
    asked: float  #: by the order
    frees_at: datetime | None  #: when there would be room for it; None when waiting alone makes none

    @property
    def over(self) -> float:
        return self.used + self.asked - self.most

    def as_dict(self) -> dict[str, Any]:
        """As JSON knows it."""
        return {**asdict(self), "frees_at": None if self.frees_at is None else self.frees_at.isoformat()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """How much of a limit is used."""

    limit: str
    most: float | None
    used: float
    frees_at: datetime | None  #: when some of it is given back by time alone; None when nothing is

    @property
    def left(self) -> float | None:
        return None if self.most is None else max(0.0, self.most - self.used)


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """A limit on what may be ordered at all, however long one waits, that an order passes."""

    limit: str  #: of :data:`NAMES`
    fields: tuple[str, ...]  #: of the order
    words: str  #: what those must be
    most: float | None = None
    asked: float | None = None

    @property
    def forbids(self) -> bool:
        """It is not too much, but something that the account may not have at all."""
        return self.limit in LISTS


def recipe_breaches(quotas: Quotas, recipe: Recipe, count: int) -> list[Breach]:
    """What of an order the account may not have."""
    found = []
    if quotas.count is not None and count > quotas.count:
        found.append(_too_many("count", "count", quotas.count, count))
    if quotas.steps is not None and recipe.kind != "upscale":
        passes = {"steps": recipe.steps, "hr_second_pass_steps": recipe.hires.steps if recipe.hires else 0}
        found += [
            _too_many("steps", field, quotas.steps, steps) for field, steps in passes.items() if steps > quotas.steps
        ]
    width, height = recipe.output_size
    if quotas.pixels is not None and width * height > quotas.pixels:
        words = (
            f"width × height at most {quotas.pixels} for your account; {width} × {height} is "
            f"{width * height - quotas.pixels} too many"
        )
        fields = ("width", "height")
        found.append(Breach(limit="pixels", fields=fields, words=words, most=quotas.pixels, asked=width * height))
    if quotas.kinds is not None and recipe.kind not in quotas.kinds:
        words = "for your account one of: " + ", ".join(quotas.kinds)
        found.append(Breach(limit="kinds", fields=("kind",), words=words))
    named = [("checkpoint", recipe.checkpoint)]
    if recipe.refiner is not None:
        named.append(("refiner_checkpoint", recipe.refiner.checkpoint))
    for field, name in named:
        if not quotas.allows_checkpoint(name):
            words = "for your account one of: " + ", ".join(quotas.checkpoints or ())
            found.append(Breach(limit="checkpoints", fields=(field,), words=words))
    return found


def _too_many(limit: str, field: str, most: int, asked: int) -> Breach:
    words = f"at most {most} for your account; it is {asked - most} too many"
    return Breach(limit=limit, fields=(field,), words=words, most=most, asked=asked)


def read_own(values: Mapping[str, Any]) -> dict[str, Any]:
    """An account's own quotas from plain values, checked; None means no limit.

    Raises:
        InvalidFields: naming every one that is unknown or wrong.
    """
    problems: dict[str, str] = {}
    own: dict[str, Any] = {}
    for name, value in values.items():
        if name not in NAMES:
            problems[name] = "unknown; limits are: " + ", ".join(NAMES)
        elif value is None:
            own[name] = None
        elif name in LISTS:
            _read_list(name, value, own, problems)
        elif isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e12:
            problems[name] = "a number from 0, or none"
        elif name != "device_seconds_a_day" and value != int(value):
            problems[name] = "a whole number from 0, or none"
        else:
            own[name] = float(value) if name == "device_seconds_a_day" else int(value)
    if problems:
        raise InvalidFields(problems)
    return own


def own_text(own: Mapping[str, Any]) -> str:
    """An account's own quotas in one line: ``queued=5, steps=none``."""
    texts = {name: ",".join(value) if isinstance(value, list | tuple) else value for name, value in own.items()}
    return ", ".join(f"{name}={'none' if value is None else value}" for name, value in sorted(texts.items()))


def _read_list(name: str, value: object, own: dict[str, Any], problems: dict[str, str]) -> None:
    texts = [value] if isinstance(value, str) else list(value) if isinstance(value, Iterable) else []
    if not texts or not all(isinstance(text, str) and text for text in texts):
        problems[name] = "a list of texts"
    elif name == "kinds" and not set(texts) <= set(KINDS):
        problems[name] = "of: " + ", ".join(KINDS)
    else:
        own[name] = texts
