"""Exceptions and waivers: who may file, what is refused, licences that are never overdrawn, dates that count by themselves."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from governance.enforcement.decision import decide
from governance.enforcement.population import who_can_use
from governance.enforcement.services.exceptions import file_exception
from governance.errors import Invalid, PermissionRefused, Refused, WrongState
from governance.people.models import Person
from governance.waivers.models import ExceptionRequest, Licence, Waiver
from governance.waivers.services import decide_exception, withdraw_exception
from tests.conftest import REFERENCE, put_in_force
from tests.races import at_once

pytestmark = pytest.mark.django_db


def file(actor: Any, person: str = "p009", **changes: Any) -> ExceptionRequest:
    values: dict[str, Any] = {"items": [("fable-5", "use")], "days": 10, "reason": "weekly evaluation"} | changes
    return file_exception(actor=actor, reference=REFERENCE, person_id=person, **values)


def approve(act_as: Any, request: ExceptionRequest, *names: str) -> None:
    for name in names:
        decide_exception(actor=act_as(name), exception_id=request.pk, verdict="approve")


def stages(request: ExceptionRequest) -> list[str]:
    from governance.approvals.queries import requests_about

    return [stage.name for stage in requests_about(request.subject)[0].stages.all()]


def test_a_waiver_works_the_moment_it_is_approved_and_draws_on_the_licence(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    assert request.licence.reference == "US-LIC-0614"
    assert stages(request) == ["Trust-and-safety lead", "Export-control counsel"]
    approve(act_as, request, "idris")
    assert not decide("p009", "fable-5", "use").permit
    approve(act_as, request, "peter")
    decision = decide("p009", "fable-5", "use")
    assert (decision.permit, decision.code, decision.directives) == (True, "waiver", (REFERENCE,))
    assert "p009" in who_can_use("fable-5", "use")
    assert not decide("p009", "fable-5", "code-review").permit


def test_a_waiver_ends_by_its_date_without_a_job(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    approve(act_as, request, "idris", "peter")
    Waiver.objects.update(ended_at=timezone.now() - timedelta(seconds=1), end_reason="test")
    assert not decide("p009", "fable-5", "use").permit
    assert "p009" not in who_can_use("fable-5", "use")


def test_tier_4_for_more_than_seven_days_goes_to_the_executive_too(act_as: Any, in_force: Any) -> None:
    item = [("mythos-5", "vulnerability-discovery")]
    assert stages(file(act_as("hana"), items=item, days=8))[-1] == "Executive"
    assert "Executive" not in stages(file(act_as("hana"), "p010", items=item, days=7))


@pytest.mark.parametrize("name", ["lucia", "wei", "jonas", "admin", "idris"])
def test_only_managers_of_the_person_file(name: str, act_as: Any, in_force: Any) -> None:
    with pytest.raises(PermissionRefused):
        file(act_as(name))


def test_indirect_reports_count_and_nobody_files_for_themselves(act_as: Any, in_force: Any) -> None:
    assert file(act_as("maren")).pk
    with pytest.raises(PermissionRefused):
        file(act_as("hana"), "p007")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"days": 0}, "from 1 to 90"),
        ({"days": 91}, "from 1 to 90"),
        ({"days": 31, "items": [("mythos-5", "biological-design")]}, "from 1 to 30"),
        ({"items": [("gpt-5-5", "use")]}, "not in the scope"),
        ({"items": []}, "at least one"),
        ({"reason": " "}, "reason"),
        ({"licence": "US-LIC-9999"}, "no licence"),
        ({"person": "p011"}, "does not cover"),
    ],
)
def test_what_does_not_fit_is_refused(changes: dict[str, Any], reason: str, act_as: Any, in_force: Any) -> None:
    with pytest.raises(Invalid, match=reason) as refusal:
        file(act_as("hana"), **changes)
    named = {"items": "capabilities"}
    assert {field for field, _ in refusal.value.errors} <= {named.get(field, field) for field in changes}
    assert refusal.value.errors, "the field is named"
    assert not ExceptionRequest.objects.exists()


def test_an_exception_past_the_end_of_the_licence_is_refused(act_as: Any, in_force: Any) -> None:
    Licence.objects.update(valid_until=timezone.now() + timedelta(days=5))
    with pytest.raises(Invalid, match="licence ends on"):
        file(act_as("hana"))
    with pytest.raises(Invalid, match="runs from"):
        file(act_as("hana"), licence="US-LIC-0614")
    assert file(act_as("hana"), days=4).licence is not None


def test_without_a_licence_an_approved_exception_waits(act_as: Any, in_force: Any) -> None:
    Licence.objects.update(
        valid_from=timezone.now() - timedelta(days=9), valid_until=timezone.now() - timedelta(days=5)
    )
    request = file(act_as("hana"))
    assert request.licence is None
    approve(act_as, request, "idris", "peter")
    request.refresh_from_db()
    assert request.state == "waiting"
    assert not decide("p009", "fable-5", "use").permit


def test_the_same_exception_twice_is_refused_and_a_withdrawn_one_is_not(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    with pytest.raises(WrongState, match="still open"):
        file(act_as("hana"))
    with pytest.raises(PermissionRefused):
        withdraw_exception(actor=act_as("jonas"), exception_id=request.pk)
    withdraw_exception(actor=act_as("hana"), exception_id=request.pk)
    with pytest.raises(WrongState):
        approve(act_as, request, "idris")
    file(act_as("hana"))


def test_the_licence_allows_five_people_and_not_a_sixth(act_as: Any, in_force: Any) -> None:
    for person in ("p009", "p010", "p012", "p008", "p020"):
        approve(act_as, file(act_as("hana"), person), "idris", "peter")
    sixth = file(act_as("jonas"), "p016")
    approve(act_as, sixth, "idris")
    with pytest.raises(Refused, match="drawn in full"):
        approve(act_as, sixth, "peter")
    assert not decide("p016", "fable-5", "use").permit
    with pytest.raises(DatabaseError), transaction.atomic():
        Waiver.objects.create(
            person=Person.objects.get(pk="p016"), directive=sixth.directive, request=sixth, licence=sixth.licence,
            starts_at=timezone.now(), ends_at=timezone.now() + timedelta(days=1),
        )  # fmt: skip


def test_a_waiver_is_not_made_longer_by_a_shell(act_as: Any, in_force: Any) -> None:
    approve(act_as, file(act_as("hana")), "idris", "peter")
    with pytest.raises(DatabaseError), transaction.atomic():
        Waiver.objects.update(ends_at=timezone.now() + timedelta(days=900))


def test_two_approvals_at_the_same_instant_do_not_overdraw_the_licence(committed: None, act_as: Any) -> None:
    put_in_force(act_as)
    Licence.objects.update(people=1)
    first, second = file(act_as("hana")), file(act_as("hana"), "p010")
    for request in (first, second):
        approve(act_as, request, "idris")
    peter = act_as("peter")
    results = at_once(
        *(lambda pk=r.pk: decide_exception(actor=peter, exception_id=pk, verdict="approve") for r in (first, second))
    )
    refused = [result for result in results if isinstance(result, Exception)]
    assert len(refused) == 1
    assert isinstance(refused[0], Refused)
    assert Waiver.objects.count() == 1


def test_approval_against_withdrawal_of_an_exception_has_one_winner(committed: None, act_as: Any) -> None:
    put_in_force(act_as)
    request = file(act_as("hana"))
    approve(act_as, request, "idris")
    peter, hana = act_as("peter"), act_as("hana")
    results = at_once(
        lambda: decide_exception(actor=peter, exception_id=request.pk, verdict="approve"),
        lambda: withdraw_exception(actor=hana, exception_id=request.pk),
    )
    assert len([result for result in results if isinstance(result, Exception)]) == 1, results
    request.refresh_from_db()
    assert Waiver.objects.exists() is (request.state == "approved")
