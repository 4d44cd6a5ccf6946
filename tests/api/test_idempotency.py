"""Requests that are sent twice, out of order and at once, and edits of what somebody else has changed meanwhile."""

import io
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select, update
from werkzeug.test import TestResponse

from stablehand.api.idempotency import takes_key
from stablehand.domain.jobs import State
from stablehand.services.accounts import owner
from stablehand.services.idempotency import begin, forget
from stablehand.store.idempotency import CUT_OFF_SECONDS
from stablehand.store.idempotency_row import IdempotencyRow
from stablehand.store.ledger_rows import ChargeRow
from stablehand.store.models import JobRow
from tests.api.people import Town, build
from tests.api.site import Make, Site, picture

ORDER = {"prompt": "a red house", "checkpoint": "tiny", "width": 64, "height": 64, "format": "png"}
KEY = {"Idempotency-Key": "once"}
CHANGED = (412, "changed_meanwhile")


def code_of(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error"]["code"]


def is_replay(answer: TestResponse) -> bool:
    return answer.headers.get("Idempotent-Replayed") == "true"


def test_a_link_is_made_once_however_often_it_is_asked_for(site: Site) -> None:
    job = site.order()["id"]
    first = site.client.post("/api/v1/links", json={"job": job, "days": 2}, headers=KEY)
    again = site.client.post(
        "/api/v1/links", data=b'{"days": 2, "job": "%s"}' % job.encode(), content_type="application/json", headers=KEY
    )
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.get_json() == first.get_json()
    assert (is_replay(first), is_replay(again)) == (False, True)
    assert again.headers["Cache-Control"] == "no-store"
    assert len(site.client.get("/api/v1/links").get_json()["items"]) == 1
    other = site.client.post("/api/v1/links", json={"job": job, "days": 3}, headers=KEY)
    assert code_of(other) == (409, "idempotency_conflict")
    elsewhere = site.client.post("/api/v1/jobs", json=ORDER, headers=KEY)
    assert code_of(elsewhere) == (409, "idempotency_conflict"), "a key belongs to one request, whatever it asks for"


def test_orders_and_retries_say_that_they_were_known(site: Site) -> None:
    first, again = (site.client.post("/api/v1/jobs", json=ORDER, headers=KEY) for _ in range(2))
    assert first.get_json()["id"] == again.get_json()["id"]
    assert (is_replay(first), is_replay(again)) == (False, True)
    job = first.get_json()["id"]
    assert site.client.delete(f"/api/v1/jobs/{job}").status_code == 200
    key = {"Idempotency-Key": "retry"}
    first, again = (site.client.post(f"/api/v1/jobs/{job}/retry", headers=key) for _ in range(2))
    assert (first.status_code, is_replay(first), is_replay(again)) == (202, False, True)
    assert first.get_json()["id"] == again.get_json()["id"]
    other = site.client.post(f"/api/v1/jobs/{first.get_json()['id']}/retry", headers=key)
    assert code_of(other) == (409, "idempotency_conflict")


def test_refusals_are_not_kept(site: Site) -> None:
    refused = site.client.post("/api/v1/links", json={"job": "none"}, headers=KEY)
    assert refused.status_code == 404
    job = site.order()["id"]
    assert site.client.post("/api/v1/links", json={"job": job}, headers=KEY).status_code == 201
    for bad in ("", "x" * 256, "ä"):
        answer = site.client.post("/api/v1/links", json={"job": job}, headers={"Idempotency-Key": bad})
        assert "Idempotency-Key" in answer.get_json()["error"]["fields"]
    assert site.client.post("/api/v1/links", data=b"{", headers=KEY).status_code in (400, 409, 415)


def test_uploads_are_compared_by_what_they_hold_not_by_how_it_is_wrapped(site: Site) -> None:
    def upload(side: int) -> TestResponse:
        return site.client.post(
            "/api/v1/inputs", data={"file": (io.BytesIO(picture(side, side)), "a.png")}, headers=KEY
        )

    first, again, other = upload(64), upload(64), upload(72)
    assert first.get_json() == again.get_json()
    assert (first.status_code, is_replay(first), is_replay(again)) == (201, False, True)
    assert code_of(other) == (409, "idempotency_conflict")
    large = picture(1500, 1500, "WEBP")
    raw = site.client.post("/api/v1/inputs", data=large, content_type="image/webp", headers={"Idempotency-Key": "raw"})
    assert raw.status_code == 201


def test_what_streams_is_done_again(site: Site) -> None:
    job = site.order()["id"]
    site.draw()
    image = site.client.get(f"/api/v1/jobs/{job}").get_json()["images"][0]["id"]
    for _ in range(2):
        answer = site.client.post("/api/v1/images/zip", json={"ids": [image]}, headers=KEY)
        assert (answer.status_code, is_replay(answer), answer.mimetype) == (200, False, "application/zip")


def test_a_request_in_the_making_is_waited_for_and_one_cut_off_is_never_repeated(site: Site) -> None:
    services, secret = site.services, site.options.secret_key
    account = owner(services)
    job = site.order()["id"]

    def ask(key: str) -> TestResponse:
        return site.client.post("/api/v1/links", json={"job": job}, headers={"Idempotency-Key": key})

    def row(**values: object) -> None:
        with services.store.writing() as tx:
            tx.session.execute(update(IdempotencyRow).where(IdempotencyRow.key == "k").values(**values))

    assert ask("k").status_code == 201
    row(answer=None)  # as while the first is being worked on
    waiting = ask("k")
    assert code_of(waiting) == (409, "request_in_the_making")
    assert waiting.headers["Retry-After"] == "1"
    row(created_at=services.store.now() - timedelta(seconds=CUT_OFF_SECONDS + 1))
    assert code_of(ask("k")) == (409, "request_unknown")
    row(created_at=services.store.now() - timedelta(hours=25))
    assert ask("k").status_code == 201
    assert not is_replay(ask("other"))
    row(answer=b"written under another secret")
    assert code_of(ask("k")) == (409, "request_unknown")
    assert begin(services, account, "free", "print", secret_key=secret) is None
    forget(services, account.id, "free")
    assert begin(services, account, "free", "another print", secret_key=secret) is None


@pytest.fixture
def town(make: Make) -> Town:
    return build(make)


def test_secrets_are_answered_again_and_lie_nowhere_in_the_clear(town: Town) -> None:
    ada, admin = town.member("ada@example.org"), town.owner()
    for browser, path, body, field in (
        (ada, "/api/v1/keys", {"name": "k", "scopes": ["read"]}, "key"),
        (admin, "/api/v1/admin/invitations", {}, "link"),
    ):
        first, again = (browser.send("POST", path, body, **KEY) for _ in range(2))
        assert first.get_json()[field] == again.get_json()[field]
        assert (is_replay(first), is_replay(again)) == (False, True)
        secret = first.get_json()[field].rpartition("#")[2].encode()
        with town.site.services.store.reading() as tx:
            kept = tx.session.scalars(select(IdempotencyRow.answer)).all()
            assert all(answer is not None and secret not in answer for answer in kept)
        database = town.site.services.store.path
        assert all(secret not in file.read_bytes() for file in database.parent.glob(f"{database.name}*"))
    bob = town.member("bob@example.org")
    own = bob.send("POST", "/api/v1/keys", {"name": "k", "scopes": ["read"]}, **KEY)
    assert (own.status_code, is_replay(own)) == (201, False), "a key belongs to an account"
    assert len(ada.get("keys").get_json()["items"]) == 1


def test_every_route_that_makes_something_takes_a_key_and_says_so(town: Town) -> None:
    document = town.site.client.get("/openapi/openapi.json").get_json()
    without = {
        path
        for path, operations in document["paths"].items()
        if path.startswith("/api/v1/")
        and "post" in operations
        and not any(parameter["name"] == "Idempotency-Key" for parameter in operations["post"].get("parameters", []))
    }
    # Nobody is known at the first; the others make nothing.
    assert without == {"/api/v1/auth/claim", "/api/v1/mail/unsubscribe/{token}", "/api/v1/quote"}
    assert not takes_key("links.drop_link", "DELETE"), "what is deleted twice is deleted"


def together(*asks: Callable[[], TestResponse]) -> list[TestResponse]:
    with ThreadPoolExecutor(len(asks)) as pool:
        return [future.result() for future in [pool.submit(ask) for ask in asks]]


@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(sent=st.lists(st.integers(0, 3), min_size=4, max_size=12), salt=st.uuids())
def test_duplicated_and_reordered_orders_are_one_job_and_one_charge_each(
    make: Make, sent: list[int], salt: object
) -> None:
    site = make()

    def ask(number: int) -> Callable[[], TestResponse]:
        body = {**ORDER, "prompt": f"house {number}"}
        headers = {"Idempotency-Key": f"{salt}-{number}"}
        return lambda: site.app.test_client().post("/api/v1/jobs", json=body, headers=headers)

    half = len(sent) // 2
    answers = together(*map(ask, sent[:half]))
    site.draw()
    answers += together(*map(ask, reversed(sent)))
    site.draw()
    jobs: dict[int, set[str]] = {}
    for number, answer in zip([*sent[:half], *reversed(sent)], answers, strict=True):
        assert answer.status_code == 202
        jobs.setdefault(number, set()).add(answer.get_json()["id"])
    assert all(len(ids) == 1 for ids in jobs.values())
    assert sum(not is_replay(answer) for answer in answers) == len(set(sent))
    with site.services.store.reading() as tx:
        made = tx.session.scalar(select(func.count()).select_from(JobRow))
        charged = tx.session.scalars(select(ChargeRow.shot_id)).all()
        assert set(tx.session.scalars(select(JobRow.state))) == {State.SUCCEEDED}
    assert made == len(charged) == len(set(charged)) == len(set(sent))


def test_the_same_request_sent_at_once_is_done_once(site: Site) -> None:
    job = site.order()["id"]

    def ask() -> TestResponse:
        return site.app.test_client().post("/api/v1/links", json={"job": job}, headers=KEY)

    answers = together(*[ask] * 6)
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.get_json()["id"] for answer in answers if answer.status_code == 201}) == 1
    assert {code_of(answer)[1] for answer in answers if answer.status_code == 409} <= {"request_in_the_making"}
    assert len(site.client.get("/api/v1/links").get_json()["items"]) == 1


