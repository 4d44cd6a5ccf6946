"""Of what other processes say, only events are heard."""

from collections.abc import Callable
from typing import Any

from stablehand.api import fanout
from stablehand.api.fanout import Fanout


class Line:
    """ports.Broadcast that remembers what is said, and says what it is told to."""

    reaches_others = True
    is_open = True

    def __init__(self) -> None:
        self.said: list[dict[str, Any]] = []
        self.say: Callable[[dict[str, Any]], None] = lambda message: None

    def publish(self, channel: str, message: dict[str, Any]) -> None:
        self.said.append(message)

    def subscribe(self, channel: str, hear: Callable[[dict[str, Any]], None]) -> None:
        self.say = hear

    def on_open(self, opened: Callable[[], None]) -> None: ...

    def start(self) -> None: ...

    def close(self) -> None: ...


def test_events_of_others_are_heard_and_nothing_else() -> None:
    line = Line()
    manager = Fanout(line)
    manager.emit("job", {"id": "1"}, room="account:me")
    [own] = line.said
    line.say(own)
    for method in ("disconnect", "close_room", "enter_room", "leave_room", "callback", "", None):
        line.say({"method": method, "sid": "victim", "room": "account:me", "host_id": "other"})
    event = {**own, "host_id": "other"}
    line.say(event)
    assert next(manager._listen()) == event
    assert manager._heard.empty()


def test_what_nobody_fetches_is_bounded() -> None:
    line = Line()
    manager = Fanout(line)
    for _ in range(fanout.WAITING_EVENTS + 10):
        line.say({"method": "emit", "host_id": "other"})
    assert manager._heard.qsize() == fanout.WAITING_EVENTS
