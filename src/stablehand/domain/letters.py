"""Letters: mail that this house writes to the people who use it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

#: of a subject line; the rest is cut off
SUBJECT_MAX_CHARACTERS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Enclosure:
    """A file that travels with a letter."""

    name: str  #: under which it is saved
    media_type: str  #: such as image/jpeg
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """Whoever gets two with the same ``key`` got one twice. ``earlier``: key of a letter that this one continues."""

    to: str
    subject: str
    text: str
    html: str | None = None  #: says the same; pictures in it are named as ``cid:NAME``
    pictures: Mapping[str, Enclosure] = field(default_factory=dict)  #: NAME -> shown within ``html``
    enclosures: tuple[Enclosure, ...] = ()  #: to be saved
    key: str | None = None
    earlier: str | None = None
    written_at: datetime | None = None  #: None: when it leaves
    unsubscribe: str | None = None  #: address that ends letters of this sort, by GET with a button and by POST at once


def one_line(text: str, most: int = SUBJECT_MAX_CHARACTERS) -> str:
    """``text`` as it may stand in a header: on one line, without control characters, cut at a word where possible."""
    plain = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    if len(plain) <= most:
        return plain
    cut = plain[: most - 1]
    head, space, _ = cut.rpartition(" ")
    return (head if space and len(head) > most // 2 else cut).rstrip(" ,.;:-") + "…"
