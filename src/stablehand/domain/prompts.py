"""The prompt language, as A1111's users write it: AND, [a:b:0.5], [a|b], (x:1.2), [x], BREAK.

Three steps, each a function from text to plain data. :func:`split` cuts a prompt at AND into weighted parts;
:func:`spans` resolves what changes in the course of the steps; :func:`pieces` reads emphasis. Nothing here ever refuses
a prompt: what does not parse is meant literally.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

#: What a bracket without a number is worth.
ROUND_WEIGHT = 1.1
SQUARE_WEIGHT = 1 / 1.1

#: Brackets nested deeper than this are taken literally.
DEPTH_MAX = 64


@dataclass(frozen=True, slots=True)
class Part:
    """One of the prompts that AND joins, with its say in the sum of their pulls."""

    text: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Span:
    """What a prompt says up to and including a step; steps count from 1."""

    last_step: int
    text: str


@dataclass(frozen=True, slots=True)
class Piece:
    """Words with the weight that brackets give them."""

    text: str
    weight: float = 1.0


class Break(Enum):
    """The word BREAK: the next piece begins a new chunk."""

    BREAK = "BREAK"


# AND

_AND = re.compile(r"\bAND\b")
_PART_WEIGHT = re.compile(r"\s*:\s*([-+]?(?:\d*\.\d+|\d+\.?))\s*\Z")


def split(prompt: str) -> tuple[Part, ...]:
    """The parts of a prompt between its ANDs; ``text :weight`` gives one more or less say, also less than none."""
    return tuple(_part(text) for text in _AND.split(prompt))


def _part(text: str) -> Part:
    colon = text.rfind(":")
    # Spaces before the colon do not belong to the words; searching from the colon on keeps this linear.
    weight = _PART_WEIGHT.match(text, colon) if colon >= 0 else None
    if weight is None:
        return Part(text.rstrip())
    return Part(text[:colon].rstrip(), float(weight[1]))


# [from:to:when] and [a|b]


@dataclass(frozen=True, slots=True)
class _Scheduled:
    before: "_Nodes"
    after: "_Nodes"
    when: str  #: as written: a full stop in it makes it a share of the steps


@dataclass(frozen=True, slots=True)
class _Alternating:
    options: tuple["_Nodes", ...]


_Nodes = tuple["str | _Scheduled | _Alternating", ...]

_PLAIN = re.compile(r"(?:[^\\\[\]():|]|\\.)+")
_WHEN = re.compile(r"\s*((?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)\s*\]")


def spans(prompt: str, steps: int, *, steps_before: int | None = None) -> tuple[Span, ...]:
    """What the prompt says in the course of ``steps`` steps: spans in order, the last one ending at ``steps``.

    ``[from:to:when]`` and ``[to:when]`` change after step ``when``, or after that share of the steps if ``when`` has a
    full stop; ``[a|b]`` takes turns. ``steps_before``: the steps of the first pass when this is the second one, where
    shares run from 1.0 to 2.0 and steps go on counting.
    """
    nodes = _Reader(prompt).read()
    if nodes is None or not any(not isinstance(node, str) for node in nodes):
        return (Span(steps, prompt),)
    clock = _Clock(steps, steps_before)
    ends = sorted({steps, *_changes(nodes, clock)})
    found: list[Span] = []
    for end in ends:
        text = "".join(_say(nodes, end, clock))
        if found and found[-1].text == text:
            found.pop()
        found.append(Span(end, text))
    return tuple(found)


@dataclass(frozen=True, slots=True)
class _Clock:
    steps: int
    steps_before: int | None

    def last_step_before(self, when: str) -> int:
        """The step after which ``when`` has come; below 1 for what has been long since."""
        number = float(when)
        if "." in when:
            share = number - (0.0 if self.steps_before is None else 1.0)
            return int(max(-1.0, min(1.0, share)) * self.steps)
        return int(max(-1.0, min(self.steps, number - (self.steps_before or 0))))


def _changes(nodes: _Nodes, clock: _Clock) -> Iterator[int]:
    for node in nodes:
        if isinstance(node, _Alternating):
            yield from range(1, clock.steps + 1)
        elif isinstance(node, _Scheduled):
            when = clock.last_step_before(node.when)
            if when >= 1:
                yield when
            yield from _changes(node.before, clock)
            yield from _changes(node.after, clock)


def _say(nodes: _Nodes, step: int, clock: _Clock) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, str):
            yield node
        elif isinstance(node, _Alternating):
            yield from _say(node.options[(step - 1) % len(node.options)], step, clock)
        else:
            early = step <= clock.last_step_before(node.when)
            yield from _say(node.before if early else node.after, step, clock)


class _Reader:
    """Reads a prompt by recursive descent. Brackets that close nothing are literal at the outermost level only; inside
    of others they make those literal too.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._unclosed: set[int] = set()  #: brackets known not to begin anything: each is tried once

    def read(self) -> _Nodes | None:
        """None when the prompt is to be taken as it stands."""
        nodes: list[str | _Scheduled | _Alternating] = []
        at = 0
        while at < len(self._text):
            found, at = self._run(at, depth=0)
            nodes += found
            if at < len(self._text):
                if self._text[at] in "|\\":
                    return None
                nodes.append(self._text[at])
                at += 1
        return tuple(nodes)

    def _run(self, at: int, depth: int) -> tuple[_Nodes, int]:
        """Words and whole brackets from ``at`` on, as far as they go."""
        nodes: list[str | _Scheduled | _Alternating] = []
        while at < len(self._text):
            if plain := _PLAIN.match(self._text, at):
                nodes.append(plain[0])
                at = plain.end()
                continue
            bracket = self._bracket(at, depth + 1) if self._text[at] in "([" else None
            if bracket is None:
                break
            found, at = bracket
            nodes += found
        return tuple(nodes), at

    def _bracket(self, at: int, depth: int) -> tuple[_Nodes, int] | None:
        if at in self._unclosed or depth > DEPTH_MAX:
            return None
        found = self._round(at, depth) if self._text[at] == "(" else self._square(at, depth)
        if found is None:
            self._unclosed.add(at)
        return found

    def _round(self, at: int, depth: int) -> tuple[_Nodes, int] | None:
        """``(words)`` and ``(words:weight)``, which mean nothing here and stay as they are."""
        inner, end = self._run(at + 1, depth)
        nodes: _Nodes = ("(", *inner)
        if self._at(end) == ":":
            weight, end = self._run(end + 1, depth)
            nodes = (*nodes, ":", *weight)
        return ((*nodes, ")"), end + 1) if self._at(end) == ")" else None

    def _square(self, at: int, depth: int) -> tuple[_Nodes, int] | None:
        first, end = self._run(at + 1, depth)
        if self._at(end) == "]":
            return ("[", *first, "]"), end + 1
        if self._at(end) == "|":
            options = [first]
            while self._at(end) == "|":
                option, end = self._run(end + 1, depth)
                options.append(option)
            return ((_Alternating(tuple(options)),), end + 1) if self._at(end) == "]" else None
        if self._at(end) != ":":
            return None
        if when := _WHEN.match(self._text, end + 1):
            return (_Scheduled((), first, when[1]),), when.end()
        second, end = self._run(end + 1, depth)
        if self._at(end) == ":" and (when := _WHEN.match(self._text, end + 1)):
            return (_Scheduled(first, second, when[1]),), when.end()
        return None

    def _at(self, position: int) -> str:
        return self._text[position : position + 1]


