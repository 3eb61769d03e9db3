"""The description of approvals and exceptions is true: requests made from it, valid and broken, are answered as it says."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.urls import get_resolver
from hypothesis import HealthCheck, settings
from schemathesis.generation import GenerationMode
from schemathesis.specs.openapi.checks import ignored_auth, negative_data_rejection, positive_data_acceptance

from governance.accounts.models import User
from governance.api.openapi import DOCUMENT
from governance.api.people.openapi import SCHEMAS
from tests.approvals.doors import token_of
from tests.extended import examples

pytestmark = pytest.mark.django_db
schema = schemathesis.openapi.from_dict(DOCUMENT).include(path_regex="^/api/v1/")
schema.app = WSGIHandler()
schema.config.generation.update(modes=[GenerationMode.POSITIVE, GenerationMode.NEGATIVE])


@pytest.fixture(autouse=True)
def _one_connection() -> Iterator[None]:
    """Requests leave the test's connection open, as those of Django's own test client do."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@schema.parametrize()
@settings(
    max_examples=examples(15),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_requests_made_from_the_description_are_answered_as_it_says(case: Any, db: None) -> None:
    token = token_of(User.objects.get(username="idris"))
    response = case.call(headers={"Authorization": f"Bearer {token}"})
    # A number that no request has is 404 before anything else is looked at; which data is right, services say.
    case.validate_response(response, excluded_checks=[ignored_auth, negative_data_rejection, positive_data_acceptance])


def test_it_covers_every_address() -> None:
    included = next(each for each in get_resolver().url_patterns if "governance.api.urls" in str(each))
    people = next(each for each in included.url_patterns if hasattr(each, "url_patterns"))
    names = {re.sub(r"<\w+:(\w+)>", "{}", str(pattern.pattern)) for pattern in people.url_patterns}
    assert {f"/api/v1/{name}" for name in names if name} == {
        re.sub(r"\{\w+\}", "{}", path) for path in DOCUMENT["paths"] if path.startswith("/api/")
    }


def test_operations_have_names_of_their_own_and_every_schema_is_used() -> None:
    operations = [each for path in DOCUMENT["paths"].values() for each in path.values() if isinstance(each, dict)]
    names = [operation["operationId"] for operation in operations]
    assert len(names) == len(set(names))
    text = json.dumps(DOCUMENT)
    assert all(f'#/components/schemas/{name}"' in text for name in SCHEMAS)
