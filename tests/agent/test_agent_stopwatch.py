"""What the agent tells of its time."""

import pytest

from stablehand.agent.stopwatch import Stopwatch


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_a_tick_that_brings_a_checkpoint_in_is_its_load_and_not_drawing() -> None:
    clock = Clock()
    watch = Stopwatch(clock)
    watch.note_tick(3.0, ["a"])
    watch.note_tick(1.0, ["a"])
    clock.now = 4.0
    assert [(load.checkpoint_id, load.seconds) for load in watch.loads()] == [("a", 3.0)]
    assert watch.busy_share() == pytest.approx(0.25)


def test_loads_are_told_until_they_were_heard() -> None:
    watch = Stopwatch(Clock())
    watch.note_tick(3.0, ["a"])
    told = watch.loads()
    watch.note_tick(2.0, ["a", "b"])
    watch.note_tick(2.0, ["b"])
    watch.heard(told)
    assert [load.checkpoint_id for load in watch.loads()] == ["b"]


def test_the_share_follows_what_the_device_does() -> None:
    clock = Clock()
    watch = Stopwatch(clock)
    shares = []
    for _ in range(60):
        clock.now += 1.0
        watch.note_tick(1.0, [])
        shares.append(watch.busy_share() or 0.0)
    clock.now += 60.0
    assert shares[-1] == pytest.approx(1.0)
    assert (watch.busy_share() or 0.0) < 0.2
