"""How often something may happen: guesses, letters, requests; and that no stranger locks anybody out."""

import logging
from typing import Any

import pytest
from passlib.totp import TOTP
from werkzeug.test import TestResponse

from stablehand.api import Rates
from tests.api.people import PASSWORD, Browser, Town, build
from tests.api.site import Make
from tests.fleet.redis_server import RedisServer

NEW = "another long one"


def town_with(make: Make, **rates: str) -> Town:
    return build(make, site={"rates": Rates(**rates)})


def at(town: Town, address: str) -> Browser:
    """A browser somewhere."""
    browser = Browser(town.site)
    browser.client.environ_base["REMOTE_ADDR"] = address
    return browser


def is_throttled(answer: TestResponse, code: str = "too_many_attempts") -> bool:
    if answer.status_code != 429:
        return False
    error = answer.get_json()["error"]
    assert error["code"] == code
    assert error["hint"]
    assert int(answer.headers["Retry-After"]) > 0
    return True


def test_wrong_passwords_are_counted_for_an_account_that_is_there_and_for_one_that_is_not(make: Make) -> None:
    town = town_with(make, attempts_per_account="3/hour")
    town.member("ada@example.org")
    told = []
    for name in ("ada", "nobody"):
        answers = [at(town, f"10.0.0.{n}").sign_in(f"{name}@example.org", "wrong password") for n in range(5)]
        assert [answer.status_code for answer in answers] == [401, 401, 401, 429, 429]
        told.append(answers[-1].get_json())
        assert is_throttled(at(town, "10.0.0.9").sign_in(f"{name}@example.org", PASSWORD))
    assert told[0] == told[1]


@pytest.mark.parametrize("written", ["ADA@example.org", " ada@EXAMPLE.org", "ada@ｅxample.org"])
def test_an_address_has_one_count_however_it_is_written(make: Make, written: str) -> None:
    town = town_with(make, attempts_per_account="1/hour")
    assert at(town, "10.0.0.1").sign_in("ada@example.org", "wrong password").status_code == 401
    assert is_throttled(at(town, "10.0.0.2").sign_in(written, "wrong password"))


def test_wrong_passwords_are_counted_for_the_address_that_they_come_from(make: Make) -> None:
    town = town_with(make, attempts_per_address="3/hour")
    town.member("ada@example.org")
    for n in range(3):
        assert at(town, "2001:db8::1").sign_in(f"no-{n}@example.org").status_code == 401
    assert is_throttled(at(town, "2001:db8::2").sign_in("ada@example.org")), "one owner of a network has all of it"
    assert at(town, "2001:db8:0:1::2").sign_in("ada@example.org").status_code == 200
    for verb, body in (
        ("claim", {"token": "made-up", "email": "eve@example.org", "password": PASSWORD}),
        ("reset/made-up", {"password": PASSWORD, "password_confirm": PASSWORD}),
    ):
        assert is_throttled(at(town, "2001:db8::3").auth(verb, **body))


def test_what_was_right_is_not_counted(make: Make) -> None:
    town = town_with(make, attempts_per_address="1/hour", attempts_per_account="1/hour")
    town.member("ada@example.org")
    for _ in range(3):
        assert at(town, "10.0.0.1").sign_in("ada@example.org").status_code == 200


def test_a_stranger_locks_nobody_out(make: Make) -> None:
    town = town_with(make, attempts_per_account="2/hour")
    ada = town.member("ada@example.org")
    assert ada.auth("logout").status_code == 200
    eve = at(town, "10.6.6.6")
    for _ in range(4):
        eve.sign_in("ada@example.org", "wrong password")
    assert is_throttled(eve.sign_in("ada@example.org", "wrong password"))

    assert ada.sign_in("ada@example.org").status_code == 200, "this browser has signed in before"
    elsewhere = at(town, "10.0.0.7")
    assert is_throttled(elsewhere.sign_in("ada@example.org"))
    elsewhere.auth("reset", email="ada@example.org")
    token = town.link("ada@example.org").partition("token=")[2]
    assert elsewhere.auth(f"reset/{token}", password=NEW, password_confirm=NEW).status_code == 200
    assert elsewhere.sign_in("ada@example.org", NEW).status_code == 200, "whoever reads Ada's letters is Ada"


def test_a_known_browser_may_not_guess_for_ever_nor_for_others(make: Make) -> None:
    town = town_with(make, attempts_per_account="2/hour", attempts_per_address="50/hour")
    ada = town.member("ada@example.org")
    town.member("bob@example.org")
    ada.auth("logout")
    assert [ada.sign_in("ada@example.org", "wrong").status_code for _ in range(3)] == [401, 401, 429]
    assert [ada.sign_in("bob@example.org", "wrong").status_code for _ in range(3)] == [401, 401, 429]
    assert is_throttled(at(town, "10.0.0.7").sign_in("bob@example.org"))
    forged = at(town, "10.0.0.8")
    forged.client.set_cookie("stablehand-known", "WyJhIiwiYiJd.made-up")
    assert is_throttled(forged.sign_in("bob@example.org"))


