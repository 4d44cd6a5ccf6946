"""PostgreSQL is stopped in the middle of the work: told apart from our own faults, and forgotten once it is back."""

import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg

from stablehand.domain.errors import StorageFull, StoreUnavailable
from stablehand.domain.jobs import State
from stablehand.store import Store
from stablehand.store.connections import Contended, in_our_words
from stablehand.store.models import JobRow
from stablehand.store.transactions import REPEATS, Transactions, repeatable
from tests.store.cluster import Cluster
from tests.store.house import Clock, House, open_services


@pytest.fixture
def own_cluster() -> Iterator[Cluster]:
    """A server that a test may stop: the others have theirs."""
    cluster = Cluster()
    yield cluster
    cluster.end()


def test_after_an_immediate_stop_the_same_store_goes_on(own_cluster: Cluster, tmp_path: Path) -> None:
    with own_cluster.database() as url:
        house = House(open_services(tmp_path, clock=Clock(), url=url), Clock())
        job = house.order(count=2)
        hand = house.agent()
        with house.services.store.writing():
            pass  # an idle connection in the pool, which is about to die
        own_cluster.stop_at_once()
        with pytest.raises(StoreUnavailable) as caught:
            house.order()
        assert caught.value.code == "store_unavailable"
        assert "postgres" not in caught.value.message + caught.value.hint, "where it lies is not for callers"
        assert caught.value.reason
        own_cluster.start_again()
        lease = hand.claim_one()
        assert hand.draw(lease).accepted == [lease.shot_id]
        assert len(house.job(job.id).images) == 1
        house.services.store.close()


def test_a_transaction_that_the_stop_hits_leaves_no_trace(own_cluster: Cluster, tmp_path: Path) -> None:
    with own_cluster.database() as url:
        house = House(open_services(tmp_path, clock=Clock(), url=url), Clock())
        job = house.order()
        with pytest.raises(StoreUnavailable), house.services.store.writing() as tx:
            tx.session.execute(text("UPDATE jobs SET state = 'failed'"))
            own_cluster.stop_at_once()
            tx.session.execute(text("SELECT 1"))
        own_cluster.start_again()
        assert house.job(job.id).state is State.QUEUED
        house.services.store.close()


@pytest.mark.parametrize("asked_after_seconds", [0.0, 60.0])
def test_a_connection_that_was_ended_while_idle_is_not_noticed(
    house: House, database: str, asked_after_seconds: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither one that is asked before it is used nor one that spoke too lately to be asked."""
    monkeypatch.setattr("stablehand.store.connections.ASKED_AFTER_SECONDS", asked_after_seconds)
    job = house.order()
    if house.services.store.is_postgresql:
        with psycopg.connect(database, autocommit=True) as other:
            other.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE application_name = 'stablehand'"
            )
    assert house.job(job.id).state is State.QUEUED


@pytest.mark.parametrize(("asked_after_seconds", "is_asked"), [(60.0, False), (0.0, True)])
def test_only_a_connection_that_lay_idle_is_asked_whether_it_lives(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch, asked_after_seconds: float, is_asked: bool
) -> None:
    asked = []

    def ask(_: object, connection: object) -> bool:
        asked.append(connection)
        return True

    monkeypatch.setattr("stablehand.store.connections.ASKED_AFTER_SECONDS", asked_after_seconds)
    monkeypatch.setattr(PGDialect_psycopg, "do_ping", ask)
    with cluster.database() as url:
        store = Store(url)
        for _ in range(2):
            with store.reading() as tx:
                tx.session.execute(text("SELECT 1"))
        assert bool(asked) == is_asked
        store.close()


def test_what_postgresql_says_is_said_in_our_words(cluster: Cluster) -> None:
    said = {"53100": StorageFull, "40P01": Contended, "40001": Contended, "57014": StoreUnavailable}
    with cluster.database() as url:
        store = Store(url)
        for state, kind in said.items():
            with pytest.raises(kind), store.writing() as tx:
                tx.session.execute(text(f"DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '{state}'; END $$"))
        with pytest.raises(StoreUnavailable, match="too long"), store.writing() as tx:
            tx.session.execute(text("SET LOCAL statement_timeout = 20"))
            tx.session.execute(text("SELECT pg_sleep(5)"))
        store.close()


def test_a_pool_without_a_free_connection_says_so(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stablehand.store.connections.POOL_TIMEOUT_SECONDS", 0.05)
    with cluster.database() as url:
        store = Store(url, connections=2)
        with (
            store.engine.connect(),
            store.engine.connect(),
            pytest.raises(StoreUnavailable, match="wait"),
            store.reading() as tx,
        ):
            tx.session.get(JobRow, 1)
        store.close()


def test_deadlocked_transactions_are_repeated_until_both_are_done(cluster: Cluster) -> None:
    """Two that lock two rows in opposite order: the database ends one, which begins again."""

    met, seen = threading.Barrier(2), set[int]()

    class Crossing(Transactions):
        tries = 0

        @repeatable
        def cross(self, first: int, second: int) -> None:
            self.tries += 1
            with self.writing() as tx:
                tx.session.execute(text("UPDATE cells SET n = n + 1 WHERE id = :id"), {"id": first})
                if first not in seen:
                    seen.add(first)
                    met.wait()
                tx.session.execute(text("UPDATE cells SET n = n + 1 WHERE id = :id"), {"id": second})

    with cluster.database() as url:
        crossing = Crossing(url)
        with crossing.writing() as tx:
            tx.session.execute(text("CREATE TABLE cells (id int PRIMARY KEY, n int)"))
            tx.session.execute(text("INSERT INTO cells VALUES (1, 0), (2, 0)"))
        threads = [threading.Thread(target=crossing.cross, args=pair) for pair in ((1, 2), (2, 1))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        with crossing.reading() as tx:
            assert tx.session.execute(text("SELECT n FROM cells ORDER BY id")).scalars().all() == [2, 2]
        assert crossing.tries >= 3
        crossing.close()


def test_repeating_ends_when_it_never_works(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)

    class Unlucky(Transactions):
        @repeatable
        def never(self) -> None:
            with self.writing() as tx:
                tx.session.execute(text("DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '40P01'; END $$"))

    with cluster.database() as url:
        unlucky = Unlucky(url)
        with pytest.raises(StoreUnavailable):
            unlucky.never()
        unlucky.close()
    assert len(pauses) == REPEATS - 1


def test_our_own_mistakes_stay_what_they_are() -> None:
    with pytest.raises(subprocess.SubprocessError), in_our_words():
        raise subprocess.SubprocessError("nothing of the database")
