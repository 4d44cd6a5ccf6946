"""Orders through the door: from submit to the end, with everything that a client may ask on the way."""

import threading
from typing import Any

from tests.api.site import Make, Site

RECIPE = {
    "prompt",
    "negative_prompt",
    "kind",
    "checkpoint",
    "width",
    "height",
    "steps",
    "sampler",
    "schedule",
    "cfg_scale",
    "seed",
    "format",
    "quality",
    "exact",
    "options",
    "output_width",
    "output_height",
}
JOB = {
    "id",
    "kind",
    "state",
    "tier",
    "created_at",
    "finished_at",
    "recipe",
    "count",
    "cancel_requested",
    "retry_of",
    "counts",
    "error",
    "shots",
    "queue",
    "images",
    "notes",
    "notify",
    "mail",
}


def test_an_order_is_accepted_with_its_defaults(site: Site) -> None:
    job = site.order(sampler="k_euler_a", schedule="karras", seed=7, count=3)
    assert set(job) == JOB
    assert set(job["recipe"]) == RECIPE
    assert job["state"] == "queued"
    assert job["tier"] == "premium"
    assert (job["recipe"]["sampler"], job["recipe"]["schedule"]) == ("Euler a", "Karras")
    assert (job["recipe"]["steps"], job["recipe"]["cfg_scale"], job["recipe"]["quality"]) == (20, 7.0, 90)
    assert [shot["seed"] for shot in job["shots"]] == [7, 8, 9]
    assert job["created_at"].endswith("Z")
    assert job["queue"]["ahead"] == 0
    assert site.client.get(f"/api/v1/jobs/{job['id']}").get_json()["recipe"] == job["recipe"]


def test_settings_choose_the_file_format(make: Make) -> None:
    site = make(save_format="png", quality=77)
    answer = site.client.post("/api/v1/jobs", json={"prompt": "x", "checkpoint": "tiny"}).get_json()
    assert (answer["recipe"]["format"], answer["recipe"]["quality"]) == ("png", 77)


def test_from_order_to_pictures(site: Site) -> None:
    job = site.order(count=2, seed=100)
    assert site.draw() == 2
    done = site.client.get(f"/api/v1/jobs/{job['id']}").get_json()
    assert done["state"] == "succeeded"
    assert done["finished_at"].endswith("Z")
    assert done["queue"] is None
    assert [(shot["state"], shot["progress"]) for shot in done["shots"]] == [("succeeded", 1.0)] * 2
    assert [image["seed"] for image in done["images"]] == [100, 101]
    assert [shot["image_id"] for shot in done["shots"]] == [image["id"] for image in done["images"]]


def test_waiting_for_the_end(site: Site) -> None:
    job = site.order()
    answers: list[Any] = []
    waiter = threading.Thread(
        target=lambda: answers.append(site.app.test_client().get(f"/api/v1/jobs/{job['id']}?wait=30").get_json())
    )
    waiter.start()
    site.draw()
    waiter.join(timeout=20)
    assert answers[0]["state"] == "succeeded"
    assert site.client.get(f"/api/v1/jobs/{site.order()['id']}?wait=0.05").get_json()["state"] == "queued"


def test_the_same_key_orders_once(site: Site) -> None:
    body = {"prompt": "a red house", "checkpoint": "tiny"}
    headers = {"Idempotency-Key": "once"}
    first = site.client.post("/api/v1/jobs", json=body, headers=headers)
    second = site.client.post("/api/v1/jobs", json=body, headers=headers)
    assert first.status_code == second.status_code == 202
    assert first.get_json()["id"] == second.get_json()["id"]
    other = site.client.post("/api/v1/jobs", json={**body, "steps": 5}, headers=headers)
    assert other.status_code == 409
    assert other.get_json()["error"]["code"] == "idempotency_conflict"
    assert site.stored()["jobs"] == 1


def test_cancel_and_retry(site: Site) -> None:
    job = site.order(count=2, seed=5)
    cancelled = site.client.delete(f"/api/v1/jobs/{job['id']}")
    assert cancelled.status_code == 200
    assert cancelled.get_json()["state"] == "cancelled"
    again = site.client.post(f"/api/v1/jobs/{job['id']}/retry")
    assert again.status_code == 202
    assert again.get_json()["retry_of"] == job["id"]
    assert [shot["seed"] for shot in again.get_json()["shots"]] == [5, 6]
    too_early = site.client.post(f"/api/v1/jobs/{again.get_json()['id']}/retry")
    assert too_early.status_code == 409


