"""Turns, without any network: pictures are names that cost something."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from stablehand.engine.turns import AGED_CALLS, AGED_CALLS_EACH, CREDIT_CALLS, Turns, Waiting

Picture = Waiting


def serve(turns: Turns, waiting: Sequence[Picture], cap: int) -> list[Picture]:
    """One call with at most ``cap`` pictures."""
    served = turns.next(waiting)[:cap]
    turns.charge(served)
    return served


def pictures(owner: str, group: str, count: int, operations: float = 1.0) -> list[Picture]:
    return [Picture(f"{owner}-{group}-{index}", owner, group, operations) for index in range(count)]


def test_a_single_picture_is_in_every_call_beside_sixty_four_of_somebody_else() -> None:
    turns = Turns()
    waiting = [*pictures("many", "g", 64), *pictures("one", "g", 1)]
    for _ in range(20):
        assert "one-g-0" in [picture.id for picture in serve(turns, waiting, cap=8)]


def test_a_single_picture_in_another_group_gets_half_of_the_device() -> None:
    turns = Turns()
    waiting = [*pictures("many", "a", 64), *pictures("one", "b", 1)]
    spent: Counter[str] = Counter()
    calls = 0
    while spent["one"] < 20:
        for picture in serve(turns, waiting, cap=8):
            spent[picture.owner] += 1
        calls += 1
    assert spent["many"] <= 20 + 8 * (CREDIT_CALLS + 2)
    assert calls < 40


def test_who_makes_calls_dearer_than_their_rows_gets_fewer_of_them() -> None:
    turns = Turns()
    waiting = [*pictures("padded", "a", 1), *pictures("plain", "b", 1)]
    calls: Counter[str] = Counter()
    for _ in range(200):
        served = turns.next(waiting)
        turns.charge(served, 4.0 if served[0].owner == "padded" else 1.0)
        calls[served[0].owner] += 1
    assert 3 * calls["padded"] < calls["plain"] < 5 * calls["padded"]


def test_pictures_of_one_owner_advance_together_whatever_their_groups() -> None:
    turns = Turns()
    waiting = [*pictures("me", "a", 6), *pictures("me", "b", 1), *pictures("me", "c", 2, operations=4.0)]
    calls: Counter[str] = Counter()
    for _ in range(300):
        calls.update(picture.id for picture in serve(turns, waiting, cap=4))
    assert max(calls.values()) - min(calls.values()) <= 4


def test_a_group_is_not_left_for_a_trifle() -> None:
    turns = Turns()
    waiting = [*pictures("x", "a", 8), *pictures("y", "b", 8)]
    groups = [serve(turns, waiting, cap=8)[0].group for _ in range(40)]
    changes = sum(before != after for before, after in pairwise(groups))
    assert changes <= 25
    assert 15 <= groups.count("a") <= 25


def test_a_newcomer_neither_waits_for_the_others_past_nor_pays_for_it() -> None:
    turns = Turns()
    old = pictures("old", "a", 8)
    for _ in range(100):
        serve(turns, old, cap=8)
    waiting = [*old, *pictures("new", "b", 8)]
    groups = [serve(turns, waiting, cap=8)[0].group for _ in range(20)]
    assert 7 <= groups.count("b") <= 13


WAITING = st.lists(
    st.tuples(st.sampled_from("xyz"), st.sampled_from("abcd"), st.sampled_from([1.0, 3.0, 8.0])),
    min_size=1,
    max_size=12,
)


@given(WAITING, st.integers(1, 6))
@settings(deadline=None, max_examples=200)
def test_every_picture_is_served_again_and_again(shapes: list[tuple[str, str, float]], cap: int) -> None:
    turns = Turns()
    waiting = [Picture(str(index), *shape) for index, shape in enumerate(shapes)]
    patience = AGED_CALLS + (AGED_CALLS_EACH + 2) * len(waiting)
    for _ in range(2):
        served: set[str] = set()
        for _ in range(patience):
            served.update(picture.id for picture in serve(turns, waiting, cap))
            if len(served) == len(waiting):
                break
        assert len(served) == len(waiting)


@given(WAITING, st.integers(1, 6))
def test_one_group_is_served_at_a_time_and_nobody_twice(shapes: list[tuple[str, str, float]], cap: int) -> None:
    turns = Turns()
    waiting = [Picture(str(index), *shape) for index, shape in enumerate(shapes)]
    for _ in range(5):
        served = serve(turns, waiting, cap)
        assert len({picture.group for picture in served}) == 1
        assert len({picture.id for picture in served}) == len(served)
