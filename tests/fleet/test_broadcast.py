"""Broadcasts through a real Redis: what is said reaches the others, and an outage costs what was said meanwhile."""

import json
import logging
import queue
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from stablehand.adapters import broadcast_redis
from stablehand.adapters.broadcast_redis import RedisBroadcast, place_of
from tests.fleet.redis_server import RedisServer
from tests.running import eventually

Make = Callable[[], tuple[RedisBroadcast, "queue.Queue[dict[str, Any]]"]]


@pytest.fixture
def make(redis_server: RedisServer) -> Iterator[Make]:
    """A process's end of the line, open, and what it hears on the channel "news"."""
    made: list[RedisBroadcast] = []

    def make() -> tuple[RedisBroadcast, "queue.Queue[dict[str, Any]]"]:
        heard: queue.Queue[dict[str, Any]] = queue.Queue()
        end = RedisBroadcast(redis_server.url, "test")
        end.subscribe("news", heard.put)
        made.append(end)
        end.start()
        eventually(lambda: end.is_open, "the line is open")
        return end, heard

    yield make
    for end in made:
        end.close()
        assert not end._speaker._thread.is_alive()
        assert not end._listener._thread.is_alive()


def test_what_one_says_all_hear(make: Make) -> None:
    one, heard_by_one = make()
    _, heard_by_other = make()
    one.publish("news", {"n": 1})
    one.publish("news", {"n": 2})
    for heard in (heard_by_one, heard_by_other):
        assert [heard.get(timeout=30), heard.get(timeout=30)] == [{"n": 1}, {"n": 2}]


def test_another_prefix_is_another_installation(make: Make, redis_server: RedisServer) -> None:
    _, heard = make()
    redis_server.publish("other:news", json.dumps({"n": 1}).encode())
    redis_server.publish("test:news", json.dumps({"n": 2}).encode())
    assert heard.get(timeout=30) == {"n": 2}


@pytest.mark.parametrize("foreign", [b"\x80\x04]\x94.", b"[1]", b"{", b'"' + b"x" * 2_000_000 + b'"'])
def test_what_is_no_message_of_ours_is_dropped_and_the_line_goes_on(
    make: Make, redis_server: RedisServer, foreign: bytes
) -> None:
    _, heard = make()
    redis_server.publish("test:news", foreign)
    redis_server.publish("test:news", b'{"n": 3}')
    assert heard.get(timeout=30) == {"n": 3}


def test_a_hearer_that_fails_loses_one_message(redis_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    heard: queue.Queue[int] = queue.Queue()
    end = RedisBroadcast(redis_server.url, "test")
    end.subscribe("news", lambda message: heard.put(10 // message["n"]))
    end.start()
    eventually(lambda: end.is_open, "the line is open")
    end.publish("news", {"n": 0})
    end.publish("news", {"n": 5})
    assert heard.get(timeout=30) == 2
    assert "was not understood" in caplog.text
    end.close()


def test_an_outage_is_told_once_and_healed_by_itself(
    make: Make, redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    one, _ = make()
    other, heard = make()
    opened: queue.Queue[str] = queue.Queue()
    other.on_open(lambda: opened.put("again"))
    redis_server.kill()
    eventually(lambda: not one.is_open and not other.is_open, "the outage is noticed")
    for n in range(100):
        one.publish("news", {"n": n})  # returns at once
    redis_server.start()
    eventually(lambda: one.is_open and other.is_open, "the lines are open again")
    assert opened.get(timeout=30) == "again"
    one.publish("news", {"n": "after"})
    while heard.get(timeout=30) != {"n": "after"}:
        pass
    away = [record for record in caplog.records if record.levelno == logging.WARNING and "is away" in record.message]
    assert len(away) == 2, "one warning a process, however long it lasts"
    assert "Traceback" not in caplog.text


def test_what_waits_is_bounded_and_the_oldest_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(broadcast_redis, "WAITING_MESSAGES", 3)
    end = RedisBroadcast("redis://127.0.0.1:1/0", "test")
    for n in range(5):
        end.publish("news", {"n": n})
    end.publish("news", {"n": "x" * broadcast_redis.LARGEST_MESSAGE_BYTES})
    assert [json.loads(data) for _, data in end._waiting] == [{"n": 2}, {"n": 3}, {"n": 4}]


def test_the_log_says_where_without_the_password() -> None:
    assert place_of("rediss://user:secret@redis.example.org:6380/2") == "rediss://redis.example.org:6380/2"
