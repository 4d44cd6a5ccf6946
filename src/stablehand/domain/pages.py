"""Pages of long lists, and the opaque cursors that lead from one to the next.

A cursor names the last row that was shown (keyset), so rows that come or go meanwhile shift nothing.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from stablehand.domain.errors import InvalidFields

T = TypeVar("T")

LIMIT_MIN, LIMIT_MAX, LIMIT_DEFAULT = 1, 200, 50


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    items: tuple[T, ...]
    next_cursor: str | None = None  #: None at the end


def encode_cursor(list_name: str, position: int) -> str:
    """An opaque cursor that continues ``list_name`` after the row numbered ``position``."""
    return base64.urlsafe_b64encode(f"{list_name}:{position}".encode()).decode().rstrip("=")


def decode_cursor(list_name: str, cursor: str) -> int:
    """The position inside a cursor made by :func:`encode_cursor` for the same list.

    Raises:
        InvalidFields: it is not such a cursor.
    """
    wrong = InvalidFields(
        {"cursor": "a next_cursor value from this list"}, hint="Start again without a cursor and follow next_cursor."
    )
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode("ascii")
    except (binascii.Error, ValueError):
        raise wrong from None
    name, _, position = text.partition(":")
    if (
        name != list_name
        or not position.isdecimal()
        or len(position) > 18
        or encode_cursor(name, int(position)) != cursor
    ):
        raise wrong
    return int(position)


def page_of(list_name: str, rows: Sequence[T], *, limit: int, cursor: str | None) -> Page[T]:
    """One page of a list that is whole in memory; its cursors count rows.

    Raises:
        InvalidFields: ``limit`` is out of range, or ``cursor`` was not made for this list.
    """
    check_limit(limit)
    start = 0 if cursor is None else decode_cursor(list_name, cursor)
    end = start + limit
    return Page(tuple(rows[start:end]), encode_cursor(list_name, end) if end < len(rows) else None)


def check_limit(limit: int) -> None:
    """Raises InvalidFields unless ``limit`` is a page size that may be asked for."""
    if not LIMIT_MIN <= limit <= LIMIT_MAX:
        raise InvalidFields({"limit": f"{LIMIT_MIN} to {LIMIT_MAX}"})
