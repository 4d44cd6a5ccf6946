"""People for tests of the doors: browsers that sign up and in, and read their letters."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.test import TestResponse

from stablehand.api import AccountOptions
from stablehand.domain.letters import Letter
from stablehand.services.invitations import claim_token
from tests.api.site import Make, Site

PASSWORD = "correct horse battery"


@dataclass
class Browser:
    """One browser with its cookies, which does what our page does: it sends the token of the cookie back."""

    site: Site
    client: Any = None

    def __post_init__(self) -> None:
        self.client = self.site.app.test_client()

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> TestResponse:
        token = self.client.get_cookie("XSRF-TOKEN")
        if token is not None:
            headers.setdefault("X-XSRF-TOKEN", token.value)
        given = {} if body is None else {"json": body}
        answer: TestResponse = self.client.open(path, method=method, headers=headers, **given)
        return answer

    def auth(self, verb: str, **body: Any) -> TestResponse:
        return self.send("POST", f"/api/v1/auth/{verb}", body)

    def sign_in(self, email: str, password: str = PASSWORD) -> TestResponse:
        return self.auth("login", email=email, password=password)

    def get(self, path: str) -> TestResponse:
        return self.send("GET", f"/api/v1/{path}")

    @property
    def is_in(self) -> bool:
        return bool(self.get("auth/door").get_json()["signed_in"])


@dataclass
class Town:
    """A site where people must sign in, and the letters they got."""

    site: Site
    letters: list[Letter] = field(default_factory=list)

    def link(self, to: str) -> str:
        """The path in the last letter to this address."""
        text = [letter for letter in self.letters if letter.to == to][-1].text
        [found] = re.findall(r"http://localhost(/\S+)", text)
        return str(found)

    def token(self, to: str) -> str:
        """What the last letter to this address lets its reader choose a password with."""
        return self.link(to).partition("token=")[2]

    def choose(self, browser: Browser, email: str, password: str = PASSWORD) -> TestResponse:
        """Choose a password by the link of the last letter."""
        return browser.auth(f"reset/{self.token(email)}", password=password, password_confirm=password)

    def owner(self) -> Browser:
        """The built-in owner, claimed."""
        token = claim_token(self.site.services)
        browser = Browser(self.site)
        answer = browser.auth("claim", token=token, email="owner@example.org", password=PASSWORD)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return browser

    def member(self, email: str) -> Browser:
        """Somebody who signed up, confirmed the address and signed in."""
        browser = Browser(self.site)
        answer = browser.auth("register", email=email)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        assert self.choose(browser, email).status_code == 200
        answer = browser.sign_in(email)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        return browser


def build(make: Callable[..., Site], site: Mapping[str, Any] | None = None, **changes: Any) -> Town:
    """``site``: further options of the doors; ``changes``: of the accounts' options."""
    letters: list[Letter] = []
    options = {"sign_up": "open", "argon2_memory_kib": 8, "argon2_rounds": 1, **changes}
    return Town(make(accounts=AccountOptions(post=letters.append, **options), **site or {}), letters)


__all__ = ["PASSWORD", "Browser", "Make", "Town", "build"]
