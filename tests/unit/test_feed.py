import threading

from stablehand.domain.events import PreviewShown
from stablehand.services.feed import Feed


def event(account: str, index: int = 0) -> PreviewShown:
    return PreviewShown(account, "job", index, 0.5, "data:")


def test_events_reach_their_account_and_those_who_hear_all() -> None:
    feed = Feed()
    with feed.subscribe("me") as mine, feed.subscribe("you") as yours, feed.subscribe() as everything:
        feed.publish(event("me", 1))
        feed.publish(event("you", 2))
        assert [mine.get(0), mine.get(0)] == [event("me", 1), None]
        assert yours.get(0) == event("you", 2)
        assert [everything.get(0), everything.get(0)] == [event("me", 1), event("you", 2)]


def test_a_reader_that_is_too_slow_loses_the_oldest_events_only() -> None:
    feed = Feed()
    with feed.subscribe("me", capacity=2) as slow:
        for index in range(5):
            feed.publish(event("me", index))
        assert [slow.get(0), slow.get(0), slow.get(0)] == [event("me", 3), event("me", 4), None]
        assert slow.dropped == 3


def test_a_waiting_reader_is_woken_by_an_event_and_by_the_end() -> None:
    feed = Feed()
    got: list[object] = []
    subscription = feed.subscribe("me")
    reader = threading.Thread(target=lambda: got.extend([subscription.get(), subscription.get()]))
    reader.start()
    feed.publish(event("me"))
    while not got and subscription._events:
        pass
    subscription.close()
    reader.join()
    assert got == [event("me"), None]
    feed.publish(event("me"))
    assert subscription.get(0) is None


def test_the_board_and_the_watchers() -> None:
    feed = Feed()
    feed.note_progress({"a": 0.5, "b": 0.25})
    feed.forget_progress(["b", "unknown"])
    assert (feed.progress("a"), feed.progress("b")) == (0.5, 0.0)
    feed.watch("job")
    feed.watch("job")
    feed.unwatch("job")
    assert feed.is_watched("job")
    feed.unwatch("job")
    feed.unwatch("job")
    assert not feed.is_watched("job")
