"""The doors for parked states and for links into the object store."""

from typing import Any

import pytest

from tests.api.site import INCARNATION, TOKEN, Site

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/octet-stream"}


def lease(site: Site, **fields: Any) -> dict[str, Any]:
    site.order(**fields)
    site.hello()
    (leased,) = site.claim()
    return leased


def park(site: Site, leased: dict[str, Any], data: bytes = b"state", **changes: Any) -> Any:
    query = {
        "incarnation": INCARNATION,
        "shot_id": leased["shot_id"],
        "token": leased["token"],
        "step": 5,
        "steps": 20,
        "device_seconds": 1.5,
        **changes,
    }
    return site.client.post("/agent/v1/park", query_string=query, data=data, headers=HEADERS)


def test_a_state_goes_in_and_comes_out_under_the_next_lease(site: Site) -> None:
    leased = lease(site)
    answer = park(site, leased, b"\x00the state\xff")
    assert answer.get_json() == {"accepted": [leased["shot_id"]]}
    assert site.tell("release", shots=[{"shot_id": leased["shot_id"], "token": leased["token"]}]).status_code == 200
    (again,) = site.claim()
    assert again["resumed_progress"] == 0.25
    fetched = site.client.get(again["resume_from"], headers={"Authorization": f"Bearer {TOKEN}"})
    assert (fetched.status_code, fetched.data) == (200, b"\x00the state\xff")
    stale = site.client.get(
        f"/agent/v1/shots/{leased['shot_id']}/parked?token={leased['token']}",
        headers={"Authorization": f"Bearer {TOKEN}"},
    )
    assert (stale.status_code, stale.get_json()["error"]["code"]) == (409, "lease_lost")


@pytest.mark.parametrize(
    ("changes", "status", "code"),
    [
        ({"token": 99}, 409, "lease_lost"),
        ({"shot_id": "nobody"}, 409, "lease_lost"),
        ({"incarnation": "another"}, 409, "lease_lost"),
        ({"step": -1}, 422, "invalid_fields"),
        ({"step": 21}, 422, "invalid_fields"),
        ({"steps": 0}, 422, "invalid_fields"),
        ({"token": "x"}, 422, "invalid_fields"),
        ({"device_seconds": "nan"}, 422, "invalid_fields"),
        ({"colour": "red"}, 422, "invalid_fields"),
    ],
)
def test_what_is_wrong_is_refused(site: Site, changes: dict[str, Any], status: int, code: str) -> None:
    answer = park(site, lease(site), **changes)
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (status, code)
    assert list(site.services.objects.list("parked")) == []


def test_an_empty_state_is_none(site: Site) -> None:
    assert park(site, lease(site), b"").status_code == 422


def test_strangers_park_and_fetch_nothing(site: Site) -> None:
    leased = lease(site)
    assert park(site, leased).status_code == 200
    address = f"/agent/v1/shots/{leased['shot_id']}/parked?token={leased['token']}"
    for headers in ({}, {"Authorization": "Bearer somebody-else"}):
        assert site.client.get(address, headers=headers).status_code == 401
        assert site.client.post("/agent/v1/park", query_string={"shot_id": "x"}, headers=headers).status_code == 401


def test_nothing_parked_is_not_found(site: Site) -> None:
    leased = lease(site)
    address = f"/agent/v1/shots/{leased['shot_id']}/parked?token={leased['token']}"
    answer = site.client.get(address, headers={"Authorization": f"Bearer {TOKEN}"})
    assert (answer.status_code, answer.get_json()["error"]["code"]) == (404, "not_found")


def test_hello_says_how_often_and_whether_there_are_links(site: Site) -> None:
    answer = site.tell("hello", runtime="null", device={"kind": "cpu", "name": "x"}, ready=True, seats=1).get_json()
    assert (answer["park_seconds"], answer["stages"]) == (30.0, False)


def test_without_a_bucket_there_is_no_link(site: Site) -> None:
    leased = lease(site)
    message = {"shot_id": leased["shot_id"], "token": leased["token"], "size_bytes": 10, "sha256": "ab" * 32}
    assert site.tell("stage", **message).get_json()["url"] is None
    assert site.tell("stage", **{**message, "token": 99}).status_code == 409
    assert site.tell("stage", **{**message, "sha256": "AB"}).status_code == 422


def test_closing_gets_nothing_more_and_keeps_what_it_has(site: Site) -> None:
    leased = lease(site, count=1)
    site.order()
    assert site.tell("release", shots=[], closing=True).status_code == 200
    answer = site.tell("claim", seats=8, wait_seconds=0).get_json()
    assert (answer["leases"], answer["drain"]) == ([], True)
    held = site.tell("renew", shots=[{"shot_id": leased["shot_id"], "token": leased["token"]}]).get_json()
    assert held["lost"] == []
