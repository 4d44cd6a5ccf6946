"""Schemathesis makes requests from the OpenAPI document, good and bad, and holds the answers against it.

The whole document is gone through by an administrator who has signed in; and, more shortly, by whoever comes to a house
where nobody has to. The requests are the same each time. ``STABLEHAND_SCHEMA_EXAMPLES`` asks for more of them, and for
others each time.
"""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi import checks

from stablehand.cli.reference import document
from tests.api.people import Browser, Town, build
from tests.api.site import Site, make_site

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.status_code_conformance,
]
MORE = int(os.environ.get("STABLEHAND_SCHEMA_EXAMPLES", "0"))
MODES = pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])

Cookies = Callable[[], dict[str, str]]


def operations(*, accounts: bool) -> list[tuple[str, str]]:
    """(path, method) of everything that the document describes."""
    paths = document(accounts=accounts)["paths"]
    return [(path, method.upper()) for path, known in sorted(paths.items()) for method in known]


@pytest.fixture(scope="module")
def open_schema(quiet_site: Site) -> Any:
    return schemathesis.openapi.from_wsgi("/openapi/openapi.json", quiet_site.app)


@pytest.fixture(scope="module")
def town(tmp_path_factory: pytest.TempPathFactory, template: Path) -> Iterator[Town]:
    """Where people must sign in, with a little of everything in the owner's name."""
    folder = tmp_path_factory.mktemp("schema")
    town = build(lambda **changes: make_site(folder, template=template, **changes))
    owner = town.owner()
    order = {"prompt": "a red house", "checkpoint": "tiny", "width": 64, "height": 64}
    assert owner.send("POST", "/api/v1/jobs", order).status_code == 202
    town.site.draw()
    assert owner.send("POST", "/api/v1/jobs", order).status_code == 202
    yield town
    town.site.services.store.close()


@pytest.fixture(scope="module")
def owner(town: Town) -> Cookies:
    """Of a browser in which the owner has signed in; signs in again when one of the requests has ended the session."""
    browser = Browser(town.site)

    def cookies() -> dict[str, str]:
        if not browser.is_in:
            assert browser.sign_in("owner@example.org").status_code == 200
        return {name: browser.client.get_cookie(name).value for name in ("stablehand", "XSRF-TOKEN")}

    return cookies


@pytest.fixture(scope="module")
def locked_schema(town: Town) -> Any:
    return schemathesis.openapi.from_wsgi("/openapi/openapi.json", town.site.app)


@MODES
@pytest.mark.parametrize(("path", "method"), operations(accounts=True))
def test_one_who_has_signed_in_is_answered_as_the_document_says(
    locked_schema: Any, owner: Cookies, path: str, method: str, mode: GenerationMode
) -> None:
    ask(locked_schema[path][method], mode, examples=10, cookies=owner)


@MODES
@pytest.mark.parametrize(("path", "method"), operations(accounts=False))
def test_anybody_is_answered_as_the_document_says(
    open_schema: Any, path: str, method: str, mode: GenerationMode
) -> None:
    ask(open_schema[path][method], mode, examples=3, cookies=dict)


def ask(operation: Any, mode: GenerationMode, *, examples: int, cookies: Cookies) -> None:
    if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query or operation.path_parameters):
        return  # there is nothing in it that could be wrong

    sent = cookies()
    ends_sessions = operation.label == "DELETE /api/v1/account/sessions"

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(
        max_examples=MORE or examples,
        deadline=None,
        derandomize=not MORE,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    def asked(case: Case[Any]) -> None:
        wanted = [*CHECKS, checks.negative_data_rejection] if mode is GenerationMode.NEGATIVE else CHECKS
        nonlocal sent
        sent = cookies() if ends_sessions else sent
        headers = {"Host": "localhost", **({"X-XSRF-TOKEN": sent["XSRF-TOKEN"]} if sent else {})}
        answer = case.call_and_validate(checks=wanted, headers=headers, cookies=sent)
        assert answer.status_code != 401

    asked()
