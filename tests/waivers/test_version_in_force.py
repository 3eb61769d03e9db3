"""Exceptions against what the directive says now: versions that end or refuse them, licences, and directives that ended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from governance.approvals.models import Request
from governance.catalog.models import AIModel
from governance.directives import services as directives
from governance.directives.content import ScopeLine, VersionStatement
from governance.directives.models import Directive
from governance.enforcement import policy as policies
from governance.enforcement.decision import decide
from governance.enforcement.services import lifecycle, runs
from governance.errors import Invalid, PermissionRefused, Refused, WrongState
from governance.waivers import queries
from governance.waivers.models import ExceptionRequest, Licence, Waiver
from governance.waivers.services import decide_exception, open_waiting, register_licences
from tests.conftest import REFERENCE
from tests.people.test_import_races import expire
from tests.waivers.test_exceptions import approve, file

pytestmark = pytest.mark.django_db


def directive() -> Directive:
    return Directive.objects.get(reference=REFERENCE)


def new_version(act_as: Any, **changes: Any) -> None:
    """Legal changes the directive; it is submitted, approved and put in force."""
    directives.draft_new_version(actor=act_as("anjali"), reference=REFERENCE)
    statement = VersionStatement.of(directives.draft_of(directive()))
    directives.edit_draft(
        actor=act_as("anjali"), reference=REFERENCE, statement=VersionStatement(**{**statement.__dict__, **changes})
    )
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="approve")


def activate(act_as: Any, **changes: Any) -> None:
    new_version(act_as, **changes)
    lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE)


def rescind(act_as: Any) -> None:
    lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act="rescission", reason="x")
    lifecycle.vote(actor=act_as("idris"), reference=REFERENCE, verdict="approve")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"waivable": "never"}, "admits no waivers"),
        ({"waivers": "end"}, "ended what was asked for"),
        ({"scope": "mythos-5 only"}, "does not cover fable-5/use"),
    ],
)
@pytest.mark.parametrize("state", ["open", "waiting"])
def test_a_version_that_leaves_no_room_closes_what_is_asked_for_when_it_takes_force(
    state: str, changes: dict[str, Any], reason: str, act_as: Any, in_force: Any
) -> None:
    request = file(act_as("hana")) if state == "open" else waiting(act_as)
    if "scope" in changes:
        mythos = AIModel.objects.get(slug="mythos-5")
        changes = {"scope": (ScopeLine(mythos.pk, None),), "include_derived": False}
    activate(act_as, **changes)
    request.refresh_from_db()
    assert request.state == "lapsed"
    assert reason in request.close_reason
    assert not Request.objects.filter(subject=request.subject, state="open").exists()
    with pytest.raises(WrongState, match=reason):
        decide_exception(actor=act_as("peter"), exception_id=request.pk, verdict="approve")
    assert not Waiver.objects.exists()


def waiting(act_as: Any) -> ExceptionRequest:
    """An approved exception without a licence to draw on."""
    Licence.objects.update(
        valid_from=timezone.now() - timedelta(days=9), valid_until=timezone.now() - timedelta(days=5)
    )
    request = file(act_as("hana"))
    approve(act_as, request, "idris", "peter")
    request.refresh_from_db()
    assert request.state == "waiting"
    return request


def test_a_version_that_keeps_waivers_leaves_what_is_asked_for_open(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    activate(act_as, expires_at=timezone.now() + timedelta(days=300))
    approve(act_as, request, "idris", "peter")
    assert decide("p009", "fable-5", "use").permit


@pytest.mark.parametrize("end", ["rescission", "expiry"])
def test_the_end_of_a_directive_closes_what_is_asked_for(end: str, act_as: Any, machine: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    if end == "rescission":
        rescind(act_as)
    else:
        expire()
        policies.forget()
        runs.start_due(actor=machine)
    request.refresh_from_db()
    assert (request.state, "not in force" in request.close_reason) == ("lapsed", True)


def test_a_request_that_no_longer_fits_is_closed_when_somebody_decides_it(act_as: Any, in_force: Any) -> None:
    """A directive that is over by the clock, before any job noted it."""
    request = file(act_as("hana"))
    expire()
    decided = decide_exception(actor=act_as("idris"), exception_id=request.pk, verdict="approve")
    assert decided.state == "lapsed"
    assert not Request.objects.get(subject=request.subject).votes.exists()


def test_whether_a_licence_is_needed_is_for_the_version_in_force(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    activate(act_as, waivable="company")
    approve(act_as, request, "idris", "peter")
    second = file(act_as("hana"), "p010")
    assert second.licence is None
    activate(act_as, waivable="authority")
    Licence.objects.update(valid_until=timezone.now() + timedelta(seconds=60))
    approve(act_as, second, "idris", "peter")
    second.refresh_from_db()
    assert second.state == "waiting"


def test_the_scope_that_exceptions_are_held_against_is_the_one_that_decisions_use(act_as: Any, in_force: Any) -> None:
    rule = policies.load().directive(directive().pk)
    assert rule is not None
    assert queries.model_capabilities_in_scope(directive().version_in_force) == set(rule.scope)


# -- licences ----------------------------------------------------------------------------------------------------------


def test_a_licence_that_is_not_valid_yet_opens_nothing(act_as: Any, in_force: Any) -> None:
    Licence.objects.update(
        valid_from=timezone.now() + timedelta(days=5), valid_until=timezone.now() + timedelta(days=60)
    )
    with pytest.raises(Invalid, match="runs from"):
        file(act_as("hana"), licence="US-LIC-0614")
    request = file(act_as("hana"))
    assert request.licence is None
    approve(act_as, request, "idris", "peter")
    request.refresh_from_db()
    assert request.state == "waiting"
    assert not decide("p009", "fable-5", "use").permit


def test_a_licence_whose_start_is_put_off_before_the_last_approval_refuses_it(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    approve(act_as, request, "idris")
    Licence.objects.update(valid_from=timezone.now() + timedelta(days=5))
    with pytest.raises(Refused, match="not valid before"):
        approve(act_as, request, "peter")


def licence(**changes: Any) -> dict[str, Any]:
    return {
        "reference": "US-LIC-0700", "title": "T", "document": "letter.pdf", "people": 1,
        "valid_from": (timezone.now() - timedelta(days=1)).isoformat(),
        "valid_until": (timezone.now() + timedelta(days=60)).isoformat(),
        "scope": [{"model": "fable-5", "capabilities": "all"}],
    } | changes  # fmt: skip


def register(act_as: Any, *entries: dict[str, Any]) -> None:
    register_licences(actor=act_as("peter"), directive=directive(), entries=entries)


def test_an_approved_exception_opens_when_a_licence_that_fits_is_recorded(act_as: Any, in_force: Any) -> None:
    request = waiting(act_as)
    register(act_as, licence())
    request.refresh_from_db()
    assert (request.state, request.licence.reference) == ("approved", "US-LIC-0700")
    assert decide("p009", "fable-5", "use").code == "waiver"
    assert Waiver.objects.get().licence == request.licence


@pytest.mark.parametrize(
    "changes",
    [
        {"scope": [{"model": "mythos-5", "capabilities": ["use"]}]},
        {"valid_until": (timezone.now() + timedelta(days=5)).isoformat()},
        {"valid_from": (timezone.now() + timedelta(days=5)).isoformat()},
    ],
)
def test_a_licence_that_does_not_fit_opens_nothing(changes: dict[str, Any], act_as: Any, in_force: Any) -> None:
    request = waiting(act_as)
    register(act_as, licence(**changes))
    with pytest.raises(Invalid):
        open_waiting(actor=act_as("lucia"), exception_id=request.pk, licence="US-LIC-0700")
    request.refresh_from_db()
    assert request.state == "waiting"


def test_where_two_licences_fit_a_person_says_which(act_as: Any, in_force: Any) -> None:
    request = waiting(act_as)
    register(act_as, licence(), licence(reference="US-LIC-0701"))
    request.refresh_from_db()
    assert request.state == "waiting"
    for name in ("hana", "wei", "teo", "auditor"):
        with pytest.raises(PermissionRefused):
            open_waiting(actor=act_as(name), exception_id=request.pk, licence="US-LIC-0701")
    open_waiting(actor=act_as("anjali"), exception_id=request.pk, licence="US-LIC-0701")
    assert decide("p009", "fable-5", "use").code == "waiver"
    with pytest.raises(WrongState, match="does not wait"):
        open_waiting(actor=act_as("anjali"), exception_id=request.pk, licence="US-LIC-0701")


def test_a_licence_for_one_person_opens_one_of_two_that_wait(act_as: Any, in_force: Any) -> None:
    first = waiting(act_as)
    second = file(act_as("hana"), "p010")
    approve(act_as, second, "idris", "peter")
    register(act_as, licence())
    assert list(ExceptionRequest.objects.order_by("pk").values_list("pk", "state")) == [
        (first.pk, "approved"), (second.pk, "waiting"),
    ]  # fmt: skip
    with pytest.raises(Refused, match="drawn in full"):
        open_waiting(actor=act_as("lucia"), exception_id=second.pk, licence="US-LIC-0700")


def test_a_licence_recorded_between_two_approvals_is_drawn_on_at_the_last(act_as: Any, in_force: Any) -> None:
    Licence.objects.update(
        valid_from=timezone.now() - timedelta(days=9), valid_until=timezone.now() - timedelta(days=5)
    )
    request = file(act_as("hana"))
    approve(act_as, request, "idris")
    register(act_as, licence())
    approve(act_as, request, "peter")
    assert decide("p009", "fable-5", "use").code == "waiver"


def test_one_reference_twice_in_a_file_is_named(act_as: Any, in_force: Any) -> None:
    with pytest.raises(Invalid, match=r"licences\[1\].reference: stands there twice"):
        register(act_as, licence(), licence())