def test_an_edit_of_a_picture_that_changed_meanwhile_is_refused(site: Site) -> None:
    site.order()
    site.draw()
    path = f"/api/v1/images/{site.client.get('/api/v1/images').get_json()['items'][0]['id']}"
    seen = site.client.get(path)
    etag = seen.headers["ETag"]
    assert site.client.get(path, headers={"If-None-Match": etag}).status_code == 304
    starred = site.client.patch(path, json={"starred": True}, headers={"If-Match": etag})
    assert starred.status_code == 200
    assert starred.headers["ETag"] != etag
    assert site.client.get(path, headers={"If-None-Match": etag}).status_code == 200
    for method, more in (("PATCH", {"json": {"starred": False}}), ("DELETE", {})):
        late = site.client.open(path, method=method, headers={"If-Match": etag}, **more)  # type: ignore[arg-type]
        assert code_of(late) == CHANGED
        assert "Load it again" in late.get_json()["error"]["hint"]
    assert site.client.get(path).get_json()["starred"] is True
    for fine in (starred.headers["ETag"], f"W/{starred.headers['ETag']}", f'"other", {starred.headers["ETag"]}', "*"):
        assert site.client.patch(path, json={"starred": True}, headers={"If-Match": fine}).status_code == 200, fine
    for bad in ("nonsense", "x, ", ""):
        assert site.client.patch(path, json={"starred": False}, headers={"If-Match": bad}).status_code == 412, bad
    assert site.client.patch(path, json={"starred": False}).status_code == 200, "without it all is as ever"


