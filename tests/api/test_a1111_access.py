"""Who is let in to A1111's dialect, from which pages, with what kinds of bodies, and that clients do not meet."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.a1111 import SMALL, opened, post, text_of
from tests.api.people import Browser, Town, build
from tests.api.site import Make, Site, make_site


@pytest.fixture(scope="module")
def quiet(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Site]:
    made = make_site(tmp_path_factory.mktemp("quiet-dialect"), template=template, dialect_wait_seconds=0.0)
    yield made
    made.services.store.close()


BODIES: list[tuple[bytes, str | None, int, str]] = [
    (b'{"prompt": "x", "steps": "y"}', None, 422, "steps"),
    (b"", "application/json", 422, "field required"),
    (b"{broken", "application/json", 422, "value_error.jsondecode"),
    (b'{"prompt": NaN}', "application/json", 422, "value_error.jsondecode"),
    (b"[" * 100_000, "application/json", 422, "value_error.jsondecode"),
    (b"prompt=x", "application/x-www-form-urlencoded", 422, "type_error.dict"),
    (b'{"prompt": "x", "prompt": "y", "steps": "z"}', "application/json; charset=utf-8", 422, "steps"),
]


@pytest.mark.parametrize(("data", "kind", "status", "words"), BODIES)
def test_bodies_of_all_kinds(quiet: Site, data: bytes, kind: str | None, status: int, words: str) -> None:
    answer = quiet.client.post("/sdapi/v1/txt2img", data=data, content_type=kind)
    assert (answer.status_code, words in answer.get_data(as_text=True)) == (status, True), answer.get_data(as_text=True)


def test_a_page_of_another_site_cannot_leave_the_type_out(quiet: Site) -> None:
    for header in ({"Sec-Fetch-Site": "same-origin"}, {"Origin": "http://localhost"}):
        answer = quiet.client.post("/sdapi/v1/txt2img", data=b'{"steps": "x"}', headers=header)
        assert answer.status_code == 403, answer.get_data(as_text=True)
        assert "Content-Type" in answer.get_json()["detail"]


def test_headers_that_clients_send_anyway_are_borne_where_nobody_signs_in(quiet: Site) -> None:
    for value in ("", "Basic Og==", "Basic !", "Bearer x"):
        answer = quiet.client.get("/sdapi/v1/options", headers={"Authorization": value})
        assert answer.status_code == 200, value


def test_pages_of_other_sites_may_call_where_the_settings_say_so(make: Make) -> None:
    origin = "https://lite.example.org"
    site = make(cors_origins=(origin,), dialect_wait_seconds=0.0)
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    first = site.client.options("/sdapi/v1/txt2img", headers=asked)
    assert (first.status_code // 100, first.headers["Access-Control-Allow-Origin"]) == (2, origin)
    assert "Content-Type" in first.headers["Access-Control-Allow-Headers"]
    then = post(site, "txt2img", SMALL, Origin=origin)
    assert (then.status_code, then.headers["Access-Control-Allow-Origin"]) == (504, origin)
    assert "X-Task-Id" in then.headers["Access-Control-Expose-Headers"]
    assert post(site, "txt2img", SMALL, Origin="https://other.example.org").status_code == 403


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[tuple[Town, dict[str, str]]]:
    folder = tmp_path_factory.mktemp("dialect-town")
    town = build(lambda **changes: make_site(folder, template=template, dialect_wait_seconds=0.0, **changes))
    keys = {}
    for name in ("ada", "bob"):
        member = town.member(f"{name}@example.org")
        for number in (1, 2):
            made = member.send("POST", "/api/v1/keys", {"name": str(number), "scopes": ["generate", "read"]})
            keys[f"{name}{number}"] = made.get_json()["key"]
    yield town, keys
    town.site.services.store.close()


def test_each_key_has_options_progress_and_interrupts_of_its_own(town: tuple[Town, dict[str, str]]) -> None:
    site, keys = town[0].site, town[1]
    clients = {name: {"Authorization": "Basic " + text_of(f"any:{key}".encode())} for name, key in keys.items()}
    formats = dict(zip(clients, ("jpeg", "webp", "png", "jpeg"), strict=True))
    for name, headers in clients.items():
        assert post(site, "options", {"samples_format": formats[name]}, **headers).status_code == 200
        late = post(site, "txt2img", {**SMALL, "seed": 1, "force_task_id": name}, **headers)
        assert late.status_code == 504
    for name, headers in clients.items():
        options = site.client.get("/sdapi/v1/options", headers=headers).get_json()
        assert options["samples_format"] == formats[name]
        assert site.client.get("/internal/pending-tasks", headers=headers).get_json()["tasks"] == [name]
        other = site.client.get("/sdapi/v1/progress?id_task=bob2", headers=headers).get_json()
        assert (other["state"]["job_count"] == 1) == (name == "bob2")
    assert post(site, "interrupt", **clients["ada1"]).status_code == 200
    site.draw()
    for name, headers in clients.items():
        answer = post(site, "txt2img", {**SMALL, "seed": 1, "force_task_id": name}, **headers)
        if name == "ada1":
            assert answer.status_code == 504, "which was interrupted, and is ordered anew"
        else:
            assert [opened(image).format for image in answer.get_json()["images"]] == [formats[name].upper()]


def test_who_is_not_let_in_is_told_in_upstreams_words(town: tuple[Town, dict[str, str]]) -> None:
    site, keys = town[0].site, town[1]
    anonymous = site.client.get("/sdapi/v1/options")
    assert (anonymous.status_code, anonymous.get_json()["detail"]) == (401, "Not authenticated")
    assert anonymous.headers["WWW-Authenticate"].startswith("Basic")
    wrong = site.client.get("/sdapi/v1/options", auth=("x", "y"))
    assert wrong.get_json()["detail"] == "Incorrect username or password"
    bearer = {"Authorization": f"Bearer {keys['ada1']}"}
    assert site.client.get("/sdapi/v1/options", headers=bearer).status_code == 200
    assert site.client.post("/sdapi/v1/txt2img", data=b'{"steps": "x"}', headers=bearer).status_code == 422
    browser = Browser(site)
    browser.sign_in("ada@example.org")
    token = browser.client.get_cookie("XSRF-TOKEN").value
    no_type = browser.client.post("/sdapi/v1/txt2img", data=b"{}", headers={"X-XSRF-TOKEN": token})
    assert no_type.status_code == 403
    assert browser.client.post("/sdapi/v1/txt2img", json={}).status_code == 403, "no token, no write"
    assert browser.send("POST", "/sdapi/v1/txt2img", {"steps": "x"}).status_code == 422
