"""Administrators and other people's accounts, at the door; and people who leave."""

import pytest

from tests.api.people import PASSWORD, Browser, Town, build
from tests.api.site import Make, picture

ORDER = {"prompt": "a red house", "checkpoint": "tiny", "width": 64, "height": 64}


@pytest.fixture
def town(make: Make) -> Town:
    return build(make)


def id_of(admin: Browser, name: str) -> str:
    [found] = admin.get(f"admin/accounts?search={name}").get_json()["items"]
    return str(found["id"])


def patch(admin: Browser, account_id: str, **changes: object) -> int:
    return admin.send("PATCH", f"/api/v1/admin/accounts/{account_id}", changes).status_code


def code(answer: object) -> str:
    return str(answer.get_json()["error"]["code"])  # type: ignore[attr-defined]


def test_a_suspended_account_is_told_so_and_nobody_else_is(town: Town) -> None:
    admin, ada, bob = town.owner(), town.member("ada@example.org"), town.member("bob@example.org")
    key = {"x-api-key": ada.send("POST", "/api/v1/keys", {"name": "script"}).get_json()["key"]}
    job = ada.send("POST", "/api/v1/jobs", ORDER).get_json()["id"]
    ada_id = id_of(admin, "ada")
    assert patch(admin, ada_id, suspended=True, reason="too loud") == 200
    assert ada.get("me").status_code == 401, "the session has ended"
    nobody = Browser(town.site)
    for answer in (
        nobody.send("GET", "/api/v1/me", **key),
        nobody.send("POST", "/api/v1/jobs", ORDER, **key),
        ada.sign_in("ada@example.org"),
    ):
        assert (answer.status_code, code(answer)) == (403, "account_suspended")
        assert "too loud" in answer.get_json()["error"]["message"]
    assert code(ada.sign_in("ada@example.org", "wrong password")) == "sign_in_failed", (
        "who cannot sign in learns nothing"
    )
    assert bob.get("me").status_code == 200
    shown = admin.get(f"admin/accounts/{ada_id}").get_json()
    assert (shown["state"], shown["suspended_reason"], shown["queued"]) == ("suspended", "too loud", 0)

    assert patch(admin, ada_id, suspended=False) == 200
    assert nobody.send("GET", f"/api/v1/jobs/{job}", **key).get_json()["state"] == "cancelled"
    assert nobody.send("POST", f"/api/v1/jobs/{job}/retry", {}, **key).status_code == 202
    assert ada.sign_in("ada@example.org").status_code == 200


def test_what_is_changed_holds_at_once_and_stands_in_the_log(town: Town) -> None:
    admin, ada = town.owner(), town.member("ada@example.org")
    ada_id = id_of(admin, "ada")
    assert patch(admin, ada_id, tier="premium", quotas={"count": 2, "checkpoints": ["post*"]}) == 200
    assert ada.get("me").get_json()["tiers"] == ["premium", "normal"]
    listed = {entry["name"]: entry["default"] for entry in ada.get("checkpoints").get_json()["items"]}
    assert listed == {"postcard": True, "postcard-quick": False}, "what it may not use is not offered"
    assert {entry["name"] for entry in admin.get("checkpoints").get_json()["items"]} == {
        "postcard",
        "postcard-quick",
        "tiny",
    }
    assert code(ada.send("POST", "/api/v1/jobs", ORDER)) == "not_allowed"
    assert code(ada.send("POST", "/api/v1/jobs", {"prompt": "a red house", "count": 3})) == "over_limit"
    limits = admin.get(f"admin/accounts/{ada_id}/limits").get_json()
    assert (limits["tier"]["name"], limits["count"]) == ("premium", 2)
    assert limits == ada.get("me/limits").get_json()
    assert patch(admin, ada_id, quotas={}) == 200
    assert ada.send("POST", "/api/v1/jobs", ORDER).status_code == 202
    names = [tier["name"] for tier in admin.get("admin/tiers").get_json()["items"]]
    assert names == ["premium", "normal"]

    lines = admin.get(f"admin/audit?account={ada_id}&action=account").get_json()["items"]
    assert [line["action"] for line in lines] == ["account.quotas", "account.quotas", "account.tier", "account.made"]
    assert (lines[2]["account"], lines[2]["subject_name"]) == ("owner", "ada@example.org")
    assert lines[2]["details"] == {"from": "normal", "to": "premium"}
    first = admin.get("admin/audit?limit=2").get_json()
    second = admin.get(f"admin/audit?limit=2&cursor={first['next_cursor']}").get_json()
    numbers = [line["number"] for page in (first, second) for line in page["items"]]
    assert numbers == sorted(numbers, reverse=True)
    assert len(set(numbers)) == 4


@pytest.mark.parametrize(
    "body",
    [
        {"role": "owner"},
        {"tier": "golden"},
        {"quotas": {"steps": -1}},
        {"quotas": {"wings": 2}},
        {"name": "somebody"},
        {"reason": "for nothing"},
        {"suspended": "perhaps"},
        {"role": "admin", "tier": "golden"},
    ],
)
def test_a_change_that_is_wrong_changes_nothing(town: Town, body: dict[str, object]) -> None:
    admin = town.owner()
    town.member("ada@example.org")
    ada_id = id_of(admin, "ada")
    before = admin.get(f"admin/accounts/{ada_id}").get_json()
    assert patch(admin, ada_id, **body) == 422
    assert admin.get(f"admin/accounts/{ada_id}").get_json() == {**before, "last_seen_at": before["last_seen_at"]}


