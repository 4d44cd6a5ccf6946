"""Notes: what had to be done otherwise than asked for while a picture was drawn, by a stable code and in words."""

from collections.abc import Iterable
from enum import StrEnum


class Note(StrEnum):
    """In the order in which people are told. An agent sends the code; the words are ours."""

    SMALLER_BATCH = "smaller_batch"
    ONE_BY_ONE = "one_by_one"
    MADE_ROOM = "made_room"
    TILED_DECODE = "tiled_decode"
    NOT_EXACT = "not_exact"
    FLOAT32_DECODE = "float32_decode"
    BLURRED = "blurred"

    @property
    def message(self) -> str:
        return _MESSAGES[self]


_MESSAGES = {
    Note.SMALLER_BATCH: "Memory ran short: the picture was drawn with fewer others at a time, which took longer.",
    Note.ONE_BY_ONE: "Memory ran short: the picture was drawn by itself, which took longer.",
    Note.MADE_ROOM: "Memory ran short: other checkpoints had to leave it, which took longer.",
    Note.TILED_DECODE: "Memory ran short: the picture was decoded in tiles, between which colours may shift a little.",
    Note.NOT_EXACT: "Decoded in tiles, this picture is not bit-equal to the same one decoded as a whole.",
    Note.FLOAT32_DECODE: "The decoder overflowed in half precision: the picture was decoded in float32.",
    Note.BLURRED: "The safety checker of this server had the picture blurred.",
}

_ORDER = list(Note)


def read_notes(codes: Iterable[str]) -> tuple[Note, ...]:
    """The notes that these codes stand for, each once and in order. Codes of a newer version are left out."""
    known = {Note(code) for code in codes if code in _MESSAGES}
    if Note.ONE_BY_ONE in known:
        known.discard(Note.SMALLER_BATCH)  # said again, and more exactly
    return tuple(sorted(known, key=_ORDER.index))
