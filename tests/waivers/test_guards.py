"""What the database itself refuses about exceptions and waivers: a shell session gives nobody more than was approved."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from governance.catalog.models import ModelCapability
from governance.enforcement.decision import decide
from governance.errors import WrongState
from governance.waivers.models import ExceptionCapability, ExceptionRequest, Licence, Waiver, WaiverCapability
from governance.waivers.services import decide_exception
from tests.waivers.test_exceptions import approve, file

pytestmark = pytest.mark.django_db


def item(model: str = "mythos-5", capability: str = "biological-design") -> ModelCapability:
    return ModelCapability.objects.get(model__slug=model, capability__slug=capability)


def refused(statement: str, *params: Any) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        connection.cursor().execute(statement, params)


@pytest.mark.parametrize(
    "change",
    [
        "days = 90", "reason = 'x'", "person_id = 'p010'", "digest = repeat('0', 64)", "licence_id = NULL",
        "mitigation = 'x'", "filed_at = now() - interval '1 day'", "state = 'approved'", "state = 'waiting'",
    ],
)  # fmt: skip
def test_what_an_exception_asks_for_does_not_change_between_two_approvals(
    change: str, act_as: Any, in_force: Any
) -> None:
    request = file(act_as("hana"))
    approve(act_as, request, "idris")
    refused(f"UPDATE waivers_exceptionrequest SET {change} WHERE id = %s", request.pk)


def test_the_capabilities_asked_for_do_not_change(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    table = "waivers_exceptionrequest_model_capabilities"
    refused(f"INSERT INTO {table} (exceptionrequest_id, modelcapability_id) VALUES (%s, %s)", request.pk, item().pk)
    refused(f"UPDATE {table} SET modelcapability_id = %s", item().pk)
    refused(f"DELETE FROM {table}")
    assert ExceptionCapability.objects.count() == 1


def test_an_exception_begins_open(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    request.pk, request.state = None, "approved"
    with pytest.raises(DatabaseError), transaction.atomic():
        request.save(force_insert=True)


def test_a_content_that_was_changed_past_the_triggers_is_not_decided(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    approve(act_as, request, "idris")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE waivers_exceptionrequest SET days = 90")
        cursor.execute("SET LOCAL session_replication_role = origin")
    with pytest.raises(WrongState, match="not what was filed"):
        decide_exception(actor=act_as("peter"), exception_id=request.pk, verdict="approve")
    assert not Waiver.objects.exists()


def test_a_running_waiver_gives_no_more_than_was_asked_for(act_as: Any, in_force: Any) -> None:
    approve(act_as, file(act_as("hana")), "idris", "peter")
    with pytest.raises(DatabaseError), transaction.atomic():
        WaiverCapability.objects.create(waiver=Waiver.objects.get(), model_capability=item())
    refused("UPDATE waivers_waivercapability SET model_capability_id = %s", item().pk)
    refused("DELETE FROM waivers_waivercapability")
    assert not decide("p009", "mythos-5", "biological-design").permit


@pytest.mark.parametrize(
    "changes", [{"person_id": "p010"}, {"days": 11}, {"licence": None}, {"approved": False}], ids=str
)
def test_a_waiver_is_inserted_only_as_its_approved_request_says(
    changes: dict[str, Any], act_as: Any, in_force: Any
) -> None:
    request = file(act_as("hana"))
    if changes.get("approved", True):
        approve(act_as, request, "idris", "peter")
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("DELETE FROM waivers_waivercapability; DELETE FROM waivers_waiver")
            cursor.execute("SET LOCAL session_replication_role = origin")
    values = {
        "person_id": "p009", "directive": request.directive, "request": request,
        "licence": Licence.objects.get() if "licence" not in changes else None, "starts_at": timezone.now(),
        "ends_at": timezone.now() + timedelta(days=changes.get("days", 10)),
    } | {name: value for name, value in changes.items() if name == "person_id"}  # fmt: skip
    with pytest.raises(DatabaseError, match="asked for"), transaction.atomic():
        Waiver.objects.create(**values)


@pytest.mark.parametrize("change", ["valid_from = now() + interval '1 day'", "directive_id = NULL"])
def test_a_waiver_keeps_to_the_dates_and_the_directive_of_its_licence(change: str, act_as: Any, in_force: Any) -> None:
    from governance.directives.models import Directive

    request = file(act_as("hana"))
    approve(act_as, request, "idris")
    other = Directive.objects.create(reference="OTHER", title="O", author=request.filer)
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE waivers_licence SET {change.replace('NULL', str(other.pk))}")
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE waivers_exceptionrequest SET state = 'approved'")
        cursor.execute("SET LOCAL session_replication_role = origin")
    with pytest.raises(DatabaseError, match="licence"), transaction.atomic():
        Waiver.objects.create(
            person=request.person, directive=request.directive, request=request, licence=request.licence,
            starts_at=timezone.now(), ends_at=timezone.now() + timedelta(days=1),
        )  # fmt: skip


@pytest.mark.parametrize(
    "table",
    [
        "waivers_licence", "waivers_licencescope", "waivers_exceptionrequest", "waivers_waiver", "waivers_waivercapability",
        "waivers_exceptionrequest_model_capabilities", "waivers_grant",
    ],
)  # fmt: skip
def test_no_table_of_exceptions_is_emptied(table: str, db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(DatabaseError, match="are kept"), transaction.atomic():
        connection.cursor().execute(f"TRUNCATE {table} CASCADE")
    assert ExceptionRequest.objects.count() == 0
