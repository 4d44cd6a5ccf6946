"""Signing up, in and out; and that no answer tells who has an account."""

import pytest
from passlib.totp import TOTP

from tests.api.people import PASSWORD, Browser, Town, build
from tests.api.site import Make

GOOD = {"prompt": "a red house", "checkpoint": "tiny", "width": 64, "height": 64}


def twice(password: str, name: str = "password") -> dict[str, str]:
    """A new password, typed twice."""
    return {name: password, f"{name}_confirm": password}


@pytest.fixture
def town(make: Make) -> Town:
    return build(make)


def test_from_signing_up_to_signing_out(town: Town) -> None:
    ada = Browser(town.site)
    assert ada.get("me").status_code == 401
    assert ada.auth("register", email="Ada@Example.org").status_code == 200
    refused = ada.sign_in("ada@example.org")
    assert refused.status_code == 401
    assert refused.get_json()["error"]["code"] == "sign_in_failed"
    assert town.letters[0].subject == "Confirm your address"
    assert town.link("ada@example.org").startswith("/reset?new=1&token=")
    assert town.choose(ada, "ada@example.org").status_code == 200
    assert not ada.is_in, "the link confirms; it does not sign in whoever opens it"
    assert len(town.letters) == 1, "the first password is no news"
    assert ada.sign_in("ADA@example.org").status_code == 200
    me = ada.get("me").get_json()
    assert (me["name"], me["role"], me["tiers"]) == ("ada@example.org", "user", ["normal"])
    assert ada.send("POST", "/api/v1/jobs", GOOD).status_code == 202
    [session] = ada.get("account/sessions").get_json()["items"]
    assert session["current"]
    assert ada.auth("logout").status_code == 200
    assert not ada.is_in
    assert ada.get("jobs").status_code == 401


def test_a_cookie_alone_does_not_write(town: Town) -> None:
    ada = town.member("ada@example.org")
    for headers in ({"X-XSRF-TOKEN": ""}, {"X-XSRF-TOKEN": "made-up"}):
        answer = ada.send("POST", "/api/v1/jobs", GOOD, **headers)
        assert answer.status_code == 403
        assert answer.get_json()["error"]["code"] == "bad_csrf"
        assert ada.send("POST", "/api/v1/auth/change", {"password": PASSWORD}, **headers).status_code in (403, 409)
    assert ada.get("jobs").get_json()["items"] == []


def test_cookies_are_secure_exactly_when_the_address_is(make: Make) -> None:
    for url, secure in ((None, False), ("http://localhost", False), ("https://localhost", True)):
        town = build(make)
        site = make(accounts=town.site.options.accounts, public_url=url)
        browser = Browser(site)
        town.letters.clear()
        browser.client.post("/api/v1/auth/register", json={"email": "a@example.org"})
        cookies = browser.client.post("/api/v1/auth/login", json={"email": "a@example.org", "password": "x"})
        set_cookies = [value.lower() for value in cookies.headers.getlist("Set-Cookie")]
        for value in set_cookies:
            assert ("secure" in value) == secure
            assert "samesite=lax" in value
            assert value.startswith("xsrf-token") or "httponly" in value


def test_no_answer_tells_who_has_an_account(town: Town) -> None:
    town.member("ada@example.org")
    sent = len(town.letters)
    for verb in ("register", "reset", "confirm"):
        known, unknown = (Browser(town.site).auth(verb, email=f"{name}@example.org") for name in ("ada", f"no-{verb}"))
        assert known.status_code == unknown.status_code == 200
        bodies = [{k: v for k, v in answer.get_json().items() if k != "csrf_token"} for answer in (known, unknown)]
        assert bodies[0] == bodies[1]
    known, unknown = (Browser(town.site).sign_in(f"{name}@example.org", "wrong password") for name in ("ada", "nobody"))
    assert known.status_code == unknown.status_code == 401
    assert known.get_json() == unknown.get_json()
    subjects = [(letter.to, letter.subject) for letter in town.letters[sent:]]
    assert ("ada@example.org", "You have an account already") in subjects
    assert ("ada@example.org", "Choose a new password") in subjects
    assert ("no-register@example.org", "Confirm your address") in subjects
    assert len(subjects) == 3, "nobody else got a letter"


