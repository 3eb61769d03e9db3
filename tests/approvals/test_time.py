"""What time brings about, by the schedule: reminders, escalations, refusals; once each, whole or not at all, never a grant."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection

from governance.accounts.actor import Actor
from governance.approvals import services as approvals
from governance.approvals.models import Request, RequestStage
from governance.directives.models import Directive
from governance.enforcement.services import deciding, lifecycle
from governance.enforcement.tasks import sweep
from governance.ledger.models import Entry
from governance.waivers.models import ExceptionRequest
from tests.approvals.policies import put_in_force as policy
from tests.clock import moved_clock
from tests.conftest import REFERENCE, put_in_force
from tests.directives.steps import submit
from tests.races import at_once
from tests.waivers.test_exceptions import file

pytestmark = pytest.mark.django_db
LEAD, COUNSEL, EXECUTIVE = "trust-and-safety lead", "export-control counsel", "executive"
REFUSES = {"position": 1, "name": "Lead", "groups": [LEAD], "due_hours": 4, "at_end": "refuse"}
ESCALATES = {
    "position": 1, "name": "Lead", "groups": [LEAD], "due_hours": 4, "remind_hours": 2, "at_end": "escalate",
    "escalate_to": [EXECUTIVE],
}  # fmt: skip
SYSTEM = Actor.machine("system:scheduler")


def acts(request: Request) -> list[str]:
    """What the ledger has about a request, in order."""
    found = Entry.objects.filter(subject=f"approval:{request.pk}").order_by("pk")
    return [action.removeprefix("approval.") for action in found.values_list("action", flat=True)]


def of(exception: ExceptionRequest) -> Request:
    return Request.objects.get(subject=exception.subject)


def overdue_exception(act_as: Any, stage: dict[str, Any]) -> ExceptionRequest:
    policy("exception", stage)
    return file(act_as("hana"))


def test_a_stage_is_reminded_and_escalates_once_however_often_the_schedule_ticks(act_as: Any, in_force: Any) -> None:
    asked = of(overdue_exception(act_as, ESCALATES))
    with moved_clock() as clock:
        sweep()
        assert acts(asked) == ["opened"]
        clock.pass_time(hours=2, seconds=1)
        sweep()
        sweep()
        assert acts(asked) == ["opened", "reminded"]
        clock.pass_time(hours=2)
        sweep()
        sweep()
        assert acts(asked) == ["opened", "reminded", "escalated"]
        outcome = deciding.decide(
            actor=act_as("maren"), request_id=asked.pk, verdict="approve", seen=asked.content_digest
        )
        assert outcome.state == "approved"


def test_missed_ticks_are_made_up_for_at_the_next(act_as: Any, in_force: Any) -> None:
    asked = of(overdue_exception(act_as, ESCALATES))
    with moved_clock() as clock:
        clock.pass_time(days=30)
        sweep()
        assert acts(asked) == ["opened", "reminded", "escalated"]


def test_an_exception_that_nobody_decides_in_time_is_rejected_and_says_why(act_as: Any, in_force: Any) -> None:
    exception = overdue_exception(act_as, REFUSES)
    with moved_clock() as clock:
        clock.pass_time(hours=4, seconds=1)
        sweep()
        sweep()
    exception.refresh_from_db()
    assert (exception.state, exception.close_reason) == ("rejected", "Nobody decided the stage “Lead” in time.")
    assert of(exception).state == "rejected"
    assert acts(of(exception)) == ["opened", "rejected"]
    assert not hasattr(exception, "waiver")
    file(act_as("hana"))  # it can be asked for again


def test_a_version_that_nobody_decides_in_time_goes_back_to_its_writers(act_as: Any) -> None:
    policy("directive.activation", REFUSES)
    asked = submit(act_as)
    with moved_clock() as clock:
        clock.pass_time(hours=4, seconds=1)
        assert deciding.let_time_pass(actor=SYSTEM) == 1
        assert deciding.let_time_pass(actor=SYSTEM) == 0
    asked.refresh_from_db()
    directive = Directive.objects.get(reference=REFERENCE)
    assert (asked.state, directive.state) == ("rejected", "draft")
    assert {version.state for version in directive.versions.all()} == {"rejected", "draft"}


def test_the_confirmation_of_an_emergency_is_never_closed_by_time(act_as: Any) -> None:
    policy("directive.confirmation", {**REFUSES, "groups": [LEAD, COUNSEL]})
    lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE, emergency=True, reason="now")
    asked = Request.objects.get(kind="directive.confirmation")
    with moved_clock() as clock:
        clock.pass_time(days=9)
        sweep()
        asked.refresh_from_db()
        assert (asked.state, acts(asked)) == ("open", ["opened"])
        lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="approve")


def test_a_question_to_the_requester_stops_the_clock(act_as: Any, in_force: Any) -> None:
    asked = of(overdue_exception(act_as, REFUSES))
    approvals.ask_back(actor=act_as("idris"), request=asked, words="Which dataset?")
    with moved_clock() as clock:
        clock.pass_time(days=9)
        assert deciding.let_time_pass(actor=SYSTEM) == 0
        approvals.answer(actor=act_as("hana"), request=asked, words="The public one.")
        clock.pass_time(hours=3, minutes=59)
        assert deciding.let_time_pass(actor=SYSTEM) == 0
        clock.pass_time(minutes=2)
        assert deciding.let_time_pass(actor=SYSTEM) == 1


def test_one_request_that_cannot_be_dealt_with_keeps_no_other_waiting(
    act_as: Any, in_force: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = overdue_exception(act_as, REFUSES)
    second = file(act_as("hana"), person="p010")
    refuses(monkeypatch, first)
    with moved_clock() as clock:
        clock.pass_time(hours=5)
        assert deciding.let_time_pass(actor=SYSTEM) == 1
    assert (of(first).state, of(second).state) == ("open", "rejected")


def refuses(monkeypatch: pytest.MonkeyPatch, exception: ExceptionRequest) -> None:
    """The database refuses to close this one exception."""
    from governance.waivers.services import time

    real = time.close

    def close(request: ExceptionRequest, *rest: Any, **named: Any) -> None:
        if request.pk == exception.pk:
            raise DatabaseError
        real(request, *rest, **named)

    monkeypatch.setattr(time, "close", close)


def make_overdue() -> None:
    """Other connections have no moved clock: the stages were opened long ago instead."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE approvals_requeststage DISABLE TRIGGER USER")
        RequestStage.objects.update(due_at="2020-01-01T00:00:00Z", remind_at="2020-01-01T00:00:00Z")
        cursor.execute("ALTER TABLE approvals_requeststage ENABLE TRIGGER USER")


