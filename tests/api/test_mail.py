"""What one is told by mail, chosen at the door, and ended there by the link in a letter."""

import pytest

from stablehand.domain.mail_choices import unsubscribe_token
from tests.api.people import Browser, Town, build
from tests.api.site import Make, Site

ADA = "ada@example.org"
ORDER = {"prompt": "a red house", "checkpoint": "tiny", "width": 64, "height": 64}
ALL = {"address": ADA, "results": True, "failures": True, "notices": True}


@pytest.fixture
def town(make: Make) -> Town:
    return build(make)


def link(town: Town, ada: Browser) -> str:
    account_id = ada.get("me").get_json()["id"]
    return f"/api/v1/mail/unsubscribe/{unsubscribe_token(town.site.options.secret_key, account_id, 'results')}"


def test_letters_are_chosen_one_sort_at_a_time(town: Town) -> None:
    ada, bob = town.member(ADA), town.member("bob@example.org")
    assert ada.get("me/mail").get_json() == ALL
    changed = ada.send("PATCH", "/api/v1/me/mail", {"failures": False})
    assert changed.get_json() == {**ALL, "failures": False}
    assert ada.send("PATCH", "/api/v1/me/mail", {}).get_json() == {**ALL, "failures": False}
    refused = ada.send("PATCH", "/api/v1/me/mail", {"results": "perhaps", "adverts": True})
    assert set(refused.get_json()["error"]["fields"]) == {"results", "adverts"}
    assert bob.get("me/mail").get_json() == {**ALL, "address": "bob@example.org"}


def test_looking_at_the_link_changes_nothing_and_one_post_of_a_mail_program_does(town: Town) -> None:
    ada = town.member(ADA)
    place, nobody = link(town, ada), town.site.app.test_client()
    page = nobody.get(place)
    assert (page.status_code, page.mimetype) == (200, "text/html")
    assert "no more letters with pictures" in page.text
    assert ada.get("me/mail").get_json() == ALL
    ended = nobody.post(place, data={"List-Unsubscribe": "One-Click"})
    assert ended.status_code == 200
    assert ada.get("me/mail").get_json() == {**ALL, "results": False}
    assert nobody.post(place).status_code == 200, "twice is as good as once"


def test_a_link_that_was_altered_ends_nothing(town: Town) -> None:
    ada = town.member(ADA)
    place, nobody = link(town, ada), town.site.app.test_client()
    said, _, signature = place.rpartition("/")[2].partition(".")
    other = unsubscribe_token("another key of another house", "x", "results")
    for token in (said, f"{said}.", f".{signature}", f"{said}.{signature[:-2]}", f"{said}é.{signature}", "…", other):
        for method in ("GET", "POST"):
            answer = nobody.open(f"/api/v1/mail/unsubscribe/{token}", method=method)
            assert answer.status_code == 404, token
    assert ada.get("me/mail").get_json() == ALL


def test_an_order_says_where_its_pictures_go_and_by_when(town: Town) -> None:
    ada = town.member(ADA)
    job = ada.send("POST", "/api/v1/jobs", {**ORDER, "count": 2}).get_json()
    assert job["mail"]["to"] == ADA
    assert job["mail"]["by"] > job["created_at"]
    assert ada.get("jobs").get_json()["items"][0]["mail"]["to"] == ADA
    silent = ada.send("POST", "/api/v1/jobs", {**ORDER, "notify": {"email": False}}).get_json()
    assert silent["mail"] is None
    town.site.draw()
    assert ada.get(f"jobs/{job['id']}").get_json()["mail"] is None, "it has ended"


def test_where_nobody_signs_in_nobody_is_promised_mail(site: Site) -> None:
    assert site.client.get("/api/v1/me/mail").get_json()["address"] is None
    assert site.order()["mail"] is None
    refused = site.client.post("/api/v1/jobs", json={**ORDER, "notify": {"email": True}})
    assert refused.status_code == 422
    assert "no confirmed address" in refused.get_json()["error"]["fields"]["notify.email"]