def test_codes_and_passwords_inside_are_counted_too(make: Make) -> None:
    town = town_with(make, attempts_per_account="3/hour")
    ada = town.member("ada@example.org")
    begun = ada.auth("tf-setup", setup="authenticator").get_json()
    code = TOTP(key=begun["tf_authr_b32key"].replace("-", "")).generate().token
    assert ada.auth(f"tf-setup/{begun['tf_state_token']}", code=code).status_code == 200
    thieves = [at(town, f"10.6.6.{n}") for n in range(4)]
    for thief in thieves:
        assert thief.sign_in("ada@example.org").get_json()["tf_required"], "they know the password, but not the code"
    statuses = [thief.auth("tf-validate", code="1").status_code for thief in thieves[:2]]
    statuses += [thief.auth("mf-recovery", code="a-b").status_code for thief in thieves[2:]]
    assert statuses == [401, 401, 401, 429]
    body = {"password": "wrong password", "new_password": NEW, "new_password_confirm": NEW}
    assert [ada.auth("change", **body).status_code for _ in range(4)] == [422, 422, 422, 429]
    assert is_throttled(ada.auth("verify", password=PASSWORD))


def test_letters_are_counted_for_the_mailbox_and_for_whoever_asks(make: Make) -> None:
    town = town_with(make, letters_per_mailbox="2/hour", letters_per_address="3/hour")
    town.member("ada@example.org")  # one letter to Ada, asked for from 127.0.0.1
    asked = [at(town, f"10.0.0.{n}").auth("reset", email="ADA@example.org") for n in range(3)]
    assert [answer.status_code for answer in asked] == [200, 429, 429]
    assert is_throttled(asked[-1], "too_many_requests")
    unknown = [at(town, f"10.0.1.{n}").auth("reset", email="nobody@example.org") for n in range(3)]
    assert unknown[-1].get_json() == asked[-1].get_json()
    assert len([letter for letter in town.letters if letter.to == "ada@example.org"]) == 2
    for n in range(3):
        assert at(town, "10.0.2.1").auth("confirm", email=f"{n}@example.org").status_code == 200
    assert is_throttled(at(town, "10.0.2.1").auth("register", email="eve@example.org"), "too_many_requests")


def test_keys_that_are_none_are_counted_and_good_ones_pass(make: Make) -> None:
    town = town_with(make, attempts_per_address="2/hour")
    key = town.member("ada@example.org").send("POST", "/api/v1/keys", {"name": "mine"}).get_json()["key"]
    client = town.site.app.test_client()

    def ask(secret: str) -> TestResponse:
        return client.get("/api/v1/me", headers={"Authorization": f"Bearer {secret}"})

    assert [ask(f"sh_{n}").status_code for n in range(4)] == [401, 401, 429, 429]
    assert is_throttled(ask("sh_no"))
    assert ask(key).status_code == 200
    assert Browser(town.site).sign_in("ada@example.org").status_code == 200, "another count than that of passwords"


def test_requests_are_counted_for_account_and_address(make: Make) -> None:
    town = town_with(make, requests_per_account="5/hour", requests_per_address="25/hour")
    ada, bob = town.member("ada@example.org"), town.member("bob@example.org")
    answers = [ada.get("me") for _ in range(6)]
    assert is_throttled(answers[-1], "too_many_requests")
    assert {answer.status_code for answer in answers[:5]} == {200}
    assert bob.get("me").status_code == 200, "another account"
    last = [bob.get("auth/door") for _ in range(20)][-1]
    assert is_throttled(last, "too_many_requests")
    elsewhere = at(town, "10.0.0.7")
    assert elsewhere.get("auth/door").status_code == 200, "another address"

    client = town.site.app.test_client()
    for path in ("/healthz", "/readyz", "/metrics", "/"):
        assert client.get(path).status_code != 429
    town.site.hello()
    assert town.site.claim() == [], "agents are not counted"
    assert client.post("/agent/v1/hello", headers={"Authorization": "Bearer made-up"}).status_code == 401


@pytest.mark.parametrize(("proxies", "spoofed"), [(0, True), (1, False), (1, True)])
def test_an_address_is_believed_of_trusted_proxies_only(
    make: Make, proxies: int, spoofed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    site: dict[str, Any] = {"rates": Rates(attempts_per_address="2/hour"), "trusted_proxies": proxies}
    town = build(make, site=site)

    def try_from(address: str) -> int:
        # What a proxy appends stands last; what stands before it was claimed by whoever asked.
        line = f"{address}, 10.9.9.9" if spoofed else address
        return (
            Browser(town.site)
            .send(
                "POST", "/api/v1/auth/login", {"email": "a@example.org", "password": "x"}, **{"X-Forwarded-For": line}
            )
            .status_code
        )

    with caplog.at_level(logging.WARNING):
        statuses = [try_from(f"10.1.1.{n}") for n in range(3)]
    assert statuses == [401, 401, 401 if (proxies, spoofed) == (1, False) else 429]


def test_processes_count_together_through_redis_and_alone_without_it(make: Make) -> None:
    server = RedisServer()
    server.start()
    try:
        rates = {"attempts_per_account": "2/hour", "requests_per_address": "1000/hour", "redis_url": server.url}
        here, there = town_with(make, **rates), town_with(make, **rates)
        for n, town in enumerate((here, there)):
            assert at(town, f"10.0.0.{n}").sign_in("ada@example.org", "wrong password").status_code == 401
        assert is_throttled(at(here, "10.0.0.3").sign_in("ada@example.org", "wrong password"))
        assert is_throttled(at(there, "10.0.0.3").sign_in("ada@example.org", "wrong password"))
        server.kill()
        statuses = [at(here, "10.0.0.4").sign_in("ada@example.org", "wrong password").status_code for _ in range(3)]
        assert statuses == [401, 401, 429], "Redis is away, the door is not"
        assert is_throttled(at(here, "10.0.0.5").sign_in("ada@example.org"))
    finally:
        server.end()