def test_wrong_fields_are_told_in_our_shape(town: Town) -> None:
    answer = Browser(town.site).auth("register", email="nonsense")
    assert answer.status_code == 422
    assert set(answer.get_json()["error"]["fields"]) == {"email"}
    answer = Browser(town.site).auth("login", email=["a"], password={"b": 1})
    assert answer.status_code == 422
    answer = Browser(town.site).send("POST", "/api/v1/auth/login", [])
    assert answer.status_code == 400
    answer = Browser(town.site).client.post("/api/v1/auth/login", data={"email": "a@example.org", "password": "x"})
    assert answer.status_code == 415


def test_whoever_signs_up_with_another_ones_address_never_gets_in(town: Town) -> None:
    """The password is chosen by whoever reads the letters, whatever was sent before."""
    eve, ada = Browser(town.site), Browser(town.site)
    refused = eve.auth("register", email="ada@example.org", password="the thief's own")
    assert refused.status_code == 422
    assert set(refused.get_json()["error"]["fields"]) == {"password"}
    assert eve.auth("register", email="ada@example.org").status_code == 200
    stale = town.token("ada@example.org")
    for verb in ("register", "reset", "confirm"):  # Ada comes, and finds her address taken
        sent = len(town.letters)
        assert ada.auth(verb, email="ada@example.org").status_code == 200
        assert len(town.letters) == sent + 1
        assert town.link("ada@example.org").startswith("/reset?new=1&token=")
    assert eve.sign_in("ada@example.org", "the thief's own").status_code == 401
    assert town.choose(ada, "ada@example.org").status_code == 200
    assert ada.sign_in("ada@example.org").status_code == 200
    assert eve.sign_in("ada@example.org", "the thief's own").status_code == 401
    again = eve.auth(f"reset/{stale}", **twice("the thief's own"))
    assert again.status_code == 409, "the first password voids all letters"


def test_a_forgotten_password_ends_every_session(town: Town) -> None:
    ada = town.member("ada@example.org")
    elsewhere = Browser(town.site)
    elsewhere.auth("reset", email="ada@example.org")
    token = town.link("ada@example.org").partition("token=")[2]
    assert elsewhere.auth(f"reset/{token}", **twice("short")).status_code == 422
    assert elsewhere.auth(f"reset/{token}", **twice("another long one")).status_code == 200
    assert not ada.is_in
    again = elsewhere.auth(f"reset/{token}", **twice("and yet another one"))
    assert again.status_code == 409
    assert again.get_json()["error"]["code"] == "link_expired"
    assert Browser(town.site).sign_in("ada@example.org").status_code == 401
    assert Browser(town.site).sign_in("ada@example.org", "another long one").status_code == 200


def test_a_changed_password_ends_the_other_sessions(town: Town) -> None:
    ada = town.member("ada@example.org")
    other = Browser(town.site)
    other.sign_in("ada@example.org")
    wrong = ada.auth("change", password="not it at all", **twice("another long one", "new_password"))
    assert wrong.status_code == 422
    assert ada.auth("change", password=PASSWORD, **twice("another long one", "new_password")).status_code == 200
    assert ada.is_in
    assert not other.is_in


def test_signing_out_everywhere_and_one_by_one(town: Town) -> None:
    ada, bob = town.member("ada@example.org"), town.member("bob@example.org")
    other = Browser(town.site)
    other.sign_in("ada@example.org")
    sessions = ada.get("account/sessions").get_json()["items"]
    [there] = [entry["id"] for entry in sessions if not entry["current"]]
    assert bob.send("DELETE", f"/api/v1/account/sessions/{there}").status_code == 404
    assert ada.send("DELETE", f"/api/v1/account/sessions/{there}").status_code == 204
    assert (ada.is_in, other.is_in) == (True, False)
    other.sign_in("ada@example.org")
    assert ada.send("DELETE", "/api/v1/account/sessions").status_code == 204
    assert (ada.is_in, other.is_in, bob.is_in) == (False, False, True)


def test_a_stolen_cookie_is_worth_nothing_after_signing_out(town: Town) -> None:
    ada = town.member("ada@example.org")
    stolen = Browser(town.site)
    stolen.client.set_cookie("stablehand", ada.client.get_cookie("stablehand").value)
    assert stolen.is_in
    ada.auth("logout")
    assert not stolen.is_in


