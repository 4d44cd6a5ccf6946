import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablehand.domain.errors import InvalidFields
from stablehand.domain.pages import check_limit, decode_cursor, encode_cursor, page_of


@given(st.integers(0, 10**18 - 1))
def test_a_cursor_leads_back_to_its_position(position: int) -> None:
    assert decode_cursor("jobs", encode_cursor("jobs", position)) == position


@given(st.text() | st.binary().map(lambda data: data.decode("latin-1")))
def test_anything_else_is_refused_as_a_bad_cursor(text: str) -> None:
    with pytest.raises(InvalidFields) as refused:
        decode_cursor("jobs", text)
    assert list(refused.value.fields) == ["cursor"]


@pytest.mark.parametrize("position", [-1, 10**18])
def test_positions_out_of_range_are_refused(position: int) -> None:
    with pytest.raises(InvalidFields):
        decode_cursor("jobs", encode_cursor("jobs", position))


def test_a_cursor_of_another_list_is_refused() -> None:
    with pytest.raises(InvalidFields):
        decode_cursor("jobs", encode_cursor("images", 3))


@pytest.mark.parametrize("limit", [0, -1, 201])
def test_page_sizes_have_limits(limit: int) -> None:
    with pytest.raises(InvalidFields):
        check_limit(limit)


def test_allowed_page_sizes_pass() -> None:
    check_limit(1)
    check_limit(200)


def test_a_list_in_memory_is_walked_whole_and_in_order() -> None:
    rows = list(range(7))
    walked: list[int] = []
    cursor: str | None = None
    for _ in range(4):
        page = page_of("rows", rows, limit=2, cursor=cursor)
        walked += page.items
        cursor = page.next_cursor
    assert walked == rows
    assert cursor is None
    assert page_of("rows", rows, limit=7, cursor=None).next_cursor is None
    with pytest.raises(InvalidFields):
        page_of("rows", rows, limit=0, cursor=None)
    with pytest.raises(InvalidFields):
        page_of("rows", rows, limit=2, cursor=encode_cursor("others", 2))
