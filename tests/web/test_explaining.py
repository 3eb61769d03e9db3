"""Explaining a decision, and which gateways have seen a directive."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from governance.accounts.models import ApiToken
from governance.accounts.services import create_token
from governance.directives.models import Directive
from governance.enforcement.models import ClientSighting
from governance.ledger.models import Entry
from tests.conftest import REFERENCE

pytestmark = pytest.mark.django_db
WHY = "/explain?person=p009&item=fable-5/use"


def words(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def test_sensitive_values_stay_hidden_until_a_purpose_is_given_and_each_look_is_in_the_record(
    sign_in: Callable[[str], Client], in_force: Any
) -> None:
    client = sign_in("peter")
    text = words(client.get(WHY))
    assert "citizenships include United States; on record: hidden (decided)" in text
    assert "status is one of active or on leave; on record: active" in text
    assert Entry.objects.filter(action="look.list", subject="person:p009", actor="peter").count() == 1
    assert client.post(WHY, {"purpose": ""}).status_code == 422
    assert "on record: China" in words(client.post(WHY, {"purpose": "Counsel asked"}))
    assert Entry.objects.filter(action="person.revealed", subject="person:p009").count() == 1
    assert sign_in("auditor").post(WHY, {"purpose": "Counsel asked"}).status_code == 403
    assert "Show hidden values" not in words(sign_in("auditor").get(WHY))


def test_it_says_what_verifying_would_settle(sign_in: Callable[[str], Client], in_force: Any) -> None:
    text = words(sign_in("lucia").get("/explain?person=p014&item=fable-5/use"))
    assert "Verifying citizenships would settle this for US-2026-06-12." in text
    text = words(sign_in("lucia").get(WHY))
    assert "Verifying" not in text


def test_gateways_that_have_not_asked_since_an_activation_are_named(
    sign_in: Callable[[str], Client], in_force: Any, machine: Any
) -> None:
    for name in ("asked", "asked before", "never asked"):
        create_token(actor=machine, name=name, scopes=["decide"])
    create_token(actor=machine, name="only searches", scopes=["search"])
    epoch = Directive.objects.get(reference=REFERENCE).epoch_in_force
    assert epoch is not None
    for name, seen in (("asked", epoch), ("asked before", epoch - 1)):
        ClientSighting.objects.create(token=ApiToken.objects.get(name=name), last_at=timezone.now(), last_epoch=seen)
    text = words(sign_in("lucia").get("/gateways"))
    assert "2 of 3 gateways have not confirmed every directive in force" in text
    assert re.search(
        r"asked before .* Not confirmed US-2026-06-12 never asked Never – Not confirmed US-2026-06-12", text
    )
    assert "only searches" not in text
    with connection.cursor() as cursor:
        cursor.execute("UPDATE enforcement_clientsighting SET last_epoch = %s", [epoch])
    ApiToken.objects.filter(name="never asked").update(revoked_at=timezone.now())
    text = words(sign_in("lucia").get("/gateways"))
    assert "Every gateway has asked since each directive took force" in text
    assert "Asked since" in text
    assert "older answer about somebody else is not known here" in text, "one question says nothing of answers kept"
