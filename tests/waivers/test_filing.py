"""Filing for several people at once, for people without a manager, and what overlaps: all of it or nothing."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from governance.accounts.models import User
from governance.enforcement.services.exceptions import Wanted, file_exceptions
from governance.errors import Invalid, PermissionRefused, WrongState
from governance.ledger.models import Entry
from governance.people.models import Person
from governance.waivers import mitigations
from governance.waivers.models import ExceptionRequest, Waiver
from governance.waivers.services import withdraw_exception
from tests.conftest import REFERENCE, put_in_force
from tests.races import at_once
from tests.waivers.test_exceptions import approve, file, stages

pytestmark = pytest.mark.django_db
USE = [("fable-5", "use")]


def file_all(actor: Any, *people: str, **changes: Any) -> list[ExceptionRequest]:
    wanted = changes.pop("wanted", [Wanted(person, USE) for person in people])
    values: dict[str, Any] = {"days": 10, "reason": "weekly evaluation"} | changes
    return file_exceptions(actor=actor, reference=REFERENCE, wanted=wanted, **values)


def test_one_request_for_each_person_in_one_go(act_as: Any, in_force: Any) -> None:
    filed = file_all(act_as("hana"), "p009", "p010", "p012")
    assert [request.person_id for request in filed] == ["p009", "p010", "p012"]
    assert {request.state for request in filed} == {"open"}
    assert Entry.objects.filter(action="exception.filed").count() == 3
    assert all(stages(request) == ["Trust-and-safety lead", "Export-control counsel"] for request in filed)


def test_each_goes_its_own_way_by_what_is_asked_for(act_as: Any, in_force: Any) -> None:
    deep = Wanted("p010", [("mythos-5", "vulnerability-discovery")])
    first, second = file_all(act_as("hana"), wanted=[Wanted("p009", USE), deep])
    assert stages(first)[-1] == "Export-control counsel"
    assert stages(second)[-1] == "Executive"


def test_one_refusal_files_nobody_and_every_refusal_is_named(act_as: Any, in_force: Any) -> None:
    file(act_as("hana"), "p009")
    before = (ExceptionRequest.objects.count(), Entry.objects.count())
    wanted = [Wanted("p009", USE), Wanted("p010", USE), Wanted("p011", USE), Wanted("p012", [])]
    with pytest.raises(Invalid) as refusal:
        file_all(act_as("hana"), wanted=wanted)
    named = dict(refusal.value.errors)
    assert list(named) == ["person-p009", "person-p011", "person-p012"]
    assert "Wei Zhang: Exception" in named["person-p009"]
    assert "does not cover Daniel Stone" in named["person-p011"]
    assert "capabilities is required" in named["person-p012"]
    assert (ExceptionRequest.objects.count(), Entry.objects.count()) == before


def test_what_all_share_is_refused_once_and_by_its_field(act_as: Any, in_force: Any) -> None:
    with pytest.raises(Invalid) as refusal:
        file_all(act_as("hana"), "p009", "p010", days=91)
    assert refusal.value.errors == [("days", "must be from 1 to 90")]


def test_one_stranger_among_them_refuses_all_before_anything_is_said_of_anybody(act_as: Any, in_force: Any) -> None:
    for stranger in ("p016", "p007", "nobody"):
        with pytest.raises(PermissionRefused):
            file_all(act_as("hana"), "p009", stranger)
    with pytest.raises(Invalid, match="at most 50"):
        file_all(act_as("hana"), *(f"p{n}" for n in range(51)))
    assert not ExceptionRequest.objects.exists()


@pytest.mark.parametrize(
    ("name", "may"), [("lucia", True), ("tomas", True), ("idris", False), ("hana", False), ("admin", False)]
)
def test_operators_file_for_people_without_any_manager_and_nobody_else_does(
    name: str, may: bool, act_as: Any, in_force: Any
) -> None:
    assert Person.objects.get(pk="p029").manager_id is None
    if may:
        assert file(act_as(name), "p029").pk
    else:
        with pytest.raises(PermissionRefused):
            file(act_as(name), "p029")


def test_an_operator_files_neither_for_somebody_with_a_manager_nor_for_themselves(act_as: Any, in_force: Any) -> None:
    with pytest.raises(PermissionRefused):
        file(act_as("lucia"), "p009")
    Person.objects.filter(pk="p003").update(manager=None)
    with pytest.raises(PermissionRefused):
        file(act_as("lucia"), "p003")


def test_the_database_refuses_an_exception_for_oneself(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    request.pk, request.filer = None, User.objects.get(username="wei")
    with pytest.raises(DatabaseError, match="for themselves"), transaction.atomic():
        request.save(force_insert=True)


def test_what_a_running_waiver_gives_is_not_asked_for_again_and_the_rest_is(act_as: Any, waived: Any) -> None:
    with pytest.raises(WrongState, match=r"waiver of exception \d+ gives that already, until .*fable-5/use"):
        file(act_as("hana"))
    assert file(act_as("hana"), items=[("fable-5", "code-review")]).pk
    Waiver.objects.update(ended_at=timezone.now() - timedelta(seconds=1), end_reason="test")
    assert file(act_as("hana")).pk


def test_an_overlap_of_one_capability_is_an_overlap(act_as: Any, in_force: Any) -> None:
    first = file(act_as("hana"))
    with pytest.raises(WrongState, match=f"Exception {first.pk} .*still open"):
        file(act_as("hana"), items=[("fable-5", "code-review"), ("fable-5", "use")])
    withdraw_exception(actor=act_as("hana"), exception_id=first.pk)
    assert file(act_as("hana"), items=[("fable-5", "code-review"), ("fable-5", "use")]).pk


def test_two_managers_at_the_same_instant_file_once(committed: None, act_as: Any) -> None:
    put_in_force(act_as)
    hana, maren = act_as("hana"), act_as("maren")
    results = at_once(lambda: file_all(hana, "p009", "p010"), lambda: file_all(maren, "p010", "p012"))
    refused = [result for result in results if isinstance(result, Exception)]
    assert len(refused) == 1
    assert "still open" in str(refused[0])
    assert ExceptionRequest.objects.count() == 2


@pytest.mark.parametrize("mitigation", mitigations.MITIGATIONS, ids=lambda one: one.name)
def test_a_wording_is_gone_on_from_and_not_sent_as_it_comes(mitigation: Any, act_as: Any, in_force: Any) -> None:
    with pytest.raises(Invalid, match=r"still has \["):
        file(act_as("hana"), reason=mitigation.wording, mitigation=mitigation.name)
    said = mitigation.wording.replace("[", "").replace("]", "")
    assert file(act_as("hana"), reason=said, mitigation=mitigation.name).mitigation == mitigation.name


def test_filing_for_several_is_approved_one_by_one(act_as: Any, in_force: Any) -> None:
    first, second = file_all(act_as("hana"), "p009", "p010")
    approve(act_as, first, "idris", "peter")
    second.refresh_from_db()
    assert (Waiver.objects.get().person_id, second.state) == ("p009", "open")