def test_a_failed_job_says_why(site: Site) -> None:
    job = site.order()
    site.hello()
    lease = site.claim()[0]
    failure = {
        "shot_id": lease["shot_id"],
        "token": lease["token"],
        "error_class": "final",
        "code": "checkpoint_broken",
        "message": "The weights are truncated.",
        "hint": "Fetch the file again.",
    }
    assert site.tell("fail", failures=[failure]).get_json() == {"accepted": [lease["shot_id"]]}
    failed = site.client.get(f"/api/v1/jobs/{job['id']}").get_json()
    assert failed["state"] == "failed"
    assert failed["shots"][0]["error"] == {
        "code": "checkpoint_broken",
        "message": "The weights are truncated.",
        "hint": "Fetch the file again.",
    }


def test_lists_page_and_filter(site: Site) -> None:
    ids = [site.order(seed=seed)["id"] for seed in range(5)]
    site.client.delete(f"/api/v1/jobs/{ids[0]}")
    first = site.client.get("/api/v1/jobs?limit=2").get_json()
    assert [job["id"] for job in first["items"]] == [ids[4], ids[3]]
    second = site.client.get(f"/api/v1/jobs?limit=2&cursor={first['next_cursor']}").get_json()
    assert [job["id"] for job in second["items"]] == [ids[2], ids[1]]
    last = site.client.get(f"/api/v1/jobs?limit=2&cursor={second['next_cursor']}").get_json()
    assert [job["id"] for job in last["items"]] == [ids[0]]
    assert last["next_cursor"] is None
    finished = site.client.get("/api/v1/jobs?state=finished").get_json()["items"]
    assert [job["id"] for job in finished] == [ids[0]]
    assert len(site.client.get("/api/v1/jobs?state=active").get_json()["items"]) == 4


def test_past_the_cap_waits_are_sent_away(make: Make) -> None:
    site = make(max_waits=0)
    job = site.order()
    answer = site.client.get(f"/api/v1/jobs/{job['id']}?wait=1")
    assert answer.status_code == 503
    assert answer.get_json()["error"]["code"] == "busy"
    assert int(answer.headers["Retry-After"]) > 0
    assert site.client.get(f"/api/v1/jobs/{job['id']}").status_code == 200


def test_a_full_queue_is_said(make: Make) -> None:
    site = make(yaml="queue: {max_size: 3}")
    site.order(count=3)
    answer = site.client.post("/api/v1/jobs", json={"prompt": "one more", "checkpoint": "tiny"})
    assert answer.status_code == 429
    assert answer.get_json()["error"]["code"] == "queue_full"
    assert int(answer.headers["Retry-After"]) > 0


def test_own_jobs_change_places(site: Site) -> None:
    first, second = site.order(), site.order()
    answer = site.client.post(f"/api/v1/jobs/{second['id']}/move", json={"before": first["id"]})
    assert answer.status_code == 200
    assert answer.get_json()["queue"]["ahead"] == 0
    assert site.client.get(f"/api/v1/jobs/{first['id']}").get_json()["queue"]["ahead"] == 1
    assert site.client.post(f"/api/v1/jobs/{second['id']}/move", json={"to": "back"}).get_json()["queue"]["ahead"] == 1
    for body in ({}, {"to": "front", "before": first["id"]}, {"to": "middle"}):
        assert site.client.post(f"/api/v1/jobs/{first['id']}/move", json=body).status_code == 422
    assert site.client.post(f"/api/v1/jobs/{first['id']}/move", json={"before": "nothing"}).status_code == 404


def test_a_list_tells_the_gist_of_each_job_unless_asked_for_more(site: Site) -> None:
    job = site.order(count=12)
    site.draw()
    [gist] = site.client.get("/api/v1/jobs").get_json()["items"]
    assert gist["shots"] == []
    assert [image["index"] for image in gist["images"]] == list(range(8))
    assert gist["counts"] == {"queued": 0, "running": 0, "succeeded": 12, "failed": 0, "cancelled": 0}
    assert gist["error"] is None
    [whole] = site.client.get("/api/v1/jobs?include=shots,images").get_json()["items"]
    assert whole == site.client.get(f"/api/v1/jobs/{job['id']}").get_json()
    assert len(whole["shots"]) == len(whole["images"]) == 12
    refused = site.client.get("/api/v1/jobs?include=secrets")
    assert refused.status_code == 422
    assert set(refused.get_json()["error"]["fields"]) == {"include"}


