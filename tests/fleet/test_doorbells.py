"""One law for every doorbell that ships: a ring wakes those who wait, here and in the other processes."""

import contextlib
import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest

from stablehand.adapters.broadcast_redis import RedisBroadcast
from stablehand.adapters.doorbell import InProcessDoorbell
from stablehand.adapters.doorbell_postgres import CHANNEL, DEBOUNCE_SECONDS, PAYLOAD_BYTES, PostgresDoorbell, payloads
from stablehand.adapters.doorbell_redis import BroadcastDoorbell
from stablehand.ports import Doorbell
from tests.fleet.redis_server import RedisServer
from tests.running import eventually
from tests.store.cluster import Cluster

Pair = tuple[Doorbell, Doorbell]


@contextlib.contextmanager
def in_one_process(request: pytest.FixtureRequest) -> Iterator[Pair]:
    bell = InProcessDoorbell()
    yield bell, bell


@contextlib.contextmanager
def by_redis(request: pytest.FixtureRequest) -> Iterator[Pair]:
    server: RedisServer = request.getfixturevalue("redis_server")
    lines = [RedisBroadcast(server.url, "test") for _ in range(2)]
    one, other = (BroadcastDoorbell(line) for line in lines)
    for line in lines:
        line.start()
    eventually(lambda: all(line.is_open for line in lines), "the lines are open")
    yield one, other
    for line in lines:
        line.close()


@contextlib.contextmanager
def by_postgresql(request: pytest.FixtureRequest) -> Iterator[Pair]:
    cluster: Cluster = request.getfixturevalue("cluster")
    with cluster.database(empty=True) as url:
        one, other = PostgresDoorbell(url, "test"), PostgresDoorbell(url, "test")
        one.start()
        other.start()
        eventually(lambda: one._line.is_open and other._line.is_open, "both listen")
        yield one, other
        one.close()
        other.close()
        assert not one._line._thread.is_alive()


@pytest.fixture(params=[in_one_process, by_redis, by_postgresql])
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    kind: Callable[[pytest.FixtureRequest], contextlib.AbstractContextManager[Pair]] = request.param
    with kind(request) as bells:
        yield bells


def wait_for(bell: Doorbell, topic: str) -> "threading.Thread":
    mark = bell.heard()
    thread = threading.Thread(target=lambda: bell.wait(topic, 60, since=mark))
    thread.start()
    return thread


def test_a_ring_wakes_those_who_wait_anywhere(pair: Pair) -> None:
    one, other = pair
    sleepers = [wait_for(one, "work:default"), wait_for(other, "work:default")]
    one.ring("work:default")
    for sleeper in sleepers:
        sleeper.join(30)
        assert not sleeper.is_alive()
    quiet = other.heard()
    assert not other.wait("work:default", 0, since=quiet)


def test_many_rings_at_once_all_arrive(pair: Pair) -> None:
    one, other = pair
    mark = other.heard()
    topics = [f"job:{number:032d}" for number in range(700)]
    for topic in topics:
        one.ring(topic)
    assert all(other.wait(topic, 30, since=mark) for topic in topics)


def test_one_hears_ones_own_ring_once(pair: Pair) -> None:
    one, other = pair
    before = one.heard()
    mark = other.heard()
    one.ring("a")
    other_heard = other.wait("a", 30, since=mark)
    assert other_heard
    echo = one.heard()
    other.ring("b")
    one.wait("b", 30, since=echo)
    assert one.heard() == before + 2


def test_the_database_is_notified_at_most_forty_times_a_second(cluster: Cluster) -> None:
    with cluster.database(empty=True) as url, psycopg.connect(url, autocommit=True) as listener:
        listener.execute(f"LISTEN {CHANNEL}")
        bell = PostgresDoorbell(url, "test")
        bell.start()
        eventually(lambda: bell._line.is_open, "it listens")
        stop = threading.Event()
        ringing = threading.Thread(target=_ring_until, args=(bell, stop))
        ringing.start()
        count = sum(1 for _ in listener.notifies(timeout=2.0))
        stop.set()
        ringing.join()
        bell.close()
    assert 0 < count <= 2.0 / DEBOUNCE_SECONDS + 2


def _ring_until(bell: Doorbell, stop: threading.Event) -> None:
    while not stop.wait(0.001):
        bell.ring("work:default")


def test_a_database_that_goes_away_and_comes_back_is_heard_again(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    with cluster.database(empty=True) as url:
        one, other = PostgresDoorbell(url, "here"), PostgresDoorbell(url, "there")
        one.start()
        other.start()
        eventually(lambda: one._line.is_open and other._line.is_open, "both listen")
        mark = other.heard()
        with psycopg.connect(url, autocommit=True) as operator:
            operator.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'stablehand doorbell'"
            )
        assert other.wait("anything", 30, since=mark), "what rang meanwhile is not known, so all are woken"
        eventually(lambda: one._line.is_open and other._line.is_open, "both listen again")
        mark = other.heard()
        one.ring("a")
        assert other.wait("a", 30, since=mark)
        one.close()
        other.close()
    assert caplog.text.count("is away") == 2


def test_notes_of_others_on_our_channel_are_ignored(cluster: Cluster) -> None:
    with cluster.database(empty=True) as url:
        bell = PostgresDoorbell(url, "test")
        bell.start()
        eventually(lambda: bell._line.is_open, "it listens")
        mark = bell.heard()
        with psycopg.connect(url, autocommit=True) as stranger:
            for payload in ("", "null", "{", "[]", '["x", "a"]'):
                stranger.execute("SELECT pg_notify(%s, %s)", (CHANNEL, payload))
        assert bell.wait("a", 30, since=mark)
        assert bell.heard() == mark + 1
        bell.close()


def test_without_a_server_it_rings_in_its_own_process() -> None:
    bell = PostgresDoorbell("host=127.0.0.1 port=1", "nowhere")
    bell.start()
    mark = bell.heard()
    for number in range(5000):
        bell.ring(f"t{number}")
    assert bell.wait("t4999", 0, since=mark)
    assert len(bell._waiting) <= 4096
    bell.close()


def test_payloads_fit_into_notifications_and_lose_nothing() -> None:
    import json

    topics = [f"job:{number:032d}" for number in range(1000)] + ["work:größer"]
    sent = list(payloads("me", topics))
    assert len(sent) > 1
    assert all(len(payload.encode()) <= PAYLOAD_BYTES for payload in sent)
    assert [topic for payload in sent for topic in json.loads(payload)[1:]] == topics
    assert list(payloads("me", [])) == []
