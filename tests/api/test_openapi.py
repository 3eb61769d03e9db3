"""The OpenAPI description is true: requests made from it, valid and broken, are answered as it says."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth

from governance.accounts.services import create_token
from governance.api.authzen.application import DecisionApi
from governance.api.authzen.metadata import OPENAPI
from tests.extended import examples
from tests.wire import services

pytestmark = pytest.mark.django_db
application = DecisionApi(services())
schema = schemathesis.openapi.from_wsgi(OPENAPI, application)
# Page tokens are opaque and signed: no description could say how to make one, so none is made.
del schema.raw_schema["components"]["schemas"]["Page"]["properties"]["token"]
schema = schema.exclude(path_regex="^/api/v1/")  # people's endpoints: test_people_openapi.py
schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])


@pytest.fixture
def token(machine: Any) -> str:
    return create_token(actor=machine, name="described", scopes=["decide", "search", "explain"])


@schema.parametrize()
@settings(
    max_examples=examples(15),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_requests_made_from_the_description_are_answered_as_it_says(case: Any, token: str, in_force: Any) -> None:
    # Every request is sent with a true token, whatever it was made with; wrong ones have tests of their own.
    response = case.call(headers={"Authorization": f"Bearer {token}"})
    case.validate_response(response, excluded_checks=[not_a_server_error, ignored_auth])
    # The one failure that a request can ask for: to be answered from a policy epoch that has not come yet.
    assert response.status_code < 500 or "has not seen that policy epoch" in response.text


def test_the_description_is_openapi_3_1_and_covers_every_address(machine: Any) -> None:
    assert schema.raw_schema["openapi"].startswith("3.1")
    from governance.api.authzen.application import GETS, POSTS

    described = {path for path in schema.raw_schema["paths"] if not path.startswith("/api/v1/")}
    assert described == (set(POSTS) | set(GETS)) - {OPENAPI}