def test_a_failed_job_tells_its_first_error_in_a_list_too(site: Site) -> None:
    site.order()
    site.hello()
    lease = site.claim()[0]
    failure = {"shot_id": lease["shot_id"], "token": lease["token"], "error_class": "final", "code": "oops"}
    site.tell("fail", failures=[{**failure, "message": "It went wrong."}])
    [job] = site.client.get("/api/v1/jobs").get_json()["items"]
    assert job["counts"]["failed"] == 1
    assert job["error"] == {"code": "oops", "message": "It went wrong.", "hint": ""}


def test_a_full_queue_says_how_full_it_is(make: Make) -> None:
    site = make(yaml="queue: {max_size: 3}")
    site.order(count=2)
    answer = site.client.post("/api/v1/jobs", json={"prompt": "more", "checkpoint": "tiny", "count": 4})
    error = answer.get_json()["error"]
    assert (answer.status_code, error["code"]) == (429, "queue_full")
    assert "2 queued pictures of at most 3" in error["message"]
    assert error["hint"] == "Order fewer at once."
    assert error["limit"] == {"name": "queued", "most": 3, "used": 2, "asked": 4, "over": 3, "frees_at": None}
    assert "Retry-After" not in answer.headers, "so many never fit"
    answer = site.client.post("/api/v1/jobs", json={"prompt": "more", "checkpoint": "tiny", "count": 2})
    assert 5 <= int(answer.headers["Retry-After"]) <= 3600


def test_limits_are_seen_before_they_are_hit(make: Make) -> None:
    site = make(yaml="tiers: {premium: {pictures_a_day: 3, steps: 30, checkpoints: ['t*'], retention_days: 9}}")
    site.order(count=2, steps=5)
    told = site.client.get("/api/v1/me/limits").get_json()
    assert told["tier"] == {"name": "premium", "deadline_seconds": 15, "weight": 4, "retention_days": 9}
    assert (told["steps"], told["pixels"], told["checkpoints"], told["kinds"]) == (30, None, ["t*"], None)
    used = {entry["name"]: (entry["used"], entry["most"], entry["left"]) for entry in told["used"]}
    assert used["pictures_a_day"] == (2, 3, 1)
    assert used["queued"] == (2, 10_000, 9_998)
    assert used["running"] == (0, None, None)
    assert site.client.get("/api/v1/me").get_json()["limits"]["steps"] == [1, 30]
    for body, status, code in (
        ({"steps": 31}, 422, "over_limit"),
        ({"checkpoint": "other"}, 422, "invalid_fields"),
        ({"count": 2}, 429, "quota_spent"),
    ):
        answer = site.client.post("/api/v1/jobs", json={"prompt": "x", "checkpoint": "tiny", "steps": 5, **body})
        assert (answer.status_code, answer.get_json()["error"]["code"]) == (status, code)
    assert answer.get_json()["error"]["limit"]["name"] == "pictures_a_day"
    assert int(answer.headers["Retry-After"]) == 24 * 3600, "nothing was delivered: it counts for a day from then on"
    site.client.post("/api/v1/jobs", json={"prompt": "x", "checkpoint": "tiny", "steps": 5})


def test_pools_come_from_the_settings(make: Make) -> None:
    site = make(yaml="compute: {pools: {default: [other]}}")
    answer = site.client.post("/api/v1/jobs", json={"prompt": "x", "checkpoint": "tiny"})
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (409, "no_pool")


def test_a_job_says_when_it_will_be_done(site: Site) -> None:
    site.order()
    site.draw()
    queue = site.order(count=2)["queue"]
    assert 0 < queue["eta_low_seconds"] <= queue["eta_seconds"] <= queue["eta_high_seconds"]
    site.order()
    site.draw()
    estimates = site.client.get("/api/v1/status").get_json()["estimates"]
    assert estimates["count"] >= 1
    assert 0 <= estimates["inside_share"] <= 1
    assert "stablehand_estimates_inside_share" in site.client.get("/metrics").get_data(as_text=True)