def test_administrators_come_and_go_but_one_stays(town: Town) -> None:
    owner, ada = town.owner(), town.member("ada@example.org")
    ada_id, owner_id = id_of(owner, "ada"), id_of(owner, "owner")
    assert ada.get("admin/accounts").status_code == 403
    assert patch(owner, ada_id, role="admin") == 200
    assert ada.get("admin/accounts").status_code == 200
    for change in ({"role": "user"}, {"suspended": True}):
        answer = ada.send("PATCH", f"/api/v1/admin/accounts/{owner_id}", change)
        assert (answer.status_code, code(answer)) == (409, "account_protected")
    assert code(ada.send("DELETE", f"/api/v1/admin/accounts/{owner_id}")) == "account_protected"
    assert code(owner.send("POST", "/api/v1/account/delete", {"password": PASSWORD})) == "account_protected"
    assert patch(ada, ada_id, suspended=True) == 409, "nobody suspends themselves"
    assert patch(ada, ada_id, role="user") == 200, "the owner can still administer"
    assert ada.get("admin/accounts").status_code == 403


def test_leaving_takes_the_password_and_leaves_nothing(town: Town) -> None:
    admin, ada = town.owner(), town.member("ada@example.org")
    key = ada.send("POST", "/api/v1/keys", {"name": "script"}).get_json()["key"]
    ada.send("POST", "/api/v1/jobs", ORDER)
    town.site.draw()
    token = ada.client.get_cookie("XSRF-TOKEN").value
    headers = {"X-XSRF-TOKEN": token, "Content-Type": "image/png"}
    assert ada.client.post("/api/v1/inputs", data=picture(64, 64), headers=headers).status_code == 201
    for body in ({}, {"password": "wrong"}, {"email": "ada@example.org"}):
        assert ada.send("POST", "/api/v1/account/delete", body).status_code == 422
    assert ada.get("images").get_json()["items"] != []
    assert ada.send("POST", "/api/v1/account/delete", {"password": PASSWORD}).status_code == 204
    assert not ada.is_in
    assert code(ada.sign_in("ada@example.org")) == "sign_in_failed"
    assert Browser(town.site).send("GET", "/api/v1/me", **{"x-api-key": key}).status_code == 401
    assert list(town.site.services.objects.survey()) == []
    assert admin.get("admin/accounts?search=ada").get_json()["items"] == []
    [line] = admin.get("admin/usage").get_json()["items"]
    assert (line["account"], line["pictures"]) == (None, 1), "what it cost stays, whose it was does not"
    [deed] = admin.get("admin/audit?action=account.deleted").get_json()["items"]
    assert (deed["account"], deed["subject_name"]) == (None, None)
    assert town.member("ada@example.org").get("images").get_json()["items"] == [], "the address is free again"


def test_an_administrator_deletes_an_account(town: Town) -> None:
    admin, ada = town.owner(), town.member("ada@example.org")
    ada.send("POST", "/api/v1/jobs", ORDER)
    ada_id = id_of(admin, "ada")
    path = f"/api/v1/admin/accounts/{ada_id}"
    assert admin.send("DELETE", path).status_code == 204
    assert ada.get("me").status_code == 401
    assert town.site.draw() == 0, "what it had ordered is not drawn"
    for answer in (admin.send("GET", path), admin.send("DELETE", path), admin.send("PATCH", path, {"tier": "normal"})):
        assert answer.status_code == 404


def test_an_invitation_goes_out_by_mail_to_whom_it_is_for(town: Town) -> None:
    admin = town.owner()
    made = admin.send("POST", "/api/v1/admin/invitations", {"email": "Bob@example.org", "tier": "premium"}).get_json()
    [letter] = [letter for letter in town.letters if letter.to == "bob@example.org"]
    assert made["link"] in letter.text
    wrong = admin.send("POST", "/api/v1/admin/invitations", {"email": "not an address"})
    assert list(wrong.get_json()["error"]["fields"]) == ["email"]
    token = made["link"].partition("#")[2]
    bob = Browser(town.site)
    assert bob.auth("register", email="bob@example.org", invitation=token).status_code == 200
    assert town.choose(bob, "bob@example.org").status_code == 200
    assert bob.sign_in("bob@example.org").status_code == 200
    assert bob.get("me").get_json()["tiers"] == ["premium", "normal"]


def test_a_text_that_no_database_could_keep_is_refused_by_its_field(town: Town) -> None:
    admin = town.owner()
    asked = {
        "reason": admin.send("PATCH", "/api/v1/admin/accounts/x", {"suspended": True, "reason": "a\0b"}),
        "search": admin.get("admin/accounts?search=a%00b"),
        "action": admin.get("admin/audit?action=%00"),
        "id": admin.get("admin/accounts/%00"),
        "name": admin.send("POST", "/api/v1/keys", {"name": "a\0b"}),
    }
    for field, answer in asked.items():
        assert answer.status_code == 422, field
        assert answer.get_json()["error"]["fields"] == {field: "must hold no NUL character"}
