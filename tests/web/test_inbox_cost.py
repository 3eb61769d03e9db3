"""The inbox costs the same however much waits in it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from governance.accounts.models import User
from governance.approvals import queries, services
from governance.moments import now
from tests.approvals.engine import ask, delegate

pytestmark = pytest.mark.django_db


def questions(client: Client, address: str = "/approvals/") -> int:
    with CaptureQueriesContext(connection) as captured:
        assert client.get(address).status_code == 200
    return len(captured)


@pytest.mark.parametrize("name", ["idris", "maren"])
def test_it_asks_as_many_questions_for_many_requests_as_for_one(name: str, sign_in: Callable[[str], Client]) -> None:
    if name == "maren":
        delegate("idris", "maren")
        delegate("peter", "maren")
    client = sign_in(name)
    ask(subject="directive:0")
    questions(client)  # what a process asks once, such as content types
    first = questions(client)
    for number in range(1, 60):
        ask(subject=f"directive:{number}")
    assert questions(client) == first
    assert first <= 38
    assert "60" in client.get("/approvals/").content.decode()


def test_the_navigation_counts_what_waits_once_for_the_page(sign_in: Callable[[str], Client]) -> None:
    ask()
    client = sign_in("idris")
    with CaptureQueriesContext(connection) as captured:
        client.get("/approvals/")
    counts = [each for each in captured if "COUNT(" in each["sql"] and "approvals_requeststage" in each["sql"]]
    assert len(counts) == 1


def test_a_page_of_it_is_read_in_order_and_stops_when_it_is_full(sign_in: Callable[[str], Client]) -> None:
    """By the index of open requests from the oldest on: nothing is sorted."""
    ask()
    plan = queries.inbox(User.objects.get(username="idris"))[:51]
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute("SET LOCAL enable_sort = off")
    assert "request_oldest_open" in plan.explain()


def test_a_delegation_that_runs_brings_what_waits_for_the_other(sign_in: Callable[[str], Client], act_as: Any) -> None:
    ask()
    moment = now()
    assert queries.inbox(User.objects.get(username="tomas")).count() == 0
    held = services.delegate(
        actor=act_as("peter"), to=User.objects.get(username="tomas"), starts_at=moment,
        ends_at=moment + timedelta(days=1), reason="away",
    )  # fmt: skip
    assert queries.inbox(User.objects.get(username="tomas")).count() == 1
    services.revoke(actor=act_as("peter"), delegation_id=held.pk)
    assert queries.inbox(User.objects.get(username="tomas")).count() == 0
