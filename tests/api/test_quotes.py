"""The quote at the door: the body and the refusals of an order, the answer of a question."""

from typing import Any

from stablehand.domain.tiers import SHIPPED
from tests.api.site import Site

ORDER = {"prompt": "a red house", "checkpoint": "tiny", "width": 64, "height": 64}


def ask(site: Site, **fields: Any) -> Any:
    answer = site.client.post("/api/v1/quote", json={**ORDER, **fields})
    assert answer.status_code == 200, answer.get_data(as_text=True)
    return answer.get_json()


def test_before_anything_was_drawn_it_says_what_it_can(site: Site) -> None:
    told = ask(site, count=2)
    assert told["accepted"] is True
    assert (told["device_seconds"], told["money"], told["basis"]) == (None, None, "nothing")
    assert told["waiting"]["held_by"] == "agents"
    assert told["promise"] == {"tier": "premium", "within_seconds": 15.0, "words": "at once", "is_likely": None}


def test_it_says_what_the_order_would_take_and_when_it_would_be_ready(site: Site) -> None:
    site.order()
    site.hello()
    site.draw()
    told = ask(site, count=2, tier="normal")
    seconds, last = told["device_seconds"], told["waiting"]["last"]
    assert seconds["low"] <= seconds["likely"] <= seconds["high"]
    assert last["low"] <= last["likely"] <= last["high"]
    assert told["waiting"]["first"]["likely"] <= last["likely"]
    assert told["promise"]["words"] == "within 30 minutes"
    assert site.client.get("/api/v1/jobs").get_json()["items"][1:] == [], "nothing was ordered"


def test_it_refuses_the_fields_that_an_order_would(site: Site) -> None:
    for body in ({**ORDER, "steps": 1000, "sampler": "none"}, {"steps": "many"}, {**ORDER, "input": "nothing"}):
        asked, ordered = (site.client.post(f"/api/v1/{route}", json=body) for route in ("quote", "jobs"))
        assert asked.status_code == ordered.status_code == 422
        assert asked.get_json() == ordered.get_json()


def test_an_order_beyond_a_limit_is_answered_with_the_limit(site: Site) -> None:
    site.services.store.tiers = SHIPPED.with_quotas(queued=3)
    told = ask(site, count=5)
    assert told["accepted"] is False
    [limit] = told["limits"]
    refused = site.client.post("/api/v1/jobs", json={**ORDER, "count": 5})
    assert limit["code"] == refused.get_json()["error"]["code"]
    assert limit["message"] == refused.get_json()["error"]["message"]
    assert (limit["name"], limit["left"], limit["asked"]) == ("queued", 3, 5)


def test_the_admin_sees_how_good_quotes_were(site: Site) -> None:
    for _ in range(2):
        site.order()
        site.hello()
        site.draw()
    everything, tiny = site.client.get("/api/v1/admin/quotes").get_json()["items"]
    assert (everything["checkpoint"], everything["jobs"], tiny["checkpoint"]) == (None, 1, "tiny")
    assert everything["device_seconds"]["jobs"] == 1
