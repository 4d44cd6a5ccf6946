"""What a provider's claims mean, and whom they let in: every case of the decision."""

from typing import Any

import pytest

from stablehand.domain.provider import Person, ProviderRules, SignInRefused, entry_of, person_from, values_of
from stablehand.domain.tiers import SHIPPED

ADA = Person(issuer="https://id", subject="1", address="ada@example.org", is_verified=True)


@pytest.mark.parametrize(
    ("claims", "path", "values"),
    [
        ({"groups": ["a", "b"]}, "groups", {"a", "b"}),
        ({"groups": "a"}, "groups", {"a"}),
        ({"level": 3, "staff": True}, "level", {"3"}),
        ({"realm_access": {"roles": ["x"]}}, "realm_access.roles", {"x"}),
        ({"https://a.b/roles": ["y"]}, "https://a.b/roles", {"y"}),
        ({"realm_access": "x"}, "realm_access.roles", set()),
        ({"groups": {"a": 1}}, "groups", set()),
        ({"groups": [["a"], {"b": 1}, None]}, "groups", set()),
        ({"groups": None}, "groups", set()),
        ({}, "groups", set()),
    ],
)
def test_what_stands_at_a_path(claims: dict[str, Any], path: str, values: set[str]) -> None:
    assert values_of(claims, path) == values


def test_without_rules_claims_change_nothing() -> None:
    person = person_from({"sub": "1", "groups": ["admin"]}, "https://id", ProviderRules(), SHIPPED)
    assert (person.role, person.tier, person.address, person.is_verified) == (None, None, None, False)


@pytest.mark.parametrize("said", [False, None, "false", "yes", 1, [True]])
def test_only_a_plain_yes_verifies_an_address(said: object) -> None:
    claims = {"sub": "1", "email": "ada@example.org", "email_verified": said}
    assert not person_from(claims, "https://id", ProviderRules(), SHIPPED).is_verified
    assert person_from(claims, "https://id", ProviderRules(trust_addresses=True), SHIPPED).is_verified


@pytest.mark.parametrize("is_taken", [False, True])
@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("sign_up", ["open", "invitation", "closed"])
@pytest.mark.parametrize("is_invited", [False, True])
def test_who_comes_in(is_taken: bool, link: bool, sign_up: Any, is_invited: bool) -> None:
    rules = ProviderRules(sign_up=sign_up, link_addresses=link)

    def way() -> str:
        try:
            return entry_of(ADA, rules, is_taken=is_taken, is_invited=is_invited)
        except SignInRefused as refused:
            return refused.code

    if is_taken:
        assert way() == ("link" if link else "address_taken")
    elif sign_up == "closed":
        assert way() == "sign_up_closed"
    elif sign_up == "invitation" and not is_invited:
        assert way() == "invitation_needed"
    else:
        assert way() == "make"