def test_two_administrators_do_not_overwrite_each_other_unseen(town: Town) -> None:
    ada, admin = town.member("ada@example.org"), town.owner()
    path = f"/api/v1/admin/accounts/{ada.get('me').get_json()['id']}"
    etag = admin.send("GET", path).headers["ETag"]
    ada.send("POST", "/api/v1/jobs", ORDER)
    assert admin.send("GET", path).headers["ETag"] != etag, "it says how much waits"
    first = admin.send("PATCH", path, {"tier": "premium"}, **{"If-Match": etag})
    assert first.status_code == 200, "which is no edit"
    late = admin.send("PATCH", path, {"suspended": True}, **{"If-Match": etag})
    assert code_of(late) == CHANGED
    assert code_of(admin.send("DELETE", path, **{"If-Match": etag})) == CHANGED
    now = admin.send("GET", path)
    assert (now.get_json()["tier"], now.get_json()["state"]) == ("premium", "active")
    assert now.headers["ETag"].partition(".")[0] == first.headers["ETag"].partition(".")[0]
    assert admin.send("DELETE", path, **{"If-Match": now.headers["ETag"]}).status_code == 204


def test_a_webhook_that_was_changed_meanwhile_is_not_overwritten(site: Site) -> None:
    body = {"url": "https://93.184.216.34/hook", "description": "mine"}
    made = site.client.post("/api/v1/webhooks", json=body)
    assert made.status_code == 201, made.get_data(as_text=True)
    path = f"/api/v1/webhooks/{made.get_json()['id']}"
    etag = site.client.get(path).headers["ETag"]
    assert site.client.get(path, headers={"If-None-Match": etag}).status_code == 304
    first = site.client.patch(path, json={"description": "ours"}, headers={"If-Match": etag})
    assert (first.status_code, first.headers["ETag"] == etag) == (200, False)
    assert code_of(site.client.patch(path, json={"description": "x"}, headers={"If-Match": etag}))[0] == 412
    assert code_of(site.client.delete(path, headers={"If-Match": etag}))[0] == 412
    assert site.client.get(path).get_json()["description"] == "ours"
    assert site.client.delete(path, headers={"If-Match": first.headers["ETag"]}).status_code == 200


