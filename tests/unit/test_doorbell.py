import threading

from stablehand.adapters import doorbell as rooms
from stablehand.adapters.doorbell import InProcessDoorbell


def test_nobody_rang() -> None:
    assert not InProcessDoorbell().wait("a", 0)


def test_a_ring_since_the_mark_is_not_missed() -> None:
    bell = InProcessDoorbell()
    mark = bell.heard()
    bell.ring("a")
    assert bell.wait("a", 0, since=mark)
    assert not bell.wait("b", 0, since=mark)
    assert not bell.wait("a", 0), "without a mark only later rings count"


def test_everybody_who_waits_for_the_topic_is_woken_and_nobody_else() -> None:
    bell = InProcessDoorbell()
    mark = bell.heard()
    woken: list[str] = []
    threads = [
        threading.Thread(target=lambda topic=topic: woken.append(topic) if bell.wait(topic, 30, since=mark) else None)
        for topic in ("a", "a", "b")
    ]
    for thread in threads:
        thread.start()
    bell.ring("a")
    for thread in threads[:2]:
        thread.join()
    assert woken == ["a", "a"]
    bell.ring("b")
    threads[2].join()
    assert woken == ["a", "a", "b"]
    assert bell._conditions == {}


def test_forgotten_topics_wake_for_nothing_but_never_sleep_through(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(rooms, "REMEMBERED_TOPICS", 2)
    bell = InProcessDoorbell()
    mark = bell.heard()
    for topic in "abcd":
        bell.ring(topic)
    assert len(bell._last_ring) == 2
    assert all(bell.wait(topic, 0, since=mark) for topic in "abcd")
    assert not bell.wait("a", 0, since=bell.heard())