@pytest.mark.parametrize("stage", [ESCALATES, REFUSES], ids=["escalates", "refuses"])
def test_two_sweeps_at_once_do_it_once(stage: dict[str, Any], committed: None, act_as: Any) -> None:
    put_in_force(act_as)
    exception = overdue_exception(act_as, stage)
    make_overdue()
    done = at_once(*(lambda: deciding.let_time_pass(actor=SYSTEM) for _ in range(2)))
    assert sorted(done) == [0, 1]
    assert acts(of(exception)) == ["opened", "reminded", "escalated" if stage is ESCALATES else "rejected"]


def test_a_sweep_and_an_approval_at_once_come_to_one_outcome(committed: None, act_as: Any) -> None:
    put_in_force(act_as)
    exception = overdue_exception(act_as, REFUSES)
    make_overdue()
    asked = of(exception)
    at_once(
        lambda: deciding.let_time_pass(actor=SYSTEM),
        lambda: deciding.decide(
            actor=act_as("idris"), request_id=asked.pk, verdict="approve", seen=asked.content_digest
        ),
    )
    exception.refresh_from_db()
    assert (of(exception).state, exception.state) in {("rejected", "rejected"), ("approved", "approved")}
    assert asked.votes.count() == (exception.state == "approved")


def test_a_worker_that_dies_half_way_leaves_nothing_half_done(
    committed: None, act_as: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its connection ends between the refusal of the request and that of the exception."""
    from governance.waivers.services import time

    put_in_force(act_as)
    exception = overdue_exception(act_as, REFUSES)
    make_overdue()

    def dies(*_: Any, **__: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with monkeypatch.context() as patched:
        patched.setattr(time, "close", dies)
        assert at_once(lambda: deciding.let_time_pass(actor=SYSTEM)) != [1]
    assert (of(exception).state, ExceptionRequest.objects.get().state) == ("open", "open")
    sweep()
    assert (of(exception).state, ExceptionRequest.objects.get().state) == ("rejected", "rejected")