def test_two_administrators_do_not_decide_about_an_agent_against_each_other(site: Site) -> None:
    path = f"/api/v1/admin/agents/{site.agent_id}"
    etag = site.client.get(path).headers["ETag"]
    assert site.client.get(path, headers={"If-None-Match": etag}).status_code == 304
    site.hello()
    assert site.client.get(path).headers["ETag"] != etag, "it has come"
    first = site.client.patch(path, json={"standing": "draining", "reason": "Cables."}, headers={"If-Match": etag})
    assert first.status_code == 200, "which is no edit"
    assert code_of(site.client.patch(path, json={"standing": "working"}, headers={"If-Match": etag})) == CHANGED
    assert code_of(site.client.delete(path, headers={"If-Match": etag})) == CHANGED
    now = site.client.get("/api/v1/admin/agents/test-agent")
    assert (now.get_json()["state"], now.get_json()["reason"]) == ("draining", "Cables.")
    assert now.headers["ETag"] == first.headers["ETag"]
    assert site.client.delete(path, headers={"If-Match": now.headers["ETag"]}).status_code == 200
    assert site.client.get(path).status_code == 404


def test_what_was_chosen_about_mail_in_another_tab_is_not_overwritten(site: Site) -> None:
    path = "/api/v1/me/mail"
    etag = site.client.get(path).headers["ETag"]
    assert site.client.get(path, headers={"If-None-Match": etag}).status_code == 304
    first = site.client.patch(path, json={"failures": False}, headers={"If-Match": etag})
    assert (first.status_code, first.headers["ETag"] == etag) == (200, False)
    assert code_of(site.client.patch(path, json={"failures": True}, headers={"If-Match": etag})) == CHANGED
    assert site.client.get(path).get_json()["failures"] is False
    assert site.client.get(path).headers["ETag"] == first.headers["ETag"]
    now = site.client.patch(path, json={"failures": True}, headers={"If-Match": first.headers["ETag"]})
    assert (now.status_code, now.get_json()["failures"]) == (200, True)
    site.client.patch(path, json={"failures": False})
    assert site.client.get(path).get_json()["failures"] is False, "without it all is as ever"
