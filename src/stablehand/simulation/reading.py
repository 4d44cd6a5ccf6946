"""Reads a scenario from plain values, as a YAML or JSON file holds them."""

import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from math import isfinite
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from stablehand.domain.errors import InvalidFields
from stablehand.simulation.scenario import Scenario

#: Least values of numbers, by the name of their field; everything else may not be negative.
_LEAST: dict[str, float] = {"slots": 1, "seats": 1, "accounts": 1, "shots": 1, "shots_a_job": 1, "max_agents": 1}

_ABOVE_ZERO = frozenset(
    {"seconds", "shots_a_second", "look_seconds", "shot_seconds", "cost", "pictures_a_day", "steps", "width", "height"}
)

#: The only number that may be endless.
_ENDLESS = "idle_share"

_PAGE = "docs/explain/scheduling.md"

Kind = TypeVar("Kind")

_SHARES = frozenset({"premium_share", "cost_spread"})


def read_scenario(values: object, *, name: str) -> Scenario:
    """The scenario that a file describes. Its fields are those of :mod:`stablehand.simulation.scenario`.

    Raises:
        InvalidFields: naming every field that is unknown, missing or wrong.
    """
    given = {"name": name, **values} if isinstance(values, Mapping) else values
    scenario = read_values(Scenario, given, place="scenario", page=_PAGE)
    problems: dict[str, str] = {}
    _check_routes(scenario, problems)
    if problems:
        raise InvalidFields(problems, hint=f"Correct them; {_PAGE} describes the file.")
    return scenario


def read_values(kind: type[Kind], values: object, *, place: str, page: str) -> Kind:
    """``values`` as a dataclass of plain fields. ``place``: what the whole is called; ``page``: where it is described.

    Raises:
        InvalidFields: naming every field that is unknown, missing or wrong.
    """
    problems: dict[str, str] = {}
    if isinstance(values, Mapping):
        read = _read(kind, values, "", problems)
    else:
        problems[place] = "a table of fields"
    if problems:
        raise InvalidFields(problems, hint=f"Correct them; {page} describes the file.")
    assert isinstance(read, kind)
    return read


def _read(kind: Any, value: object, place: str, problems: dict[str, str]) -> Any:
    """``value`` as a ``kind``; what is wrong goes into ``problems``, and the answer is then of no use."""
    origin = get_origin(kind)
    if origin in {Union, types.UnionType}:
        if value is None:
            return None
        return _read(next(part for part in get_args(kind) if part is not type(None)), value, place, problems)
    if is_dataclass(kind):
        return _read_dataclass(kind, value, place, problems)
    if origin is tuple:
        parts = get_args(kind)
        if not isinstance(value, list):
            problems[place] = "a list"
        elif parts[-1] is Ellipsis:
            return tuple(_read(parts[0], item, f"{place}[{index}]", problems) for index, item in enumerate(value))
        elif len(value) != len(parts):
            problems[place] = f"a list of {len(parts)}"
        else:
            return tuple(_read(part, item, place, problems) for part, item in zip(parts, value, strict=True))
        return None
    if origin is Literal:
        if value not in get_args(kind):
            problems[place] = "one of " + ", ".join(map(str, get_args(kind)))
        return value
    return _read_plain(kind, value, place, problems)


def _read_dataclass(kind: Any, value: object, place: str, problems: dict[str, str]) -> Any:
    if not isinstance(value, Mapping):
        problems[place] = "a table of fields"
        return None
    known: dict[str, Field[Any]] = {field.name: field for field in fields(kind)}
    hints = get_type_hints(kind)
    read = {}
    for name in value:
        at = f"{place}.{name}" if place else str(name)
        if name not in known:
            problems[at] = "a known field: " + ", ".join(known)
        else:
            read[name] = _read(hints[name], value[name], at, problems)
    for name, field in known.items():
        if name not in value and field.default is MISSING and field.default_factory is MISSING:
            problems[f"{place}.{name}" if place else name] = "given"
    return kind(**read) if not problems else None


def _read_plain(kind: Any, value: object, place: str, problems: dict[str, str]) -> object:
    name = place.rpartition(".")[2].partition("[")[0]
    if kind in {int, float}:
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if is_number and name != _ENDLESS and not isfinite(value):  # type: ignore[arg-type]
            problems[place] = "a finite number"
            return value
        if not is_number or (kind is int and value != int(value)):  # type: ignore[call-overload]
            problems[place] = "a whole number" if kind is int else "a number"
            return value
        number = kind(value)
        if name in _SHARES and not 0 <= number <= 1:
            problems[place] = "0 to 1"
        elif name in _ABOVE_ZERO and number <= 0:
            problems[place] = "more than 0"
        elif number < _LEAST.get(name, 0):
            problems[place] = f"{_LEAST.get(name, 0)} or more"
        return number
    if not isinstance(value, kind):
        problems[place] = "true or false" if kind is bool else "a text"
    return value


def _check_routes(scenario: Scenario, problems: dict[str, str]) -> None:
    """Every checkpoint that is ordered must have a pool."""
    if not scenario.pools:
        problems["pools"] = "at least one pool"
        return
    named = [pool.checkpoints for pool in scenario.pools if pool.checkpoints is not None]
    if len(named) < len(scenario.pools):
        return
    wanted = [(f"crowds[{i}]", crowd.checkpoints) for i, crowd in enumerate(scenario.crowds)]
    wanted += [(f"orders[{i}]", (order.checkpoint, order.checkpoint)) for i, order in enumerate(scenario.orders)]
    for place, (first, last) in wanted:
        if any(not any(low <= number <= high for low, high in named) for number in range(first, last + 1)):
            problems[place] = "checkpoints that a pool names, or add a pool without `checkpoints`"
