"""The matrix: every rule of the server, asked by everybody there is. A rule without a line here fails the test."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from werkzeug.test import TestResponse

from stablehand.domain.dispatches import Road
from tests.api.dialect_lines import (
    A1111,
    A1111_BODIES,
    ADMIN,
    AGENT,
    AUTH,
    GENERATE,
    OPEN,
    OPENAI,
    READ,
    SESSION,
    Line,
)
from tests.api.people import PASSWORD, Browser, Town, build
from tests.api.site import TOKEN, Site, make_site, picture

LINES: dict[str, Line] = {
    **A1111,
    **OPENAI,
    **AUTH,
    "GET /api/v1/files/<token>": OPEN,  # the link is signed
    "GET /api/v1/files/<token>/images/<id>": OPEN,
    "GET /api/v1/files/<token>/images/<id>/thumbnail": OPEN,
    "GET /api/v1/files/<token>/zip": OPEN,
    "GET /shared/<token>": OPEN,
    "GET /api/v1/links": READ,
    "POST /api/v1/links": Line("generate", own="image"),
    "DELETE /api/v1/links": GENERATE,
    "DELETE /api/v1/links/<id>": Line("generate", own="link"),
    "GET /api/v1/webhooks": READ,
    "POST /api/v1/webhooks": SESSION,
    "GET /api/v1/webhooks/secret": SESSION,
    "POST /api/v1/webhooks/secret/rotate": SESSION,
    "GET /api/v1/webhooks/<id>": Line("read", own="webhook"),
    "PATCH /api/v1/webhooks/<id>": Line("session", own="webhook"),
    "DELETE /api/v1/webhooks/<id>": Line("session", own="doomed webhook"),
    **{
        f"POST /api/v1/webhooks/<id>/{verb}": Line("session", own="webhook")
        for verb in ("pause", "ping", "resume", "rotate")
    },
    "POST /api/v1/webhooks/<id>/redeliver": Line("generate", own="webhook"),
    "GET /api/v1/dispatches": READ,
    "GET /api/v1/dispatches/<id>": Line("read", own="dispatch"),
    "POST /api/v1/dispatches/<id>/redeliver": Line("generate", own="dispatch"),
    "GET /api/v1/mail/unsubscribe/<token>": OPEN,  # so is this
    "POST /api/v1/mail/unsubscribe/<token>": OPEN,
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /metrics": OPEN,
    "GET /assets/<path:name>": OPEN,
    "GET /openapi/": OPEN,
    "GET /openapi/openapi.json": OPEN,
    "GET /openapi/oauth2-redirect.html": OPEN,
    "GET /openapi/static/<path:filename>": OPEN,
    "GET /openapi/swagger": OPEN,
    "GET /openapi/swagger/<path:filename>": OPEN,
    "GET /api/v1/account": SESSION,
    "GET /api/v1/account/sessions": SESSION,
    "DELETE /api/v1/account/sessions": SESSION,
    "DELETE /api/v1/account/sessions/<id>": Line("session", own="session"),
    "GET /api/v1/keys": SESSION,
    "POST /api/v1/keys": SESSION,
    "DELETE /api/v1/keys/<id>": Line("session", own="key"),
    "GET /api/v1/me": READ,
    "GET /api/v1/me/mail": READ,
    "PATCH /api/v1/me/mail": GENERATE,
    "GET /api/v1/me/limits": READ,
    "GET /api/v1/status": READ,
    "GET /api/v1/checkpoints": READ,
    "POST /api/v1/checkpoints/scan": ADMIN,
    "GET /api/v1/addons": READ,
    "GET /api/v1/samplers": READ,
    "GET /api/v1/schedules": READ,
    "GET /api/v1/upscalers": READ,
    "POST /api/v1/inputs": GENERATE,
    "GET /api/v1/inputs/<id>/file": Line("read", own="input"),
    "POST /api/v1/jobs": GENERATE,
    "POST /api/v1/quote": READ,
    "GET /api/v1/admin/quotes": ADMIN,
    "GET /api/v1/jobs": READ,
    "GET /api/v1/jobs/<id>": Line("read", own="job"),
    "DELETE /api/v1/jobs/<id>": Line("generate", own="job"),
    "POST /api/v1/jobs/<id>/move": Line("generate", own="job"),
    "POST /api/v1/jobs/<id>/retry": Line("generate", own="job"),
    "GET /api/v1/jobs/<id>/zip": Line("read", own="job"),
    "GET /api/v1/images": READ,
    "POST /api/v1/images/zip": Line("read", own="image"),
    "POST /api/v1/images/zip/address": Line("read", own="image"),
    "GET /api/v1/images/<id>": Line("read", own="image"),
    "GET /api/v1/images/<id>/file": Line("read", own="image"),
    "GET /api/v1/images/<id>/thumbnail": Line("read", own="image"),
    "PATCH /api/v1/images/<id>": Line("generate", own="image"),
    "DELETE /api/v1/images/<id>": Line("generate", own="image"),
    "POST /api/v1/images/<id>/restore": Line("generate", own="image"),
    "POST /api/v1/account/delete": SESSION,
    "GET /api/v1/admin/accounts": ADMIN,
    "GET /api/v1/admin/accounts/<id>": ADMIN,
    "GET /api/v1/admin/accounts/<id>/limits": ADMIN,
    "PATCH /api/v1/admin/accounts/<id>": ADMIN,
    "DELETE /api/v1/admin/accounts/<id>": ADMIN,
    "GET /api/v1/admin/tiers": ADMIN,
    "GET /api/v1/admin/usage": ADMIN,
    "GET /api/v1/admin/usage.csv": ADMIN,
    "GET /api/v1/usage": READ,
    "GET /api/v1/usage.csv": READ,
    "GET /api/v1/admin/audit": ADMIN,
    "GET /api/v1/admin/agents": ADMIN,
    "GET /api/v1/admin/agents/<id>": ADMIN,
    "PATCH /api/v1/admin/agents/<id>": ADMIN,
    "DELETE /api/v1/admin/agents/<id>": ADMIN,
    "GET /api/v1/admin/dead-letters": ADMIN,
    "POST /api/v1/admin/dead-letters/discard": ADMIN,
    "POST /api/v1/admin/dead-letters/retry": ADMIN,
    "GET /api/v1/admin/dead-letters/<id>": ADMIN,
    "DELETE /api/v1/admin/dead-letters/<id>": ADMIN,
    "POST /api/v1/admin/dead-letters/<id>/retry": ADMIN,
    "GET /api/v1/admin/notices": ADMIN,
    "POST /api/v1/admin/notices/<id>/redeliver": ADMIN,
    "GET /api/v1/admin/dispatches": ADMIN,
    "POST /api/v1/admin/dispatches/<id>/redeliver": ADMIN,
    "GET /api/v1/admin/invitations": ADMIN,
    "POST /api/v1/admin/invitations": ADMIN,
    "DELETE /api/v1/admin/invitations/<id>": ADMIN,
    **{
        f"POST /agent/v1/{verb}": AGENT
        for verb in ("claim", "deliver", "fail", "hello", "park", "preview", "release", "renew", "stage")
    },
    "GET /agent/v1/inputs/<input_id>": AGENT,
    "GET /agent/v1/shots/<shot_id>/parked": AGENT,
    "PUT /agent/v1/shots/<shot_id>/picture": AGENT,
    "GET /agent/v1/weights/<sha256>": AGENT,
    "GET /agent/v1/weights/<sha256>/<path:part>": AGENT,
}

#: what ends the session of whoever asks, or what other lines need
LEAVES = {
    "DELETE /api/v1/links",
    "DELETE /api/v1/account/sessions",
    "POST /api/v1/auth/logout",
    "POST /api/v1/auth/tf-validate",
}
#: bodies that are complete, where an empty one would be refused before anything else is looked at
BODIES: dict[str, dict[str, object]] = {
    "POST /api/v1/jobs": {"prompt": "a red house", "checkpoint": "tiny", "width": 64, "height": 64},
    "POST /api/v1/quote": {"prompt": "a red house", "checkpoint": "tiny"},
    "POST /api/v1/jobs/<id>/move": {"to": "front"},
    "PATCH /api/v1/images/<id>": {"starred": True},
    "POST /api/v1/images/zip": {"ids": ["<id>"]},
    "POST /api/v1/images/zip/address": {"ids": ["<id>"]},
    "POST /api/v1/links": {"image": "<id>"},
    "POST /api/v1/keys": {"name": "another"},
    "POST /api/v1/webhooks": {"url": "https://93.184.216.34/hook"},
    "POST /api/v1/auth/verify": {"password": PASSWORD},
    "POST /sdapi/v1/png-info": {"image": base64.b64encode(picture(8, 8)).decode()},
    **A1111_BODIES,
}


@dataclass
class World:
    town: Town
    site: Site
    ada: Browser
    bob: Browser
    admin: Browser
    things: dict[str, str]  #: Ada's
    keys: dict[str, str]  #: what it is -> key

    def path(self, rule: str) -> str:
        method_and_path = rule.split(" ")[1]
        for name in ("id", "token", "input_id", "shot_id", "sha256", "path:part", "path:name", "path:filename"):
            thing = "tiny" if rule in OPENAI else self.things[LINES[rule].own or "nothing"]
            method_and_path = method_and_path.replace(f"<{name}>", thing)
        return method_and_path

    def body(self, rule: str) -> object:
        return json.loads(json.dumps(BODIES.get(rule, {})).replace("<id>", self.things[LINES[rule].own or "nothing"]))

    def ask(self, rule: str, browser: Browser, bearer: str | None = None) -> TestResponse:
        headers = {} if bearer is None else {"Authorization": f"Bearer {bearer}"}
        method = rule.split(" ", maxsplit=1)[0]
        body = None if method in ("GET", "DELETE", "PUT") else self.body(rule)
        return browser.send(method, self.path(rule), body, **headers)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("matrix")
    town = build(lambda **changes: make_site(folder, template=template, **changes))
    ada, bob, _, admin = *(town.member(f"{name}@example.org") for name in ("ada", "bob", "carl")), town.owner()
    order = {**BODIES["POST /api/v1/jobs"], "count": 2}
    job = ada.send("POST", "/api/v1/jobs", order).get_json()["id"]
    town.site.draw()
    image = ada.get("images").get_json()["items"][0]["id"]
    upload = ada.client.post(
        "/api/v1/inputs",
        data=picture(64, 64),
        headers={"X-XSRF-TOKEN": ada.client.get_cookie("XSRF-TOKEN").value, "Content-Type": "image/png"},
    )
    elsewhere = Browser(town.site)
    elsewhere.sign_in("ada@example.org")
    [session] = [entry["id"] for entry in ada.get("account/sessions").get_json()["items"] if not entry["current"]]
    keys = {}
    ids = {}
    for name, owner, scopes in (
        ("read", ada, ["read"]),
        ("generate", ada, ["generate"]),
        ("revoked", ada, ["generate", "read"]),
        ("doomed", ada, ["read"]),
        ("admin's without admin", admin, ["generate", "read"]),
        ("admin", admin, ["admin"]),
    ):
        made = owner.send("POST", "/api/v1/keys", {"name": name, "scopes": scopes}).get_json()
        keys[name], ids[name] = made["key"], made["id"]
    assert ada.send("DELETE", f"/api/v1/keys/{ids['revoked']}").status_code == 200
    link = ada.send("POST", "/api/v1/links", {"job": job}).get_json()["id"]
    hooks = [ada.send("POST", "/api/v1/webhooks", BODIES["POST /api/v1/webhooks"]).get_json()["id"] for _ in range(2)]
    notice = next(one for one in town.site.services.store.claim_notices(50) if one.job_id == job)
    town.site.services.store.add_dispatches(notice, [(Road("webhook", hooks[0]), "a-dispatch")])
    things = {
        "webhook": hooks[0],
        "doomed webhook": hooks[1],
        "dispatch": "a-dispatch",
        "link": link,
        "job": job,
        "image": image,
        "input": upload.get_json()["id"],
        "session": session,
        "key": ids["doomed"],
        "nothing": "nothing",
    }
    yield World(town, town.site, ada, bob, admin, things, keys)
    town.site.services.store.close()


def rules(site: Site) -> set[str]:
    return {
        f"{method} {rule.rule}"
        for rule in site.app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_every_rule_has_a_line_and_every_line_a_rule(world: World) -> None:
    assert rules(world.site) == set(LINES)


@pytest.mark.parametrize("rule", sorted(LINES))
def test_who_may_use_it(world: World, rule: str) -> None:
    line = LINES[rule]
    anonymous = Browser(world.site)
    seen = {
        "anonymous": world.ask(rule, anonymous),
        "revoked key": world.ask(rule, anonymous, world.keys["revoked"]),
        "agent": world.ask(rule, anonymous, TOKEN),
        "read key": world.ask(rule, anonymous, world.keys["read"]),
        "admin's key without the scope": world.ask(rule, anonymous, world.keys["admin's without admin"]),
    }
    status = {who: answer.status_code for who, answer in seen.items()}
    assert max(status.values()) < 500, status
    match line.kind:
        case "open" | "flow":
            assert set(status.values()) == {status["anonymous"]}, "what anybody is or holds is not looked at"
            if line.kind == "open":
                assert status["anonymous"] not in (401, 403)
            return
        case "agent":
            assert status["agent"] not in (401, 403)
            del status["agent"]
            assert set(status.values()) == {401}
            for person in (world.ada, world.bob, world.admin):
                assert world.ask(rule, person).status_code == 401, "nor does a cookie count there"
            assert world.ask(rule, anonymous, world.keys["admin"]).status_code == 401, "nor any key"
            return
        case "browser":
            assert set(status.values()) == {401}
        case "session":
            assert status["anonymous"] == status["revoked key"] == status["agent"] == 401
            assert status["read key"] == status["admin's key without the scope"] == 403
        case "read":
            assert status["anonymous"] == status["revoked key"] == status["agent"] == 401
            assert status["read key"] < 400
            assert status["admin's key without the scope"] == (404 if line.own else 200)
        case "generate":
            assert status["anonymous"] == status["revoked key"] == status["agent"] == 401
            assert status["read key"] == 403
        case "admin":
            assert status["anonymous"] == status["revoked key"] == status["agent"] == 401
            assert status["read key"] == status["admin's key without the scope"] == 403
            assert world.ask(rule, world.ada).status_code == 403, "a user is no administrator"
            assert world.ask(rule, world.bob).status_code == 403
            assert world.ask(rule, anonymous, world.keys["generate"]).status_code == 403
            if rule.startswith("GET"):
                assert world.ask(rule, anonymous, world.keys["admin"]).status_code not in (401, 403)
        case "refused":
            assert status["anonymous"] == status["revoked key"] == status["agent"] == 401
            for browser in (world.ada, world.admin):
                assert world.ask(rule, browser).status_code in (403, 404, 422)
            return

    if line.kind != "browser" and not rule.startswith("GET"):
        bare = (world.admin if line.kind == "admin" else world.ada).client
        method, path = rule.split(" ", maxsplit=1)[0], world.path(rule)
        unproven = bare.open(path, method=method, json=world.body(rule))
        assert unproven.status_code == 403, "a cookie alone shows nobody that the page was ours"
        assert "X-XSRF-TOKEN" in unproven.get_data(as_text=True), "what is missing is said, in whatever shape"
    if line.own:
        for stranger in (world.bob, world.admin):
            answer = world.ask(rule, stranger)
            assert answer.status_code == 404, "other people's things do not exist, for administrators neither"
            assert world.things[line.own] not in answer.get_data(as_text=True)
    allowed = world.admin if line.kind == "admin" else world.ada
    if rule in LEAVES:
        allowed = Browser(world.site)
        allowed.sign_in("carl@example.org")
    if line.kind == "generate" and rule.startswith(("POST", "PATCH")):
        key = world.ask(rule, anonymous, world.keys["generate"])
        assert key.status_code not in (401, 403, 404), "a key with the scope may"
    answer = world.ask(rule, allowed)
    assert answer.status_code not in (401, 403, 500), answer.get_data(as_text=True)
    if line.own:
        assert answer.status_code != 404, answer.get_data(as_text=True)


def test_a_key_is_taken_in_three_ways_and_a_password_in_none(world: World) -> None:
    client = Browser(world.site)
    key = world.keys["read"]
    for headers in ({"Authorization": f"Bearer {key}"}, {"x-api-key": key}):
        assert client.send("GET", "/api/v1/me", **headers).get_json()["name"] == "ada@example.org"
    for user in ("", "ada@example.org", "anybody"):
        assert client.client.get("/api/v1/me", auth=(user, key)).status_code == 200
    assert client.client.get("/api/v1/me", auth=("ada@example.org", "correct horse battery")).status_code == 401
    assert client.send("GET", "/api/v1/me", Authorization="Basic !!!").status_code == 401
    assert world.ada.send("GET", "/api/v1/me", **{"x-api-key": "sh_wrong"}).status_code == 401, "it is not passed over"
    assert key not in world.ada.get("keys").get_data(as_text=True), "it is shown once"
    assert world.ada.send("POST", "/api/v1/keys", {"name": "x", "scopes": ["admin"]}).status_code == 422


def test_the_proof_that_a_page_was_ours_stands_in_the_header_alone(world: World) -> None:
    token = world.ada.client.get_cookie("XSRF-TOKEN").value
    body = "--x\r\nContent-Disposition: form-data\r\n\r\n1\r\n--x--\r\n"  # a part without a name
    sent = {"data": body, "content_type": "multipart/form-data; boundary=x"}
    answer = world.ada.client.post("/api/v1/inputs", headers={"X-XSRF-TOKEN": token}, **sent)
    assert answer.status_code == 422, answer.get_data(as_text=True)
    answer = world.ada.client.post("/api/v1/inputs", data={"csrf_token": token})
    assert answer.get_json()["error"]["code"] == "bad_csrf"


def test_lists_hold_nothing_of_others(world: World) -> None:
    for path in ("jobs", "images", "keys", "links", "webhooks", "dispatches", "account/sessions"):
        for stranger in (world.bob, world.admin):
            text = stranger.get(path).get_data(as_text=True)
            assert not any(thing in text for thing in world.things.values())
