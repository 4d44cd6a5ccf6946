"""The agents' doors: tokens, leases, uploads, and words from a former life."""

import pytest

from tests.api.site import DEVICE, TOKEN, Make, Site, picture


@pytest.mark.parametrize("header", [None, "Bearer", "Bearer wrong", f"Basic {TOKEN}", TOKEN])
@pytest.mark.parametrize("verb", ["hello", "claim", "renew", "deliver", "fail", "release", "preview"])
def test_no_token_no_work(quiet_site: Site, verb: str, header: str | None) -> None:
    headers = {"Authorization": header} if header else {}
    answer = quiet_site.client.post(f"/agent/v1/{verb}", json={}, headers=headers)
    assert answer.status_code == 401
    assert answer.get_json()["error"]["code"] == "unauthorized"


def test_hello_is_passed_on(site: Site) -> None:
    site.hello()
    assert site.hellos == [site.agent_id]
    status = site.client.get("/api/v1/status").get_json()
    assert status["ready"] is True
    assert status["authentication"] is False
    agent = status["agents"][0]
    assert (agent["name"], agent["pool"], agent["state"], agent["runtime"]) == (
        "test-agent",
        "default",
        "ready",
        "null",
    )
    assert agent["device"] == {"kind": "cpu", "name": "test device", "precision": "fp32"}


def test_work_before_hello_is_refused(site: Site) -> None:
    assert site.tell("claim", seats=1, wait_seconds=0).status_code == 409


def test_lease_progress_and_release(site: Site) -> None:
    job = site.order()
    site.hello()
    lease = site.claim()[0]
    assert lease["recipe"]["prompt"] == "a red house"
    assert lease["checkpoint"]["name"] == "tiny"
    held = {"shot_id": lease["shot_id"], "token": lease["token"], "progress": 0.5}
    assert site.tell("renew", shots=[held]).get_json() == {
        "cancelled": [],
        "lost": [],
        "watched": [],
        "drain": False,
    }
    running = site.client.get(f"/api/v1/jobs/{job['id']}").get_json()
    assert (running["state"], running["shots"][0]["progress"]) == ("running", 0.5)
    assert site.tell("release", shots=[held]).get_json() == {"accepted": [lease["shot_id"]]}
    assert site.client.get(f"/api/v1/jobs/{job['id']}").get_json()["state"] == "queued"
    assert site.tell("renew", shots=[held]).get_json()["lost"] == [lease["shot_id"]]


def test_pictures_are_checked_before_they_are_believed(site: Site) -> None:
    site.order()
    site.hello()
    lease = site.claim()[0]
    for wrong in (b"", b"not a picture", picture(64, 64)[:100], picture(72, 64), picture(64, 64, "JPEG")):
        answer = site.upload(lease, wrong)
        assert answer.status_code == 422, wrong[:20]
        assert answer.get_json()["error"]["code"] == "bad_picture"
    assert site.upload({**lease, "token": lease["token"] + 1}, picture(64, 64)).status_code == 409
    assert site.stored()["images"] == 0


def test_an_upload_beyond_the_cap_is_refused(make: Make) -> None:
    site = make(max_picture_bytes=1000)
    site.order()
    site.hello()
    lease = site.claim()[0]
    answer = site.upload(lease, b"x" * 1001)
    assert answer.status_code == 413
    assert answer.get_json()["error"]["code"] == "too_large"


def test_past_the_cap_claims_are_sent_away(make: Make) -> None:
    site = make(max_claims=0)
    site.hello()
    answer = site.tell("claim", seats=1, wait_seconds=5)
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]


def test_unknown_words_of_a_newer_agent_are_let_pass(site: Site) -> None:
    answer = site.tell("hello", runtime="null", device={**DEVICE, "fans": 3}, ready=True, seats=1, mood="good")
    assert answer.status_code == 200