def test_an_address_is_changed_once_the_new_one_is_confirmed(town: Town) -> None:
    ada = town.member("ada@example.org")
    bob = town.member("bob@example.org")
    sent = len(town.letters)
    assert ada.auth("change-email", email="bob@example.org").status_code == 200
    assert len(town.letters) == sent, "which tells nobody that Bob has an account"
    assert ada.auth("change-email", email="lovelace@example.org").status_code == 200
    assert ada.get("account").get_json()["email"] == "ada@example.org"
    link = town.link("lovelace@example.org")
    for stranger, way in ((Browser(town.site), "/sign-in?to="), (bob, "/account?address=refused")):
        assert stranger.send("GET", link).headers["Location"].startswith(way), "whoever asked for it opens it"
    assert ada.get("account").get_json()["email"] == "ada@example.org"
    assert ada.send("GET", link).headers["Location"].startswith("/account?address=changed")
    assert ada.get("account").get_json()["email"] == "lovelace@example.org"


def test_one_time_codes_are_asked_for_and_taken_once(town: Town) -> None:
    ada = town.member("ada@example.org")
    begun = ada.auth("tf-setup", setup="authenticator").get_json()
    totp = TOTP(key=begun["tf_authr_b32key"].replace("-", ""))
    code = totp.generate().token
    assert (
        ada.auth(f"tf-setup/{begun['tf_state_token']}", code="000000" if code != "000000" else "1").status_code == 422
    )
    assert ada.auth(f"tf-setup/{begun['tf_state_token']}", code=code).status_code == 200
    assert ada.get("account").get_json()["totp"]
    codes = ada.auth("mf-recovery-codes").get_json()["recovery_codes"]
    assert len(codes) == ada.get("account").get_json()["recovery_codes"] > 0

    other = Browser(town.site)
    answer = other.sign_in("ada@example.org")
    assert answer.status_code == 200
    assert answer.get_json()["tf_required"]
    assert not other.is_in
    used = other.auth("tf-validate", code=code)
    assert used.status_code == 401, "each code counts once"
    assert other.auth("mf-recovery", code=codes[0]).status_code == 200
    assert other.is_in
    third = Browser(town.site)
    third.sign_in("ada@example.org")
    assert third.auth("mf-recovery", code=codes[0]).status_code == 401


def test_who_may_sign_up_is_a_setting(make: Make) -> None:
    closed = build(make, sign_up="closed")
    body = {"email": "a@example.org"}
    assert Browser(closed.site).auth("register", **body).status_code == 404
    town = build(make, sign_up="invitation")
    answer = Browser(town.site).auth("register", **body)
    assert answer.status_code == 422
    assert set(answer.get_json()["error"]["fields"]) == {"invitation"}
    owner = town.owner()
    made = owner.send("POST", "/api/v1/admin/invitations", {"email": "a@example.org", "tier": "premium"})
    assert made.status_code == 201
    token = made.get_json()["link"].partition("/sign-up#")[2]
    for wrong in ({**body, "email": "b@example.org"}, {**body, "invitation": token + "x"}):
        assert Browser(town.site).auth("register", **{"invitation": token, **wrong}).status_code == 422
    assert Browser(town.site).auth("register", **body, invitation=token).status_code == 200
    assert (
        Browser(town.site).auth("register", **{**body, "email": "c@example.org"}, invitation=token).status_code == 422
    )
    guest = Browser(town.site)
    assert town.choose(guest, "a@example.org").status_code == 200
    guest.sign_in("a@example.org")
    assert guest.get("me").get_json()["tiers"] == ["premium", "normal"]
    assert guest.get("admin/invitations").status_code == 403


def test_the_owner_is_claimed_by_the_link_of_the_console(town: Town) -> None:
    for token in ("", "made-up"):
        answer = Browser(town.site).auth("claim", token=token, email="thief@example.org", password=PASSWORD)
        assert answer.status_code in (404, 422)
    owner = town.owner()
    me = owner.get("me").get_json()
    assert (me["role"], me["tiers"]) == ("owner", ["premium", "normal"])
    assert owner.get("admin/agents").status_code == 200
    with pytest.raises(AssertionError):
        town.owner()
    assert Browser(town.site).sign_in("owner@example.org").status_code == 200
    actions = [entry.deed.action for entry in town.site.services.store.audit_log(limit=20).items]
    assert actions.count("owner.claimed") == 1
