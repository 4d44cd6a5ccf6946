"""The schema: made from nothing, the same as the models, and used as intended."""

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import event, text

from stablehand.domain.errors import BadSettings
from stablehand.services.gallery import list_images
from stablehand.services.jobs import list_jobs
from stablehand.services.purge import purge
from stablehand.store import Store
from stablehand.store.models import Table
from tests.store.cluster import Cluster
from tests.store.house import House


def test_a_database_made_from_nothing_is_what_the_models_say(tmp_path: Path) -> None:
    store = Store(Store.url_of(tmp_path / "deep" / "new.db"))
    store.migrate()
    assert store.is_current()
    with store.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Table.metadata) == []
        assert connection.scalar(text("PRAGMA journal_mode")) == "wal"
        assert connection.scalar(text("PRAGMA synchronous")) == 2
        assert connection.scalar(text("PRAGMA foreign_keys")) == 1
    store.migrate()
    assert store.is_current()
    store.close()


def test_an_empty_database_is_not_current(tmp_path: Path) -> None:
    store = Store(Store.url_of(tmp_path / "empty.db"))
    assert not store.is_current()
    assert Store.knows("0001")
    assert not Store.knows("9999")
    store.close()


def test_a_file_that_is_no_database_and_one_of_a_newer_version_are_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("hello " * 1000)
    text_store = Store(Store.url_of(tmp_path / "text.db"))
    with pytest.raises(BadSettings, match="not a database"):
        text_store.migrate()
    newer = Store(Store.url_of(tmp_path / "newer.db"))
    newer.migrate()
    with newer.engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(BadSettings, match="newer version"):
        newer.migrate()
    text_store.close()
    newer.close()


def test_the_clock_is_the_databases(database: str) -> None:
    store = Store(database)
    with store.reading() as tx:
        assert tx.now.tzinfo is UTC
        asked = "extract(epoch FROM now())::bigint" if tx.is_postgresql else "unixepoch('now')"
        assert tx.session.scalar(text(f"SELECT {asked}")) - int(tx.now.timestamp()) in (0, 1)
        assert tx.now.microsecond, "finer than a second"
    store.close()


def test_an_empty_postgresql_becomes_what_the_models_say(cluster: Cluster) -> None:
    with cluster.database(empty=True) as url:
        store = Store(url)
        assert not store.is_current()
        store.migrate()
        store.migrate()
        assert store.is_current()
        with store.engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            assert compare_metadata(context, Table.metadata) == []
            options = connection.scalar(text("SELECT reloptions FROM pg_class WHERE relname = 'shots'"))
            assert "fillfactor=70" in options
            assert connection.scalar(text("SHOW TimeZone")) == "UTC"
            assert connection.scalar(text("SHOW statement_timeout")) == "30s"
            assert connection.scalar(text("SHOW idle_in_transaction_session_timeout")) == "30s"
            assert connection.scalar(text("SHOW transaction_isolation")) == "read committed"
        store.close()


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_processes_that_start_together_migrate_once(kind: str, cluster: Cluster, tmp_path: Path) -> None:
    with cluster.database(empty=True) as server:
        url = server if kind == "postgresql" else Store.url_of(tmp_path / "new.db")
        stores = [Store(url) for _ in range(4)]
        with ThreadPoolExecutor(4) as pool:
            for done in [pool.submit(store.migrate) for store in stores]:
                done.result()
        assert all(store.is_current() for store in stores)
        for store in stores:
            store.close()


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    store = Store("postgresql://stable:secret@127.0.0.1:1/hand?connect_timeout=1")
    assert store.place == "postgresql://stable:***@127.0.0.1:1/hand"
    with pytest.raises(BadSettings, match="cannot be reached") as caught:
        store.migrate()
    assert "secret" not in caught.value.message + caught.value.hint
    store.close()


def test_the_hot_questions_are_answered_by_indexes(file_house: House) -> None:
    house = file_house
    house.order(count=3)
    hand = house.agent()
    asked: list[tuple[str, object]] = []
    used: list[str] = []

    @event.listens_for(house.services.store.engine, "before_cursor_execute")
    def note(*said: object) -> None:
        _, _, statement, parameters, *_ = said
        assert isinstance(statement, str)
        if statement.lstrip().startswith(("SELECT", "WITH")) and any(
            f"FROM {table}" in statement for table in ("shots", "jobs", "images", "tallies")
        ):
            asked.append((statement, parameters))

    lease = hand.claim_one()
    hand.renew(lease)
    hand.draw(lease)
    house.order()
    job_id = lease.job_id
    house.job(job_id)
    house.services.store.queue_counts()
    list_jobs(house.services, house.account, state="active")
    list_jobs(house.services, house.account, state="finished")
    list_images(house.services, house.account, search="house")
    list_images(house.services, house.account, trashed=True)
    purge(house.services)
    event.remove(house.services.store.engine, "before_cursor_execute", note)
    assert len(asked) > 8
    with house.services.store.engine.connect() as connection:
        for statement, parameters in asked:
            plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", parameters).all()  # type: ignore[arg-type]
            steps = " / ".join(str(row[-1]) for row in plan)
            assert not re.search(r"SCAN (shots|jobs|images|tallies|charges)(?! USING)", steps), f"{statement}\n{steps}"
            if "ORDER BY shots.tier_rank" in statement or "ORDER BY jobs.number DESC" in statement:
                assert "TEMP B-TREE" not in steps, f"{statement}\n{steps}"
            used += re.findall(r"INDEX (\w+)", steps)
    assert {
        "shots_in_lane",
        "shots_by_claimed_tag",
        "tallies_waiting",
        "shots_leased_by",
        "shots_states_of_job",
        "jobs_of_account",
        "jobs_active",
        "images_of_account",
        "images_trashed_of_account",
        "images_trashed",
    } <= set(used)
