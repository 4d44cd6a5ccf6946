"""Two web processes over one database serve one page, with Redis, through its outage, and with nothing between them."""

from collections.abc import Callable
from pathlib import Path

from stablehand.domain.jobs import State
from tests.fleet.fleet import ORDER, Browser, Fleet, is_ready_agent
from tests.fleet.redis_server import RedisServer
from tests.running import eventually

MakeFleet = Callable[..., Fleet]


def test_what_happens_in_one_is_seen_live_in_the_other(make_fleet: MakeFleet, redis_server: RedisServer) -> None:
    """The agent speaks to the first, the page to the second; orders go to either; then Redis dies and comes back."""
    fleet = make_fleet(redis_server.url)
    first, second = fleet.start_all("web", "web")
    fleet.start_agent(first.url)
    is_ready_agent(second)
    page = Browser(second.url)

    job_id = first.submit(**ORDER, count=2)["id"]
    image = page.until("image", lambda body: body["job_id"] == job_id)
    assert image in second.get("/api/v1/images")["items"]
    page.until("job", lambda body: body["id"] == job_id and body["state"] == "succeeded")

    # Progress and previews of shots that the other process hears of.
    long = first.submit(**ORDER, steps=150, count=200)["id"]
    assert page.client.call("watch", {"job_id": long}) == {}
    page.until("shot", lambda body: body["job_id"] == long and body["state"] == "running" and body["progress"] > 0)
    preview = page.until("preview", lambda body: body["job_id"] == long)
    assert preview["image"].startswith("data:image/jpeg;base64,")
    eventually(
        lambda: any(0 < shot["progress"] < 1 for shot in second.job(long)["shots"]), "progress is read in the second"
    )
    page.client.call("unwatch", {"job_id": long})
    assert second.http.delete(f"/api/v1/jobs/{long}").status_code == 200
    assert first.finished(long)["state"] == State.CANCELLED

    redis_server.kill()
    eventually(lambda: second.get("/readyz")["checks"]["redis"] == "away", "the outage is noticed")
    assert first.get("/readyz")["ready"]
    job_id = second.submit(**ORDER)["id"]
    assert first.finished(job_id)["state"] == State.SUCCEEDED
    page.heard_any("job")

    redis_server.start()
    page.until("refetch")
    eventually(lambda: first.get("/readyz")["checks"]["redis"] == "ok", "the first has its line again")
    job_id = first.submit(**ORDER)["id"]
    page.until("image", lambda body: body["job_id"] == job_id)
    page.close()
    for process in (first, second):
        assert process.log.count("is away") == 1
        assert "Traceback" not in process.log
    fleet.stop()


def test_without_redis_the_database_rings_and_pages_fetch_what_they_cannot_hear(make_fleet: MakeFleet) -> None:
    fleet = make_fleet(None)
    first, second = fleet.start_all("web", "web")
    assert "queue.redis_url is not set" in second.log
    fleet.start_agent(first.url)
    is_ready_agent(first)
    page = Browser(second.url)
    job_id = first.submit(**ORDER)["id"]
    assert second.finished(job_id)["state"] == State.SUCCEEDED
    page.until("refetch")
    page.close()
    for process in (first, second):
        assert "Traceback" not in process.log
    fleet.stop()


def test_with_every_doorbell_cut_work_flows_by_polling(make_fleet: MakeFleet) -> None:
    fleet = make_fleet("redis://:a-secret@127.0.0.1:1/0")
    first, second = fleet.start_all("web", "web")
    fleet.start_agent(first.url)
    is_ready_agent(second)
    job_id = second.submit(**ORDER, count=3)["id"]
    assert second.finished(job_id)["state"] == State.SUCCEEDED
    for process in (first, second):
        assert process.get("/readyz")["checks"]["redis"] == "away"
        assert process.log.count("is away") == 1
        assert "a-secret" not in process.log
        assert "Traceback" not in process.log
    fleet.stop()


def test_a_process_of_one_role_does_nothing_else(make_fleet: MakeFleet, redis_server: RedisServer) -> None:
    fleet = make_fleet(redis_server.url, QUEUE__NOTICES_FILE=str(Path("/dev/null")))
    web, live, courier = fleet.start_all("web", "live", "courier")
    for other in (live, courier):
        assert other.http.get("/healthz").status_code == 200
        assert other.http.get("/metrics").text.count("stablehand_notices_lag_seconds") == 3
        assert other.http.get("/api/v1/status").status_code == 404
        assert other.http.post("/agent/v1/claim", json={}).status_code == 404
        assert other.http.get("/").status_code == 404
    assert "courier" not in live.get("/readyz")["checks"]
    assert courier.http.get("/socket.io/?EIO=4&transport=websocket").status_code == 404
    pages = [Browser(process.url) for process in (live, web)]
    job_id = web.submit(**ORDER)["id"]
    for page in pages:
        job, notice = page.until_all("job", "notice")
        assert job["id"] == job_id
        assert (notice["kind"], notice["job_id"]) == ("job_submitted", job_id)
    eventually(lambda: courier.get("/readyz")["checks"]["courier"] == "leads", "it leads")
    eventually(
        lambda: (
            'stablehand_courier_tries_total{kind="job_submitted",outcome="delivered"} 1.0'
            in courier.http.get("/metrics").text
        ),
        "the try is counted",
    )
    for page in pages:
        page.close()
    for process in (web, live, courier):
        assert "Traceback" not in process.log
    fleet.stop()
