"""Boards of several processes over a broadcast that delivers at once, or not at all."""

from collections.abc import Callable
from typing import Any

from stablehand.services.board import FORGET_SECONDS, Board


class Room:
    """Everybody in it hears what anybody says; ``is_silent`` cuts the line."""

    def __init__(self) -> None:
        self.hearers: list[Callable[[dict[str, Any]], None]] = []
        self.openers: list[Callable[[], None]] = []
        self.is_silent = False


class Chair:
    """ports.Broadcast for one process in the room."""

    reaches_others = True
    is_open = True

    def __init__(self, room: Room) -> None:
        self._room = room

    def publish(self, channel: str, message: dict[str, Any]) -> None:
        if not self._room.is_silent:
            for hear in self._room.hearers:
                hear(message)

    def subscribe(self, channel: str, hear: Callable[[dict[str, Any]], None]) -> None:
        self._room.hearers.append(hear)

    def on_open(self, opened: Callable[[], None]) -> None:
        self._room.openers.append(opened)

    def start(self) -> None: ...

    def close(self) -> None: ...


def two() -> tuple[Board, Board, Room]:
    room = Room()
    return Board(Chair(room)), Board(Chair(room)), room


def test_progress_is_read_in_every_process_until_the_shot_ends() -> None:
    here, there, _ = two()
    here.note_progress({"a": 0.25, "b": 0.5})
    here.note_progress({"a": 0.75, "b": 0.5})
    assert (there.progress("a"), there.progress("b")) == (0.75, 0.5)
    before = here.progress_now()
    there.forget_progress(["a"])
    assert (here.progress("a"), here.progress("b")) == (0.0, 0.5)
    assert (before("a"), before("b"), before("c")) == (0.75, 0.5, 0.0)


def test_a_job_is_watched_as_long_as_anybody_anywhere_looks() -> None:
    here, there, _ = two()
    there.watch("job")
    there.watch("job")
    here.watch("job")
    assert here.is_watched("job")
    there.unwatch("job")
    here.unwatch("job")
    assert here.is_watched("job")
    assert there.is_watched("job")
    there.unwatch("job")
    assert not here.is_watched("job")
    assert not there.is_watched("job")


def test_whoever_comes_later_or_was_cut_off_asks_for_everything() -> None:
    here, there, room = two()
    room.is_silent = True
    here.note_progress({"a": 0.5})
    here.watch("job")
    there.watch("other")
    assert not there.is_watched("job")
    room.is_silent = False
    room.openers[1]()
    assert there.progress("a") == 0.5
    assert there.is_watched("job")
    assert here.is_watched("other")


def test_a_process_that_died_leaves_no_trace() -> None:
    here, there, _ = two()
    there.note_progress({"a": 0.5})
    there.watch("job")
    now = here._progress["a"][1]
    here.forget_old(now + FORGET_SECONDS - 1)
    assert here.is_watched("job")
    assert here.progress("a") == 0.5
    here.forget_old(now + FORGET_SECONDS + 1)
    assert not here.is_watched("job")
    assert here.progress("a") == 0.0


def test_what_one_repeats_is_its_own_shots_only() -> None:
    here, there, room = two()
    said: list[dict[str, Any]] = []
    here.note_progress({"a": 0.5})
    room.hearers.append(said.append)
    there._tell_all()
    assert said[-1]["progress"] == {}
    there.note_progress({"a": 0.75})  # the agent speaks to the other process now
    here._tell_all()
    assert said[-1]["progress"] == {}
