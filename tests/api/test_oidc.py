"""Signing in by an identity provider, which is a real one: HTTP, signed tokens, PKCE, state and nonce."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from joserfc.jwk import RSAKey
from passlib.totp import TOTP
from werkzeug.test import TestResponse

from stablehand.api import ProviderOptions
from stablehand.domain.errors import BadSettings
from stablehand.domain.provider import ProviderRules
from stablehand.services.invitations import invite
from stablehand.wiring.provider import try_out_provider
from tests.api.people import PASSWORD, Browser, Town, build
from tests.api.site import Site
from tests.provider import CLIENT_ID, CLIENT_SECRET, Provider, running_provider

SIGN_IN, CALLBACK = "/api/v1/auth/oidc/sign-in", "/api/v1/auth/oidc/callback"
ADA = {"email": "Ada@Example.org", "email_verified": True, "name": "Ada"}


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with running_provider() as provider:
        provider.people["ada"] = dict(ADA)
        provider.who = "ada"
        yield provider


Found = Callable[..., Town]


@pytest.fixture
def found(make: Callable[..., Site], provider: Provider) -> Found:
    """Found a town whose people may sign in by the provider; keywords are rules."""

    def found(*, secret: str = CLIENT_SECRET, sign_out: bool = False, **rules: Any) -> Town:
        options = ProviderOptions(
            issuer=provider.url,
            client_id=CLIENT_ID,
            client_secret=secret,
            sign_out=sign_out,
            label="Sign in with Test",
            rules=ProviderRules(**{"sign_up": "open", **rules}),
        )
        return build(make, provider=options)

    return found


def leave(browser: Browser, **query: str) -> str:
    """The address at the provider that our server leads to."""
    answer = browser.client.get(SIGN_IN, query_string=query)
    assert answer.status_code == 302, answer.get_data(as_text=True)
    return str(answer.headers["Location"])


def back_from(address: str) -> str:
    """What the provider leads back to, without our host."""
    answer = httpx.get(address, trust_env=False)
    assert answer.status_code == 302, answer.text
    assert answer.headers["Location"].startswith(f"http://localhost{CALLBACK}?")
    return str(answer.headers["Location"]).removeprefix("http://localhost")


def come(browser: Browser, **query: str) -> TestResponse:
    """All the way there and back."""
    answer: TestResponse = browser.client.get(back_from(leave(browser, **query)))
    return answer


def problem(answer: TestResponse) -> str:
    assert answer.status_code == 302, answer.get_data(as_text=True)
    address = urlsplit(answer.headers["Location"])
    assert address.path == "/sign-in"
    return parse_qs(address.query)["problem"][0]


def deeds(town: Town) -> list[tuple[str, dict[str, str]]]:
    """(action, details), the oldest first."""
    lines = town.site.services.store.audit_log(limit=200).items
    return [(line.deed.action, dict(line.deed.details)) for line in reversed(lines)]


def test_an_account_is_made_once_and_found_again(found: Found, provider: Provider) -> None:
    town = found()
    browser = Browser(town.site)
    assert browser.get("auth/door").get_json()["provider"] == "Sign in with Test"
    answer = come(browser, to="/gallery?x=1")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/gallery?x=1")
    account = browser.get("account").get_json()
    assert (account["email"], account["role"], account["tier"]) == ("ada@example.org", "user", "normal")
    assert not account["has_password"]
    assert browser.send("POST", "/api/v1/keys", {"name": "mine"}).status_code == 201, "the page's writes are taken"

    provider.people["ada"]["email"] = "lovelace@example.org"  # the subject counts, not the address
    elsewhere = Browser(town.site)
    come(elsewhere)
    assert elsewhere.get("account").get_json() == account
    assert [name for name, _ in deeds(town)].count("account.made") == 1
    assert ("account.made", {"issuer": provider.url}) in deeds(town)
    assert [name for name, _ in deeds(town)].count("session.begun") == 2

    assert browser.auth("logout").status_code == 200
    assert not browser.is_in
    assert elsewhere.is_in, "it was another session"


def test_the_way_there_is_guarded_by_state_nonce_and_pkce(found: Found) -> None:
    address = urlsplit(leave(Browser(found().site)))
    asked = {name: values[0] for name, values in parse_qs(address.query).items()}
    assert asked["response_type"] == "code"
    assert asked["code_challenge_method"] == "S256"
    assert min(len(asked[name]) for name in ("state", "nonce", "code_challenge")) >= 20
    assert asked["scope"] == "openid email profile"
    assert asked["redirect_uri"] == f"http://localhost{CALLBACK}"


def test_nobody_comes_back_who_has_not_left_from_here(found: Found) -> None:
    town = found()
    ada, mallory = Browser(town.site), Browser(town.site)
    theirs = back_from(leave(mallory))
    assert problem(ada.client.get(theirs)) == "sign_in_expired", "a code that another browser was given"
    back = back_from(leave(ada))
    assert ada.client.get(back).headers["Location"] == "/"
    assert problem(ada.client.get(back)) == "sign_in_expired", "a code is good once"
    assert problem(mallory.client.get(f"{CALLBACK}?code=made-up")) == "sign_in_expired"
    assert not mallory.is_in


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        ({"nonce": "another"}, "a replayed token"),
        ({"aud": ["somebody-else"]}, "made for another service"),
        ({"iss": "https://evil.example"}, "made by another provider"),
        ({"exp": 1}, "expired"),
    ],
    ids=["nonce", "audience", "issuer", "expired"],
)
def test_tokens_that_prove_nothing_open_nothing(
    found: Found, provider: Provider, claims: dict[str, Any], why: str
) -> None:
    town = found()
    provider.people["ada"] |= claims
    browser = Browser(town.site)
    assert problem(come(browser)) == "provider_trouble", why
    assert not browser.is_in


def test_signatures_and_user_info_are_checked(found: Found, provider: Provider) -> None:
    town = found()
    browser = Browser(town.site)
    provider.user_info["sub"] = "somebody-else"
    assert problem(come(browser)) == "provider_trouble"
    provider.user_info.clear()
    assert come(browser).headers["Location"] == "/"
    provider.key = RSAKey.generate_key(2048, {"kid": "second"})
    assert come(browser).headers["Location"] == "/", "a new key is fetched"
    real, provider.key = provider.key, RSAKey.generate_key(2048, {"kid": "second"})
    assert real.thumbprint() != provider.key.thumbprint()
    assert problem(come(browser)) == "provider_trouble", "but not for every bad signature"


def test_a_provider_that_fails_is_told_of(found: Found, provider: Provider) -> None:
    town = found(secret="not the secret")
    browser = Browser(town.site)
    assert problem(come(browser)) == "provider_trouble"
    provider.who = None
    assert problem(come(browser)) == "provider_refused"
    assert problem(browser.client.get(f"{CALLBACK}?error=server_error")) == "provider_trouble"
    assert not browser.is_in


def test_a_provider_with_another_name_is_not_gone_to(found: Found, provider: Provider) -> None:
    assert provider.url in try_out_provider(provider.url)
    provider.issuer = "https://evil.example"
    with pytest.raises(BadSettings, match=r"calls itself https://evil\.example"):
        try_out_provider(provider.url)
    assert problem(Browser(found().site).client.get(SIGN_IN)) == "provider_trouble"


def test_a_provider_that_is_away_is_told_of(found: Found, provider: Provider) -> None:
    town = found()
    object.__setattr__(provider, "url", "http://127.0.0.1:9")
    town = found()
    assert problem(Browser(town.site).client.get(SIGN_IN)) == "provider_away"


def test_without_a_provider_there_is_no_way(make: Callable[..., Site]) -> None:
    browser = Browser(build(make).site)
    assert browser.get("auth/door").get_json()["provider"] is None
    assert browser.client.get(SIGN_IN).status_code == 404
    assert browser.client.get(f"{CALLBACK}?code=x&state=y").status_code == 404


@pytest.mark.parametrize("to", ["https://evil.example", "//evil.example", "/\\evil.example", "javascript:x", ""])
def test_the_way_back_leads_to_our_own_page(found: Found, to: str) -> None:
    assert come(Browser(found().site), to=to).headers["Location"] == "/"


def test_an_address_that_nobody_verified_opens_and_tells_nothing(found: Found, provider: Provider) -> None:
    town = found(link_addresses=True)
    town.member("ada@example.org")
    for claims in ({"email_verified": False}, {"email_verified": "no"}, {"email_verified": None}):
        for address in ("ada@example.org", "nobody@example.org"):
            provider.people["ada"] = {"email": address, **claims}
            assert problem(come(Browser(town.site))) == "address_unverified"
    provider.people["ada"] = {"email_verified": True}
    assert problem(come(Browser(town.site))) == "address_missing"
    provider.people["ada"] = {"email": "no address", "email_verified": True}
    assert problem(come(Browser(town.site))) == "address_missing"


def test_addresses_can_be_trusted(found: Found, provider: Provider) -> None:
    del provider.people["ada"]["email_verified"]
    assert come(Browser(found(trust_addresses=True).site)).headers["Location"] == "/"


def test_an_account_of_the_same_address_is_not_taken_over(found: Found) -> None:
    town = found()
    ada = town.member("ada@example.org")
    assert problem(come(Browser(town.site))) == "address_taken"
    assert ada.is_in
    assert not [name for name, _ in deeds(town) if name == "account.linked"]


def test_an_account_of_the_same_address_is_linked_where_that_is_allowed(found: Found, provider: Provider) -> None:
    town = found(link_addresses=True, sign_up="closed")
    ada = town.member("ada@example.org")
    browser = Browser(town.site)
    assert come(browser).headers["Location"] == "/"
    assert browser.get("account").get_json()["id"] == ada.get("account").get_json()["id"]
    assert browser.get("account").get_json()["has_password"], "both ways lead to it"
    assert ada.is_in
    assert ("account.linked", {"issuer": provider.url}) in deeds(town)
    assert Browser(town.site).sign_in("ada@example.org").status_code == 200


def test_what_a_stranger_set_under_somebodys_address_opens_nothing(found: Found) -> None:
    town = found(link_addresses=True)
    mallory = Browser(town.site)
    assert mallory.auth("register", email="ada@example.org").status_code == 200
    assert come(Browser(town.site)).headers["Location"] == "/"
    assert town.choose(mallory, "ada@example.org").status_code == 409, "the letter came before"
    assert mallory.sign_in("ada@example.org").status_code == 401
    assert not mallory.is_in


def test_who_gets_an_account_follows_the_rules(found: Found, provider: Provider) -> None:
    assert problem(come(Browser(found(sign_up="closed").site))) == "sign_up_closed"
    town = found(sign_up="invitation")
    assert problem(come(Browser(town.site))) == "invitation_needed"
    assert problem(come(Browser(town.site), invitation="made-up")) == "invitation_needed"
    _, other = invite(town.site.services, None, address="bob@example.org")
    assert problem(come(Browser(town.site), invitation=other)) == "invitation_needed"
    _, token = invite(town.site.services, None, address="ada@example.org", role="admin", tier="premium")
    browser = Browser(town.site)
    assert come(browser, invitation=token).headers["Location"] == "/"
    account = browser.get("account").get_json()
    assert (account["role"], account["tier"]) == ("admin", "premium")
    provider.people["bob"], provider.who = {**ADA, "email": "bob@example.org"}, "bob"
    assert problem(come(Browser(town.site), invitation=token)) == "invitation_needed", "it is used up"


def test_no_link_of_the_owners_makes_another_owner(found: Found) -> None:
    from stablehand.services.invitations import claim_token

    town = found(sign_up="invitation")
    token = claim_token(town.site.services)
    assert token is not None
    assert problem(come(Browser(town.site), invitation=token)) == "invitation_needed"
    assert town.owner().is_in, "it was left for whoever has it"


def test_role_and_tier_follow_the_claims_at_each_sign_in(found: Found, provider: Provider) -> None:
    town = found(
        role_claim="realm_access.roles",
        admin_values=frozenset({"stable-boss"}),
        tier_claim="https://example.org/plan",
        tiers={"gold": "premium", "silver": "normal"},
    )

    def seen(**claims: Any) -> tuple[str, str]:
        provider.people["ada"] = {**ADA, **claims}
        browser = Browser(town.site)
        come(browser)
        account = browser.get("account").get_json()
        return account["role"], account["tier"]

    bosses = {"realm_access": {"roles": ["x", "stable-boss"]}}
    assert seen() == ("user", "normal")
    assert seen(**bosses, **{"https://example.org/plan": ["silver", "gold"]}) == ("admin", "premium")
    assert seen(**bosses, **{"https://example.org/plan": "silver"}) == ("admin", "normal")
    assert seen(realm_access="stable-boss") == ("user", "normal")
    changes = [(name, details["to"]) for name, details in deeds(town) if name in ("account.role", "account.tier")]
    assert changes == [
        ("account.role", "admin"),
        ("account.tier", "premium"),
        ("account.tier", "normal"),
        ("account.role", "user"),
    ]


def test_the_owner_stays_the_owner(found: Found, provider: Provider) -> None:
    town = found(link_addresses=True, role_claim="groups", admin_values=frozenset({"boss"}))
    town.owner()
    provider.people["ada"]["email"] = "owner@example.org"
    browser = Browser(town.site)
    come(browser)
    assert browser.get("account").get_json()["role"] == "owner"


def test_claims_may_stand_in_the_user_info_only(found: Found, provider: Provider) -> None:
    provider.people["ada"] = {}
    provider.user_info.update(ADA)
    assert come(Browser(found().site)).headers["Location"] == "/"


def test_no_password_leads_around_the_provider(found: Found) -> None:
    town = found()
    browser = Browser(town.site)
    come(browser)
    assert Browser(town.site).auth("login", email="ada@example.org", password="").status_code >= 400
    assert Browser(town.site).sign_in("ada@example.org", "None").status_code == 401
    before = len(town.letters)
    assert Browser(town.site).auth("reset", email="ada@example.org").status_code == 200, "it tells nothing"
    assert len(town.letters) == before
    fresh = {"password": "", "new_password": PASSWORD, "new_password_confirm": PASSWORD}
    refused = browser.auth("change", **fresh)
    assert refused.status_code == 422
    assert "new_password" in refused.get_json()["error"]["fields"]
    assert not browser.get("account").get_json()["has_password"]


def test_one_time_codes_are_asked_for_on_this_way_too(found: Found) -> None:
    town = found()
    browser = Browser(town.site)
    come(browser)
    begun = browser.auth("tf-setup", setup="authenticator").get_json()
    code = TOTP(key=begun["tf_authr_b32key"].replace("-", "")).generate().token
    assert browser.auth(f"tf-setup/{begun['tf_state_token']}", code=code).status_code == 200
    [spare, *_] = browser.auth("mf-recovery-codes").get_json()["recovery_codes"]
    elsewhere = Browser(town.site)
    assert come(elsewhere, to="/queue").headers["Location"] == "/sign-in?step=code&to=%2Fqueue"
    assert not elsewhere.is_in
    assert elsewhere.auth("mf-recovery", code=spare).status_code == 200
    assert elsewhere.is_in


def test_signing_out_can_lead_on_to_the_provider(found: Found, provider: Provider) -> None:
    town = found(sign_out=True)
    bob = town.member("bob@example.org")
    assert bob.get("account").get_json()["sign_out_path"] is None, "the provider knows nothing of this session"
    browser = Browser(town.site)
    come(browser)
    path = browser.get("account").get_json()["sign_out_path"]
    browser.auth("logout")
    away = browser.client.get(path).headers["Location"]
    assert httpx.get(away, trust_env=False).headers["Location"] == "http://localhost/sign-in"
    assert provider.ended == [{"client_id": CLIENT_ID, "post_logout_redirect_uri": "http://localhost/sign-in"}]


def test_whoever_may_not_use_an_account_does_not_get_in_this_way(found: Found, provider: Provider) -> None:
    from sqlalchemy import text

    town = found()
    come(Browser(town.site))
    with town.site.services.store.engine.begin() as connection:
        connection.execute(text("UPDATE accounts SET suspended_at = created_at WHERE name = 'ada@example.org'"))
    browser = Browser(town.site)
    assert problem(come(browser)) == "account_unusable"
    assert not browser.is_in
