"""Webhooks: registered, told in a way that the public package verifies, retried, paused, disabled, redelivered."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError

from stablehand.domain.dispatches import PAUSES_SECONDS
from stablehand.domain.webhooks import CHOICES, DISABLED_AFTER_DAYS
from stablehand.services.courier import carry
from stablehand.services.dispatch import Carriage
from stablehand.services.purge import purge
from stablehand.settings import load
from stablehand.store.webhook_rows import WebhookRow
from stablehand.wiring import serving
from tests.api.site import Site, make_site
from tests.commands import run
from tests.receiver import Got, Receiver, receiving
from tests.store.house import Clock

ALLOWED = "safety: {fetch_networks: [127.0.0.1/32]}\nwebhooks: {http: true, most: 3}\n"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def site(tmp_path: Path, template: Path) -> Iterator[Site]:
    site = make_site(tmp_path / "site", template=template, yaml=ALLOWED)
    yield site
    site.services.store.close()


@pytest.fixture
def clock(site: Site) -> Clock:
    """Of the database, from now on."""
    clock = Clock()
    with site.services.store.reading() as tx:
        clock.now = tx.now
    site.services.store._clock = clock
    return clock


@pytest.fixture
def post(site: Site, tmp_path: Path) -> Callable[[], Counter[tuple[str, str]]]:
    """Carry until nothing is due, as the courier does."""
    table = load(data_dir=tmp_path / "site")
    ways_out = serving.channels(table, site.services, "https://pictures.example")
    sinks = serving.sinks(table, site.services, ways_out)
    carriage = Carriage(site.services, ways_out, jitter=lambda: 0.5)

    def post() -> Counter[tuple[str, str]]:
        while carry(site.services, sinks, Counter(), lambda: 0.5):
            pass
        return carriage.empty()

    return post


def register(site: Site, url: str, **fields: Any) -> dict[str, Any]:
    answer = site.client.post("/api/v1/webhooks", json={"url": url, **fields})
    assert answer.status_code == 201, answer.get_data(as_text=True)
    made: dict[str, Any] = answer.get_json()
    return made


def ask(site: Site, method: str, path: str, status: int = 200, **body: Any) -> Any:
    answer = site.client.open(f"/api/v1/{path}", method=method, json=body if method in ("POST", "PATCH") else None)
    assert answer.status_code == status, answer.get_data(as_text=True)
    return answer.get_json()


def verified(secret: str, got: Got) -> Any:
    """What it says, if the public package takes its signature."""
    return Verifier(secret).verify(got.body, got.headers)


Post = Callable[[], Counter[tuple[str, str]]]


def test_a_finished_job_is_told_with_its_pictures(site: Site, receiver: Receiver, post: Post) -> None:
    hook = register(site, f"{receiver.url}/hook", types=list(CHOICES), description="mine")
    job = site.order(count=2)
    site.draw()
    assert post() == {("webhook", "arrived"): 4}
    by_type = {got.json["type"]: verified(hook["secret"], got) for got in receiver.got}
    assert set(by_type) == {"job.submitted", "image.delivered", "job.finished"}
    assert len({got.id for got in receiver.got}) == 4, "each event has its own id"
    told = by_type["job.finished"]
    assert set(told) == {"type", "timestamp", "data"}
    assert (told["data"]["job"]["id"], told["data"]["job"]["state"]) == (job["id"], "succeeded")
    assert told["data"]["job"]["counts"]["succeeded"] == 2
    assert [image["index"] for image in told["data"]["images"]] == [0, 1]
    address = told["data"]["images"][1]["url"]
    assert address.startswith("https://pictures.example/api/v1/files/")
    picture = site.client.get(address.removeprefix("https://pictures.example"))
    assert (picture.status_code, picture.mimetype) == (200, "image/png")
    with pytest.raises(WebhookVerificationError):
        Verifier(hook["secret"]).verify(receiver.got[0].body + b" ", receiver.got[0].headers)


def test_only_what_was_asked_for_is_told(site: Site, receiver: Receiver, post: Post) -> None:
    register(site, f"{receiver.url}/ends")
    site.order()
    assert post() == {}
    site.draw()
    assert post() == {("webhook", "arrived"): 1}
    assert [got.json["type"] for got in receiver.got] == ["job.finished"]


def test_a_job_brings_its_own_address_along(site: Site, receiver: Receiver, post: Post) -> None:
    job = site.order(notify={"webhook_url": f"{receiver.url}/own"})
    assert job["notify"] == {"email": None, "webhook_url": f"{receiver.url}/own"}
    site.draw()
    assert post() == {("webhook", "arrived"): 1}
    [got] = receiver.got
    old = ask(site, "GET", "webhooks/secret")["secret"]
    assert verified(old, got)["data"]["job"]["id"] == job["id"]
    [entry] = ask(site, "GET", f"dispatches?job={job['id']}")["items"]
    assert (entry["state"], entry["url"], entry["webhook_id"]) == ("arrived", f"{receiver.url}/own", None)
    ask(site, "POST", f"webhooks/{register(site, f'{receiver.url}/ends')['id']}/ping", 202)
    assert post() == {("webhook", "arrived"): 1}
    assert len(ask(site, "GET", "dispatches")["items"]) == 2
    assert ask(site, "GET", "dispatches?brought=true")["items"] == [entry]
    assert ask(site, "GET", "dispatches?brought=true&state=dead")["items"] == []
    ask(site, "GET", "dispatches?brought=perhaps", 422)
    new = ask(site, "POST", "webhooks/secret/rotate")["secret"]
    ask(site, "POST", f"dispatches/{entry['id']}/redeliver", 202)
    assert post() == {("webhook", "arrived"): 1}
    again = receiver.got[-1]
    assert again.id == got.id, "it is the same event"
    assert new != old
    assert verified(new, again) == verified(old, again)


def test_an_address_that_may_not_be_reached_is_refused_when_it_is_given(site: Site, make: Callable[..., Site]) -> None:
    for url in ("http://10.0.0.1/", "ftp://127.0.0.1/", "https://user@127.0.0.1/", "hook"):
        refused = ask(site, "POST", "webhooks", 422, url=url)["error"]
        assert set(refused["fields"]) == {"url"}
        order = {"prompt": "a", "checkpoint": "tiny", "notify": {"webhook_url": url}}
        refused = ask(site, "POST", "jobs", 422, **order)["error"]
        assert set(refused["fields"]) == {"notify.webhook_url"}
    wrong = ask(site, "POST", "webhooks", 422, url="http://127.0.0.1/", types=["job.began"])["error"]
    assert set(wrong["fields"]) == {"types"}
    plain = make()
    assert "https" in ask(plain, "POST", "webhooks", 422, url="http://93.184.216.34/")["error"]["fields"]["url"]


def test_an_account_has_so_many_and_no_more(site: Site) -> None:
    for _ in range(3):
        register(site, "http://127.0.0.1:1/")
    assert ask(site, "POST", "webhooks", 409, url="http://127.0.0.1:1/")["error"]["code"] == "conflict"
    listed = ask(site, "GET", "webhooks")
    assert (len(listed["items"]), listed["at_most"], listed["types"]) == (3, 3, list(CHOICES))
    assert "secret" not in listed["items"][0], "it is shown once"


def test_redirects_are_failures_that_say_so(site: Site, receiver: Receiver, post: Post) -> None:
    hook = register(site, f"{receiver.url}/moved")
    receiver.answers["/moved"] = (302, {"Location": f"{receiver.url}/elsewhere"}, b"")
    ask(site, "POST", f"webhooks/{hook['id']}/ping", 202)
    assert post() == {("webhook", "failed"): 1}
    assert receiver.to("/elsewhere") == []
    [entry] = ask(site, "GET", f"dispatches?webhook={hook['id']}")["items"]
    assert entry["status"] == 302
    assert "Redirects are not followed" in entry["error"]
    assert entry["next_try_at"] is not None


def test_a_receiver_that_was_down_for_a_day_gets_everything(
    site: Site, receiver: Receiver, post: Post, clock: Clock
) -> None:
    hook = register(site, f"{receiver.url}/hook", types=["job.submitted"])
    receiver.answers["/hook"] = (503, {"Retry-After": "60"}, b"x" * 5000)
    jobs = [site.order()["id"] for _ in range(5)]
    hours = 0
    while hours < 24:
        post()
        clock.turn(3600)
        hours += 1
    assert ask(site, "GET", f"webhooks/{hook['id']}")["state"] == "failing"
    assert ask(site, "GET", f"webhooks/{hook['id']}")["waiting"] == 5
    del receiver.answers["/hook"]
    before = len(receiver.got)
    while hours < 24 + 3 * 24:
        post()
        clock.turn(3600)
        hours += 1
    arrived = [got.json["data"]["job"]["id"] for got in receiver.got[before:]]
    assert sorted(arrived) == sorted(jobs)
    shown = ask(site, "GET", f"webhooks/{hook['id']}")
    assert (shown["state"], shown["waiting"], shown["dead"]) == ("active", 0, 0)
    entry = ask(site, "GET", f"dispatches?webhook={hook['id']}&limit=1")["items"][0]
    attempts = ask(site, "GET", f"dispatches/{entry['id']}")["attempts"]
    assert [attempt["status"] for attempt in attempts] == [503] * (len(attempts) - 1) + [200]
    assert len(attempts[0]["answer"]) == 1024
    assert entry["tries"] == len(attempts) > 3


def test_a_webhook_that_fails_for_days_is_disabled_and_what_it_missed_can_be_redelivered(
    site: Site, receiver: Receiver, post: Post, clock: Clock
) -> None:
    other = register(site, f"{receiver.url}/other", types=["webhook.disabled"])
    hook = register(site, f"{receiver.url}/hook", types=["job.submitted"])
    receiver.answers["/hook"] = (500, {}, b"")
    site.order()
    for pause in (*PAUSES_SECONDS, 0):
        post()
        clock.turn(pause)
    [dead] = ask(site, "GET", f"dispatches?webhook={hook['id']}&state=dead")["items"]
    assert dead["tries"] == len(PAUSES_SECONDS) + 1
    clock.turn(DISABLED_AFTER_DAYS * 86_400)
    site.order()
    waiting = site.order()
    post()
    shown = ask(site, "GET", f"webhooks/{hook['id']}")
    assert (shown["state"], shown["dead"], shown["waiting"]) == ("disabled", 3, 0)
    assert "5 days" in shown["reason"]
    post()
    [told] = receiver.to("/other")
    assert verified(other["secret"], told)["data"]["webhook_id"] == hook["id"]
    assert ask(site, "POST", f"webhooks/{hook['id']}/ping", 409)["error"]["hint"] == "Resume it first."
    ask(site, "POST", f"webhooks/{hook['id']}/redeliver", 409)
    ask(site, "POST", f"dispatches/{dead['id']}/redeliver", 409)
    del receiver.answers["/hook"]
    assert ask(site, "POST", f"webhooks/{hook['id']}/resume")["state"] == "active"
    since = {"since": waiting["created_at"]}
    assert ask(site, "POST", f"webhooks/{hook['id']}/redeliver", 202, **since) == {"redelivered": 2}
    assert ask(site, "POST", f"webhooks/{hook['id']}/redeliver", 202) == {"redelivered": 1}
    assert post() == {("webhook", "arrived"): 3}
    assert ask(site, "GET", f"webhooks/{hook['id']}")["dead"] == 0


def test_whoever_answers_410_is_left_alone_at_once(site: Site, receiver: Receiver, post: Post) -> None:
    hook = register(site, f"{receiver.url}/gone", types=["job.submitted"])
    receiver.answers["/gone"] = (410, {}, b"")
    site.order()
    assert post()["webhook", "dead"] == 1
    assert ask(site, "GET", f"webhooks/{hook['id']}")["state"] == "disabled"
    site.order()
    assert post() == {}
    assert len(receiver.got) == 1
    del receiver.answers["/gone"]
    ask(site, "POST", f"webhooks/{hook['id']}/resume")
    assert ask(site, "POST", f"webhooks/{hook['id']}/redeliver", 202) == {"redelivered": 2}, "it was kept"
    assert post() == {("webhook", "arrived"): 2}


def test_what_happens_during_a_pause_is_kept(site: Site, receiver: Receiver, post: Post) -> None:
    hook = register(site, f"{receiver.url}/hook", types=["job.submitted"])
    assert ask(site, "POST", f"webhooks/{hook['id']}/pause")["state"] == "paused"
    site.order()
    assert post() == {}
    [entry] = ask(site, "GET", "dispatches?state=held")["items"]
    assert (entry["tries"], receiver.got) == (0, [])
    ask(site, "POST", f"webhooks/{hook['id']}/resume")
    assert post() == {("webhook", "arrived"): 1}


def test_for_a_day_after_the_change_both_secrets_sign(site: Site, receiver: Receiver, post: Post, clock: Clock) -> None:
    hook = register(site, f"{receiver.url}/hook")
    new = ask(site, "POST", f"webhooks/{hook['id']}/rotate")["secret"]
    ask(site, "POST", f"webhooks/{hook['id']}/ping", 202)
    post()
    [got] = receiver.got
    assert verified(new, got)["type"] == verified(hook["secret"], got)["type"] == "webhook.ping"
    with site.services.store.writing() as tx:
        row = tx.session.get_one(WebhookRow, hook["id"])
        assert row.rotated_at is not None
        row.rotated_at = row.rotated_at.replace(year=row.rotated_at.year - 1)
    ask(site, "POST", f"webhooks/{hook['id']}/ping", 202)
    post()
    assert verified(new, receiver.got[1])["type"] == "webhook.ping"
    with pytest.raises(WebhookVerificationError):
        verified(hook["secret"], receiver.got[1])


def test_a_deleted_webhook_leaves_nothing(site: Site, receiver: Receiver, post: Post) -> None:
    hook = register(site, f"{receiver.url}/hook", types=["job.submitted"])
    receiver.answers["/hook"] = (500, {}, b"")
    site.order()
    post()
    changed = ask(site, "PATCH", f"webhooks/{hook['id']}", url=f"{receiver.url}/else", description="new")
    assert (changed["url"], changed["description"], changed["types"]) == (
        f"{receiver.url}/else",
        "new",
        ["job.submitted"],
    )
    ask(site, "DELETE", f"webhooks/{hook['id']}")
    ask(site, "DELETE", f"webhooks/{hook['id']}", 404)
    assert ask(site, "GET", "dispatches")["items"] == []
    site.order()
    assert post() == {}


def test_the_log_is_read_in_pages(site: Site, receiver: Receiver, post: Post) -> None:
    register(site, f"{receiver.url}/hook", types=["job.submitted"])
    jobs = [site.order()["id"] for _ in range(5)]
    post()
    first = ask(site, "GET", "dispatches?limit=3")
    rest = ask(site, "GET", f"dispatches?limit=3&cursor={first['next_cursor']}")
    assert [one["job_id"] for one in (*first["items"], *rest["items"])] == jobs[::-1]
    assert rest["next_cursor"] is None
    ask(site, "GET", "dispatches/unknown", 404)
    ask(site, "GET", "dispatches?state=lost", 422)


def test_the_administrator_sees_what_was_given_up_and_has_it_sent_anew(
    site: Site, receiver: Receiver, post: Post, tmp_path: Path
) -> None:
    register(site, f"{receiver.url}/gone?token=hidden", types=["job.submitted"])
    receiver.answers["/gone?token=hidden"] = (410, {}, b"")
    job = site.order()
    post()
    told = ask(site, "GET", "admin/dispatches")
    [dead] = told["items"]
    assert (dead["job_id"], dead["status"], dead["channel"]) == (job["id"], 410, "webhook")
    assert "hidden" not in str(told), "where to is its account's business"
    assert told["counts"] == [{"channel": "webhook", "state": "dead", "count": 1}]
    assert 'stablehand_dispatches{channel="webhook",state="dead"} 1.0' in site.client.get("/metrics").text
    shown = run("outbox", "dispatches", "--data-dir", str(tmp_path / "site"))
    assert json.loads(shown.stdout)["id"] == dead["id"]
    assert "webhook: 1 dead" in run("outbox", "list", "--data-dir", str(tmp_path / "site")).stderr
    assert ask(site, "POST", f"admin/dispatches/{dead['id']}/redeliver") == {"redelivered": 1}
    ask(site, "POST", f"admin/dispatches/{dead['id']}/redeliver", 404)
    assert "0 will be tried" in run("outbox", "redeliver", "--all", "--data-dir", str(tmp_path / "site")).stdout


def test_what_has_ended_is_forgotten_after_its_time(site: Site, receiver: Receiver, post: Post, clock: Clock) -> None:
    register(site, f"{receiver.url}/hook", types=["job.submitted"])
    site.order()
    post()
    clock.turn(29 * 86_400)
    purge(site.services)
    [kept] = ask(site, "GET", "dispatches")["items"]
    clock.turn(2 * 86_400)
    purge(site.services)
    assert ask(site, "GET", "dispatches")["items"] == []
    assert ask(site, "GET", f"dispatches/{kept['id']}", 404)["error"]["code"] == "not_found"
