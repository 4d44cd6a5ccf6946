"""The administrator's routes: agents and dead letters."""

from typing import Any

import pytest

from stablehand.services.rescan import SCAN
from stablehand.store.outbox import Undelivered
from tests.api.site import Site


def bury(site: Site, count: int = 1) -> Any:
    job = site.order(count=count)
    site.hello()
    failures = [
        {
            "shot_id": lease["shot_id"],
            "token": lease["token"],
            "error_class": "final",
            "code": "oops",
            "message": "It went wrong.",
        }
        for lease in site.claim()
    ]
    assert len(site.tell("fail", failures=failures).get_json()["accepted"]) == count
    return job


def test_a_dead_letter_from_list_to_retry(site: Site) -> None:
    job = bury(site, 2)
    page = site.client.get("/api/v1/admin/dead-letters?code=oops&checkpoint=tiny&agent=test-agent&limit=1").get_json()
    [letter] = page["items"]
    assert (letter["job_id"], letter["error"]["code"], letter["agent"]) == (job["id"], "oops", "test-agent")
    assert page["next_cursor"]
    whole = site.client.get(f"/api/v1/admin/dead-letters/{letter['id']}").get_json()
    assert whole["recipe"]["seed"] == job["shots"][letter["index"]]["seed"]
    [attempt] = whole["attempts"]
    assert (attempt["kind"], attempt["attempt"], attempt["error"]["message"]) == ("error", 1, "It went wrong.")
    answer = site.client.post(f"/api/v1/admin/dead-letters/{letter['id']}/retry")
    assert answer.status_code == 202
    assert answer.get_json()["retry_of"] == job["id"]
    assert site.client.post(f"/api/v1/admin/dead-letters/{letter['id']}/retry").status_code == 404
    done = site.client.post("/api/v1/admin/dead-letters/retry", json={"all": True}).get_json()
    assert (done["shots"], len(done["jobs"]), done["refused"]) == (1, 1, [])
    assert site.client.get("/api/v1/admin/dead-letters").get_json() == {"items": [], "next_cursor": None}
    assert site.draw() == 2


def test_discarding(site: Site) -> None:
    job = bury(site, 3)
    letters = site.client.get("/api/v1/admin/dead-letters").get_json()["items"]
    assert site.client.delete(f"/api/v1/admin/dead-letters/{letters[0]['id']}").get_json() == {"discarded": 1}
    assert site.client.delete(f"/api/v1/admin/dead-letters/{letters[0]['id']}").status_code == 404
    answer = site.client.post("/api/v1/admin/dead-letters/discard", json={"job_id": job["id"]})
    assert answer.get_json() == {"discarded": 2}


@pytest.mark.parametrize("verb", ["retry", "discard"])
@pytest.mark.parametrize("body", [{}, {"all": False}, {"all": True, "code": "oops"}, {"coed": "oops"}, {"code": 1}])
def test_everything_must_be_said(site: Site, verb: str, body: dict[str, Any]) -> None:
    bury(site)
    answer = site.client.post(f"/api/v1/admin/dead-letters/{verb}", json=body)
    assert answer.status_code == 422
    assert len(site.client.get("/api/v1/admin/dead-letters").get_json()["items"]) == 1


def test_an_agent_is_drained_paused_resumed_and_removed(site: Site) -> None:
    site.order(count=2)
    site.hello()
    [lease] = site.claim(1)
    address = "/api/v1/admin/agents/test-agent"
    drained = site.client.patch(address, json={"standing": "draining", "reason": "New cables."}).get_json()
    assert (drained["state"], drained["reason"], drained["running"]) == ("draining", "New cables.", 1)
    [shot] = drained["shots"]
    assert (shot["job_id"], shot["checkpoint"]) == (lease["job_id"], "tiny")
    assert site.tell("claim", seats=1, wait_seconds=0).get_json() == {"leases": [], "drain": True}
    paused = site.client.patch(address, json={"standing": "paused"}).get_json()
    assert (paused["state"], paused["running"], paused["shots"]) == ("paused", 0, [])
    assert site.client.get("/api/v1/status").get_json()["ready"] is False
    assert site.client.patch(address, json={"standing": "working"}).get_json()["state"] == "ready"
    [listed] = site.client.get("/api/v1/admin/agents").get_json()["items"]
    assert (listed["name"], listed["id"], listed["memory_bytes"]) == ("test-agent", site.agent_id, 0)
    assert site.draw() == 2
    assert site.client.delete(address).status_code == 200
    assert site.client.get("/api/v1/admin/agents").get_json()["items"] == []
    assert site.tell("claim", seats=1, wait_seconds=0).status_code == 401
    assert site.client.patch(address, json={"standing": "working"}).status_code == 404


@pytest.mark.parametrize("body", [{}, {"standing": "sleeping"}, {"standing": "paused", "reason": "x" * 501}])
def test_a_bad_decision_is_refused(site: Site, body: dict[str, Any]) -> None:
    assert site.client.patch("/api/v1/admin/agents/test-agent", json=body).status_code == 422


def test_a_lane_in_trouble_is_shown(site: Site) -> None:
    job = site.order()
    site.hello()
    [lease] = site.claim()
    failure = {
        "shot_id": lease["shot_id"],
        "token": lease["token"],
        "error_class": "retry",
        "code": "checkpoint_unreadable",
        "message": "The disk does not answer.",
        "at_load": True,
    }
    site.tell("fail", failures=[failure])
    [lane] = site.client.get("/api/v1/status").get_json()["lanes"]
    assert (lane["checkpoint"], lane["state"], lane["failures"], lane["barred"]) == ("tiny", "open", 1, ["test-agent"])
    assert lane["error"]["code"] == "checkpoint_unreadable"
    queue = site.client.get(f"/api/v1/jobs/{job['id']}").get_json()["queue"]
    assert "The disk does not answer." in queue["reason"]


def test_notices_that_were_given_up_are_listed_and_tried_anew(site: Site) -> None:
    store = site.services.store
    job = site.order()
    [notice] = store.claim_notices(1)
    assert store.settle_notices([], [Undelivered(notice, "nobody there", None)]) == 1
    [dead] = site.client.get("/api/v1/admin/notices").get_json()["items"]
    assert (dead["id"], dead["job_id"], dead["kind"]) == (notice.id, job["id"], "job_submitted")
    assert (dead["tries"], dead["error"]) == (1, "nobody there")
    assert site.client.post(f"/api/v1/admin/notices/{dead['id']}/redeliver").get_json() == {"redelivered": 1}
    assert site.client.post(f"/api/v1/admin/notices/{dead['id']}/redeliver").status_code == 404
    assert site.client.get("/api/v1/admin/notices").get_json()["items"] == []
    assert [again.id for again in store.claim_notices(1)] == [notice.id]


def test_the_models_folder_is_looked_at_when_somebody_asks(site: Site) -> None:
    heard = site.services.doorbell.heard()
    answer = site.client.post("/api/v1/checkpoints/scan")
    assert (answer.status_code, answer.get_data()) == (204, b"")
    assert site.services.doorbell.wait(SCAN, 0, since=heard)