# Emphasis

_TOKEN = re.compile(
    r"""
      \\[()\[\]\\]                                  # an escaped bracket or backslash: itself
    | \\                                            # any other backslash: nothing
    | [(\[]
    | :\s*[-+]?(?:\d+\.?\d*|\.\d+)\s*\)             # a weight that closes a round bracket
    | [)\]]
    | [^\\()\[\]:]+
    | :
    """,
    re.VERBOSE,
)
_BREAK = re.compile(r"\s*\bBREAK\b\s*")


def pieces(text: str) -> tuple[Piece | Break, ...]:
    """The words of a prompt with their weights; neighbours of one weight are one piece. At least one piece.

    ``(x)`` weighs 1.1 times as much, ``[x]`` 1 / 1.1 times, ``(x:1.3)`` 1.3 times; nested brackets multiply, an
    unclosed one reaches to the end, and a backslash makes a bracket literal.
    """
    found: list[tuple[str | Break, float]] = []
    opened: list[tuple[str, int]] = []  #: bracket, and how many pieces stood before it

    def close(bracket: str, weight: float) -> bool:
        """Weigh what stands since the last such bracket; False when none is open."""
        position = next((index for index in reversed(range(len(opened))) if opened[index][0] == bracket), None)
        if position is None:
            return False
        start = opened.pop(position)[1]
        found[start:] = [(words, old * weight) for words, old in found[start:]]
        return True

    for match in _TOKEN.finditer(text):
        sign = match[0]
        if sign.startswith("\\"):
            found.append((sign[1:], 1.0))
        elif sign in ("(", "["):
            opened.append((sign, len(found)))
        elif not _closes(sign, close):
            for number, words in enumerate(_BREAK.split(sign)):
                if number:
                    found.append((Break.BREAK, 1.0))
                found.append((words, 1.0))
    for bracket, _ in opened[::-1]:
        close(bracket, ROUND_WEIGHT if bracket == "(" else SQUARE_WEIGHT)
    return _merge(found)


def _closes(sign: str, close: Callable[[str, float], bool]) -> bool:
    """Whether a sign ends a bracket, which it does only where one is open."""
    if sign == "]":
        return close("[", SQUARE_WEIGHT)
    if sign == ")":
        return close("(", ROUND_WEIGHT)
    return sign.startswith(":") and sign.endswith(")") and close("(", float(sign[1:-1]))


def _merge(found: list[tuple[str | Break, float]]) -> tuple[Piece | Break, ...]:
    merged: list[Piece | Break] = []
    for words, weight in found:
        last = merged[-1] if merged else None
        if isinstance(words, Break):
            merged.append(words)
        elif isinstance(last, Piece) and last.weight == weight:
            merged[-1] = Piece(last.text + words, weight)
        elif words:
            merged.append(Piece(words, weight))
    return tuple(merged) or (Piece(""),)
