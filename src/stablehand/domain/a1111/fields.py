"""Reading bodies as leniently as the web UI itself does: numbers as texts, texts as numbers, null nearly anywhere.

What is read never depends on the order of keys; unknown keys are ignored, because clients send many.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stablehand.domain.a1111.errors import Invalid

_TRUE = frozenset({"1", "on", "t", "true", "y", "yes"})
_FALSE = frozenset({"0", "off", "f", "false", "n", "no"})


class Unreadable(Exception):
    """A value that cannot be taken for what it should be; ``where``: inside of it."""

    def __init__(self, message: str, kind: str, where: tuple[int | str, ...] = (), **context: Any) -> None:
        super().__init__(message)
        self.message = message
        self.kind = kind
        self.where = where
        self.context = context


Reader = Callable[[Any], Any]


@dataclass(frozen=True, slots=True)
class Field:
    """One key of a body. ``default`` stands for what is not there, and for null where null is refused by nobody."""

    name: str
    read: Reader
    default: Any = None
    takes_null: bool = True
    required: bool = False


def whole(value: Any) -> int:
    """``10.5`` is 10, ``"20"`` is 20, ``"10.5"`` is nothing."""
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise Unreadable("value is not a valid integer", "type_error.integer") from None


def number(value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError, OverflowError):
        raise Unreadable("value is not a valid float", "type_error.float") from None
    if not math.isfinite(found):  # JSON has no such thing
        raise Unreadable("value is not a valid float", "type_error.float")
    return found


def text(value: Any) -> str:
    """``3`` is "3"."""
    if isinstance(value, str):
        return value
    if isinstance(value, (int, float)):
        return str(value)
    raise Unreadable("str type expected", "type_error.str")


def truth(value: Any) -> bool:
    if isinstance(value, (bool, int, float)) and value in (0, 1):
        return bool(value)
    if isinstance(value, str) and value.lower() in _TRUE | _FALSE:
        return value.lower() in _TRUE
    raise Unreadable("value could not be parsed to a boolean", "type_error.bool")


def mapping(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Unreadable("value is not a valid dict", "type_error.dict")
    return value


def anything_listed(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise Unreadable("value is not a valid list", "type_error.list")
    return value


def texts(value: Any) -> list[str]:
    found = []
    for index, entry in enumerate(anything_listed(value)):
        try:
            found.append(text(entry))
        except Unreadable as error:
            raise Unreadable(error.message, error.kind, (index,)) from None
    return found


def within(read: Reader, low: float | None = None, high: float | None = None, *, above: bool = False) -> Reader:
    """``above``: more than ``low``, not just as much."""

    def ranged(value: Any) -> Any:
        found = read(value)
        if low is not None and above and found <= low:
            raise Unreadable(f"ensure this value is greater than {low:g}", "value_error.number.not_gt", limit_value=low)
        if low is not None and found < low:
            raise Unreadable(
                f"ensure this value is greater than or equal to {low:g}", "value_error.number.not_ge", limit_value=low
            )
        if high is not None and found > high:
            raise Unreadable(
                f"ensure this value is less than or equal to {high:g}", "value_error.number.not_le", limit_value=high
            )
        return found

    return ranged


def one_of(*values: Any) -> Reader:
    """Compared without leniency."""

    def chosen(value: Any) -> Any:
        if isinstance(value, bool) or value not in values:
            permitted = ", ".join(map(repr, values))
            raise Unreadable(
                f"unexpected value; permitted: {permitted}",
                "value_error.const",
                given=value if isinstance(value, (str, int, float)) else None,
                permitted=list(values),
            )
        return value

    return chosen


def read_body(fields: Sequence[Field], body: Mapping[str, Any]) -> dict[str, Any]:
    """Every field in its order, with its value or its default. Raises Invalid, naming everything that is wrong."""
    found: dict[str, Any] = {}
    problems: list[dict[str, Any]] = []
    for field in fields:
        if field.name not in body:
            if field.required:
                problems.append(_problem((field.name,), "field required", "value_error.missing"))
            found[field.name] = field.default
            continue
        value = body[field.name]
        if value is None:
            if not field.takes_null:
                problems.append(_problem((field.name,), "none is not an allowed value", "type_error.none.not_allowed"))
            found[field.name] = None
            continue
        try:
            found[field.name] = field.read(value)
        except Unreadable as error:
            problems.append(_problem((field.name, *error.where), error.message, error.kind, **error.context))
    if problems:
        raise Invalid(problems)
    return found


def wrong(name: str, message: str) -> Invalid:
    """One value that can be read, but not used."""
    return Invalid([_problem((name,), message, "value_error")])


def not_a_body() -> Invalid:
    return Invalid([_problem((), "value is not a valid dict", "type_error.dict")])


def no_body() -> Invalid:
    return Invalid([_problem((), "field required", "value_error.missing")])


def broken_json(message: str, position: int) -> Invalid:
    return Invalid([_problem((position,), message, "value_error.jsondecode")])


def _problem(where: tuple[int | str, ...], message: str, kind: str, **context: Any) -> dict[str, Any]:
    problem: dict[str, Any] = {"loc": ["body", *where], "msg": message, "type": kind}
    return {**problem, "ctx": context} if context else problem
