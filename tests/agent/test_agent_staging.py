"""Pictures go straight to the object store where there is a way, and through the server where there is none."""

import hashlib

from stablehand.adapters.bucket import Bucket
from tests.agent.desk import Desk, Start
from tests.buckets import BucketServer


def linked(desk: Desk, bucket: Bucket) -> None:
    desk.link = lambda shot_id: bucket.link_to_put(f"uploads/{shot_id}", 60)


def test_pictures_go_to_the_object_store(desk: Desk, start_agent: Start, bucket_server: BucketServer) -> None:
    bucket = bucket_server.open()
    linked(desk, bucket)
    shots = desk.order(5)
    start_agent()
    desk.until(lambda: desk.all_are("succeeded"))
    assert desk.calls["upload"] == 0
    assert sorted(bucket.list("uploads")) == [f"uploads/{shot.id}" for shot in shots]
    assert len({hashlib.sha256(bucket.get(f"uploads/{shot.id}")).digest() for shot in shots}) == 5


def test_a_store_out_of_reach_is_gone_round(desk: Desk, start_agent: Start) -> None:
    desk.link = lambda shot_id: f"http://127.0.0.1:9/{shot_id}"
    shots = desk.order(20)
    start_agent()
    desk.until(lambda: desk.all_are("succeeded"))
    assert all(shot.picture is not None for shot in shots)
    assert desk.calls["stage"] <= 4, "after the first failures it is left alone for a while"


def test_a_store_that_refuses_is_gone_round(desk: Desk, start_agent: Start, bucket_server: BucketServer) -> None:
    desk.link = lambda shot_id: f"{bucket_server.url}/there-is-no-such-bucket/{shot_id}"
    shots = desk.order(3)
    start_agent()
    desk.until(lambda: desk.all_are("succeeded"))
    assert all(shot.picture is not None for shot in shots)


def test_a_server_without_links_gets_the_bytes(desk: Desk, start_agent: Start) -> None:
    desk.link = lambda _shot_id: None
    desk.order(3)
    start_agent()
    desk.until(lambda: desk.all_are("succeeded"))
    assert desk.calls["upload"] == 3


def test_bytes_that_were_lost_in_the_store_are_sent_again(
    desk: Desk, start_agent: Start, bucket_server: BucketServer
) -> None:
    linked(desk, bucket_server.open())
    shots = desk.order(4)
    desk.missing = {shots[1].id, shots[2].id}
    start_agent()
    desk.until(lambda: desk.all_are("succeeded"))
    assert shots[1].picture is not None
    assert shots[2].picture is not None
    assert [shot.results for shot in shots] == [1, 1, 1, 1]
    assert [shot.errors for shot in shots] == [[], [], [], []]
