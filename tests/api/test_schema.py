"""Schemathesis makes requests from the OpenAPI document, good and bad, and holds the answers against it."""

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.specs.openapi import checks

from stablehand.cli.reference import document
from tests.api.site import Site

CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.status_code_conformance,
]
OPERATIONS = [
    (path, method.upper())
    for path, operations in sorted(document(accounts=False)["paths"].items())
    for method in operations
]


@pytest.fixture(scope="module")
def schema(quiet_site: Site) -> Any:
    return schemathesis.openapi.from_wsgi("/openapi/openapi.json", quiet_site.app)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["good", "bad"])
@pytest.mark.parametrize(("path", "method"), OPERATIONS)
def test_answers_are_as_the_document_says(schema: Any, path: str, method: str, mode: GenerationMode) -> None:
    operation = schema[path][method]
    if mode is GenerationMode.NEGATIVE and not (operation.body or operation.query or operation.path_parameters):
        return  # there is nothing in it that could be wrong

    @given(case=operation.as_strategy(generation_mode=mode))
    @settings(max_examples=12, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    def asked(case: Case[Any]) -> None:
        wanted = [*CHECKS, checks.negative_data_rejection] if mode is GenerationMode.NEGATIVE else CHECKS
        case.call_and_validate(checks=wanted, headers={"Host": "localhost"})

    asked()
