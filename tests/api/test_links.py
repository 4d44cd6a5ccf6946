"""Links to pictures at the door: given away, looked at without an account, ended; and pictures as ZIPs."""

import io
import json
import re
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from werkzeug.test import TestResponse

from stablehand.api import shared, zips
from stablehand.services.suspend import suspend
from tests.api.people import Town, build
from tests.api.site import Make, Site

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


def draw(site: Site, count: int = 1, **fields: object) -> tuple[str, list[str]]:
    """Ids of a job and of its pictures."""
    job_id = site.order(count=count, **fields)["id"]
    site.draw()
    job = site.client.get(f"/api/v1/jobs/{job_id}").get_json()
    return job_id, [shot["image_id"] for shot in job["shots"]]


def make_link(site: Site, **body: object) -> dict[str, str]:
    answer = site.client.post("/api/v1/links", json=body)
    assert answer.status_code == 201, answer.get_data(as_text=True)
    made: dict[str, str] = answer.get_json()
    return made


def visit(site: Site, url: str, **headers: str) -> TestResponse:
    return site.app.test_client().get(url.removeprefix("http://localhost"), headers=headers)


def code_of(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error"]["code"]


def test_a_link_to_one_picture_is_the_picture(site: Site) -> None:
    _, [image_id] = draw(site)
    link = make_link(site, image=image_id, days=1)
    assert link["url"].startswith("http://localhost/api/v1/files/")
    shown = visit(site, link["url"], **HTML)
    assert (shown.status_code, shown.mimetype) == (200, "image/png")
    assert shown.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert shown.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert "max-age=300" in shown.headers["Cache-Control"]
    assert visit(site, link["url"] + "?download=1").headers["Content-Disposition"].startswith("attachment")
    page = visit(site, link["page_url"]).get_data(as_text=True)
    assert f"/images/{image_id}" in page
    assert site.client.delete(f"/api/v1/images/{image_id}").status_code == 204
    assert visit(site, link["url"]).status_code == 404
    assert "No picture" in visit(site, link["page_url"]).get_data(as_text=True)


def test_a_page_shows_several_pictures_and_nothing_else_of_whose_they_are(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id, ids = draw(site, 3, prompt='a <b>red</b> "house" & co')
    other = draw(site)[1][0]
    link = make_link(site, images=[ids[2], ids[0]])
    assert link["url"] == link["page_url"]
    page = visit(site, link["url"], **HTML)
    text = page.get_data(as_text=True)
    assert (page.status_code, page.mimetype, page.headers["X-Robots-Tag"]) == (200, "text/html", "noindex, nofollow")
    assert page.headers["Cache-Control"] == "private, no-store"
    assert "script-src 'self'" in page.headers["Content-Security-Policy"]
    assert "<script" not in text
    assert "<b>" not in text
    assert [part for part in re.findall(r'(?:src|href)="([^"]+)"', text) if not part.startswith("/api/v1/files/")] == []
    assert job_id not in text
    assert text.index(ids[2]) < text.index(ids[0]), "in the order in which they were chosen"
    assert ids[1] not in text
    for path in re.findall(r'(?:src|href)="([^"]+)"', text):
        assert visit(site, path.replace("&amp;", "&")).status_code == 200, path
    token = link["url"].rpartition("/")[2]
    for stranger in (ids[1], other):
        assert visit(site, f"/api/v1/files/{token}/images/{stranger}").status_code == 404
        assert visit(site, f"/api/v1/files/{token}/images/{stranger}/thumbnail").status_code == 404
    assert code_of(visit(site, f"/api/v1/files/{token}")) == (404, "link_void"), "which of them?"

    monkeypatch.setattr(shared, "PAGE_PICTURES", 1)
    first, second, beyond = (visit(site, f"{link['url']}?page={n}").get_data(as_text=True) for n in ("1", "2", "99"))
    assert (ids[2] in first, ids[0] in first) == (True, False)
    assert (ids[2] in second, ids[0] in second) == (False, True)
    assert beyond == second


def test_what_does_not_work_is_told_to_people_and_to_programs(site: Site) -> None:
    _, [image_id] = draw(site)
    link = make_link(site, image=image_id)
    assert [entry["id"] for entry in site.client.get("/api/v1/links").get_json()["items"]] == [link["id"]]
    altered = link["url"][:-3] + "abc"
    assert code_of(visit(site, altered)) == (404, "link_void")
    assert site.client.delete(f"/api/v1/links/{link['id']}").status_code == 204
    assert site.client.delete(f"/api/v1/links/{link['id']}").status_code == 404
    assert site.client.get("/api/v1/links").get_json()["items"] == []
    assert code_of(visit(site, link["url"])) == (410, "link_revoked")
    for url, status, words in (
        (link["url"], 410, "This link was revoked."),
        (link["page_url"], 410, "This link was revoked."),
        (altered, 404, "This link does not work."),
    ):
        page = visit(site, url, **HTML)
        assert (page.status_code, page.mimetype) == (status, "text/html")
        assert words in page.get_data(as_text=True)
        assert page.headers["X-Robots-Tag"] == "noindex, nofollow"


def test_one_thing_is_linked_to_at_a_time_and_for_so_long(site: Site) -> None:
    job_id, [image_id] = draw(site)
    bad: tuple[dict[str, object], ...] = (
        {},
        {"image": image_id, "job": job_id},
        {"images": []},
        {"image": image_id, "days": 91},
    )
    for body in bad:
        assert site.client.post("/api/v1/links", json=body).status_code == 422, body
    assert site.client.post("/api/v1/links", json={"job": "none"}).status_code == 404
    make_link(site, job=job_id)
    make_link(site, job=job_id, days=90)
    assert site.client.delete("/api/v1/links").get_json() == {"revoked": 2}


def names_in(answer: TestResponse) -> tuple[ZipFile, list[str]]:
    assert (answer.status_code, answer.mimetype) == (200, "application/zip")
    archive = ZipFile(io.BytesIO(answer.data))
    assert archive.testzip() is None
    return archive, archive.namelist()


def test_pictures_come_as_one_file_under_names_that_say_something(site: Site) -> None:
    job_id, ids = draw(site, 3, prompt="a red/house: ..\\ 猫 %s", seed=42)
    archive, names = names_in(site.client.get(f"/api/v1/jobs/{job_id}/zip"))
    pictures = [f"{n:04}-{41 + n}-a red house 猫 s.png" for n in (1, 2, 3)]
    assert names == [*pictures, "recipes.json"]
    first = archive.getinfo(pictures[0])
    # Deflated, so that its end is found from the front, and none the smaller for it.
    assert (first.compress_type, first.compress_size > first.file_size) == (ZIP_DEFLATED, True)
    for name, image_id in zip(pictures, ids, strict=True):
        assert archive.read(name) == site.client.get(f"/api/v1/images/{image_id}/file").data
    told = json.loads(archive.read("recipes.json"))
    assert [(entry["file"], entry["id"]) for entry in told] == list(zip(pictures, ids, strict=True))
    assert told[1]["recipe"]["seed"] == 43
    assert told[1]["infotext"].startswith("a red/house")

    chosen = site.client.post("/api/v1/images/zip", json={"ids": [ids[2], ids[0], ids[2]]})
    assert names_in(chosen)[1] == [
        "0001-44-a red house 猫 s.png",
        "0002-42-a red house 猫 s.png",
        "recipes.json",
    ]
    given = visit(site, make_link(site, job=job_id)["zip_url"])
    assert names_in(given)[1] == pictures, "what a recipe names is nobody's business but one's own"
    address = site.client.post("/api/v1/images/zip/address", json={"ids": ids[:1]}).get_json()["url"]
    assert len(names_in(visit(site, address))[1]) == 2
    assert code_of(visit(site, address.removesuffix("/zip"))) == (404, "link_void")
    assert len(site.client.get("/api/v1/links").get_json()["items"]) == 1, "downloads stand in no list"
    assert site.client.post("/api/v1/images/zip", json={"ids": [ids[0], "none"]}).status_code == 404
    empty = site.order()["id"]
    assert site.client.get(f"/api/v1/jobs/{empty}/zip").status_code == 404


def test_zips_hold_places_until_they_are_sent_and_slow_readers_lose_theirs(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make(max_zips=1)
    job_id, _ = draw(site, 2)
    zips_held = site.app.extensions["door"].zips
    path = f"/api/v1/jobs/{job_id}/zip"
    begun = site.app.test_client().get(path, buffered=False)
    assert zips_held.held == 1
    assert code_of(site.client.get(path)) == (503, "busy")
    begun.close()
    assert zips_held.held == 0
    monkeypatch.setattr(zips, "PATIENCE_SECONDS", -1.0)
    monkeypatch.setattr(zips, "SLOWEST_BYTES_A_SECOND", 1e15)
    with pytest.raises(ConnectionResetError):
        site.client.get(path).get_data()
    assert zips_held.held == 0


def test_links_of_an_account_that_is_suspended_are_void(make: Make) -> None:
    town: Town = build(make)
    ada = town.member("ada@example.org")
    body = {"prompt": "a red house", "checkpoint": "tiny", "width": 64, "height": 64}
    ada.send("POST", "/api/v1/jobs", body)
    town.site.draw()
    image_id = ada.get("images").get_json()["items"][0]["id"]
    link = ada.send("POST", "/api/v1/links", {"image": image_id}).get_json()
    assert visit(town.site, link["url"]).status_code == 200
    account_id = ada.get("me").get_json()["id"]
    actions = [entry.deed.action for entry in town.site.services.store.audit_log(limit=1, account_id=account_id).items]
    assert actions == ["link.made"]
    suspend(town.site.services, account_id, by=None)
    assert code_of(visit(town.site, link["url"])) == (404, "link_void")
    assert visit(town.site, link["page_url"]).status_code == 404
