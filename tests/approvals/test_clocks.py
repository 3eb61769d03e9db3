"""Clocks of requests: hours of business, questions that stop them, reminders, escalations and refusals that come once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.accounts.rights import EXECUTIVE, LEAD
from governance.approvals import hours, queries, services
from governance.approvals.models import Request
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.ledger.models import Entry
from tests.approvals.engine import MACHINE, act, ask, decide, person, policy, stages, user
from tests.clock import Clock, moved_clock
from tests.extended import examples

pytestmark = pytest.mark.django_db
ESCALATING = {
    "name": "Lead", "groups": [LEAD], "due_hours": 4, "remind_hours": 2, "at_end": "escalate", "escalate_to": [EXECUTIVE],
}  # fmt: skip
REFUSING = {"name": "Lead", "groups": [LEAD], "due_hours": 4, "at_end": "refuse"}
WEDNESDAY = datetime(2026, 7, 1, 12, tzinfo=UTC)
ZONES = st.sampled_from(["UTC", "America/New_York", "Europe/Berlin", "Asia/Kolkata"])
# Whole minutes: no test of a calendar gains from fractions, and sums stay exact.
MOMENTS = st.datetimes(datetime(2026, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC)).map(
    lambda moment: moment.replace(second=0, microsecond=0)
)
QUARTERS = st.integers(0, 400).map(lambda number: number / 4)


@pytest.fixture
def clock(db: None) -> Iterator[Clock]:
    with moved_clock() as clock:
        clock.stand_at(WEDNESDAY)
        yield clock


def tick() -> tuple[int, list[int]]:
    """One tick of the schedule: how many were reminded, and which requests time did something to."""
    reminded = services.remind(actor=MACHINE)
    return reminded, [each for each in services.overdue() if services.pass_time(actor=MACHINE, request_id=each)]


def acts(request: Request, act_name: str) -> int:
    return Entry.objects.filter(subject=f"approval:{request.pk}", action=f"approval.{act_name}").count()


# -- hours of business -------------------------------------------------------------------------------------------------


@settings(max_examples=examples(200), deadline=None)
@given(start=MOMENTS, one=QUARTERS, two=QUARTERS, zone=ZONES)
def test_hours_of_business_add_up_grow_and_end_in_business(start: datetime, one: float, two: float, zone: str) -> None:
    from django.test import override_settings

    with override_settings(TIME_ZONE=zone):
        after = hours.after(start, one, business=True)
        assert hours.after(after, two, business=True) == hours.after(start, one + two, business=True) or two == 0
        assert after <= hours.after(start, one + two, business=True)
        assert after >= start + timedelta(hours=one)
        local = after.astimezone(hours.ZoneInfo(zone))
        assert local.weekday() < 5
        assert hours.OPENS <= local.time() <= hours.CLOSES


@settings(max_examples=examples(100), deadline=None)
@given(one=MOMENTS, two=MOMENTS, number=QUARTERS)
def test_what_begins_earlier_is_due_no_later(one: datetime, two: datetime, number: float) -> None:
    first, second = sorted([one, two])
    assert hours.after(first, number, business=True) <= hours.after(second, number, business=True)


@pytest.mark.parametrize(
    ("start", "number", "end"),
    [
        ("2026-07-01T12:00", 4, "2026-07-01T16:00"),
        ("2026-07-01T16:00", 4, "2026-07-02T12:00"),
        ("2026-07-03T16:00", 4, "2026-07-06T12:00"),  # over a weekend
        ("2026-07-04T03:00", 1, "2026-07-06T10:00"),
        ("2026-07-01T05:00", 8, "2026-07-01T17:00"),
    ],
)
def test_hours_of_business_by_example(start: str, number: float, end: str) -> None:
    found = hours.after(datetime.fromisoformat(start).replace(tzinfo=UTC), number, business=True)
    assert found == datetime.fromisoformat(end).replace(tzinfo=UTC)


def test_the_clock_of_a_stage_begins_when_its_turn_comes(clock: Clock) -> None:
    policy(REFUSING, REFUSING | {"name": "Executive", "groups": [EXECUTIVE], "position": 2, "business_hours": True})
    request = ask()
    second = request.stages.get(position=2)
    assert (request.stages.get(position=1).due_at, second.due_at) == (WEDNESDAY + timedelta(hours=4), None)
    clock.pass_time(hours=3)
    decide(request, "idris")
    second.refresh_from_db()
    assert second.due_at == datetime(2026, 7, 2, 11, tzinfo=UTC), "two hours on the first day, two on the next"


# -- reminders, escalations, refusals ----------------------------------------------------------------------------------


def test_a_reminder_comes_once_however_often_the_schedule_ticks(clock: Clock) -> None:
    policy(ESCALATING)
    request = ask()
    assert tick() == (0, [])
    clock.pass_time(hours=2)
    assert [tick(), tick()] == [(1, []), (0, [])]
    assert acts(request, "reminded") == 1


def test_an_escalation_comes_once_and_others_may_decide_too(clock: Clock) -> None:
    policy(ESCALATING)
    request = ask()
    with pytest.raises(PermissionRefused, match="not an approver"):
        decide(request, "maren")
    clock.pass_time(hours=4)
    assert [tick(), tick()] == [(1, [request.pk]), (0, [])]
    assert request in queries.inbox(user("maren"))
    assert request in queries.inbox(user("idris")), "those of the stage may still decide"
    assert decide(request, "maren").state == "approved"
    assert acts(request, "escalated") == 1


@pytest.mark.parametrize("late", [0, 1, 1_000])
def test_time_refuses_once_also_when_ticks_were_missed(late: int, clock: Clock) -> None:
    policy(REFUSING)
    request = ask()
    clock.pass_time(hours=4 + late)
    assert [tick(), tick()] == [(0, [request.pk]), (0, [])]
    request.refresh_from_db()
    assert request.state == "rejected"
    assert acts(request, "rejected") == 1
    with pytest.raises(WrongState, match="closed: rejected"):
        decide(request, "idris")


def test_a_decision_in_the_last_second_is_in_time(clock: Clock) -> None:
    policy(REFUSING)
    request = ask()
    clock.pass_time(hours=4, seconds=-1)
    assert tick() == (0, [])
    assert decide(request, "idris").state == "approved"
    clock.pass_time(hours=10)
    assert tick() == (0, [])


# -- talk --------------------------------------------------------------------------------------------------------------


def test_a_question_stops_the_clock_for_as_long_as_it_is_open(clock: Clock) -> None:
    policy(ESCALATING)
    request = ask()
    clock.pass_time(hours=1)
    services.ask_back(actor=act("idris"), request=request, words="Which dataset?")
    clock.pass_time(hours=30)
    assert tick() == (0, []), "nothing is overdue while the requester is asked"
    given_answer = services.answer(actor=act("lucia"), request=request, words="The small one.")
    assert given_answer.stopped_for == timedelta(hours=30)
    stage = request.stages.get()
    assert (stage.remind_at, stage.due_at) == (WEDNESDAY + timedelta(hours=32), WEDNESDAY + timedelta(hours=34))
    clock.pass_time(hours=1)
    assert tick() == (1, [])
    clock.pass_time(hours=2)
    assert tick() == (0, [request.pk])
    assert Entry.objects.get(action="approval.answered").record.count('"seconds":108000') == 1


def test_questions_are_for_those_who_could_decide_and_answers_for_the_requester(clock: Clock) -> None:
    request = ask()
    for name in ("lucia", "teo"):
        with pytest.raises(PermissionRefused):
            services.ask_back(actor=act(name), request=request, words="Why?")
    with pytest.raises(WrongState, match="No question is open"):
        services.answer(actor=act("lucia"), request=request, words="Because.")
    services.ask_back(actor=act("idris"), request=request, words="Why?")
    with pytest.raises(WrongState, match="requester's turn"):
        services.ask_back(actor=act("peter"), request=request, words="Why?")
    with pytest.raises(PermissionRefused, match="person who asked"):
        services.answer(actor=act("peter"), request=request, words="Because.")
    assert decide(request, "maren").state == "approved", "a question keeps nobody from deciding"


def test_comments_are_by_those_who_take_part(clock: Clock) -> None:
    request = ask()
    for name in ("lucia", "idris"):
        services.comment(actor=act(name), request=request, words="Seen.")
    with pytest.raises(PermissionRefused):
        services.comment(actor=act("teo"), request=request, words="Seen.")
    for words in ("", "  ", "x" * 2_001, "a\x00b"):
        with pytest.raises(Invalid):
            services.comment(actor=act("lucia"), request=request, words=words)
    assert [each.author.username for each in request.comments.all()] == ["lucia", "idris"]


def test_an_edit_ends_an_open_question(clock: Clock) -> None:
    policy(REFUSING)
    request = ask()
    services.ask_back(actor=act("idris"), request=request, words="Why?")
    services.revise(actor=act("lucia"), request=request, content_digest="e" * 64, summary="clearer")
    request.refresh_from_db()
    assert request.stopped_at is None
    clock.pass_time(hours=4)
    assert tick() == (0, [request.pk])


def test_a_lead_names_somebody_who_then_decides_by_name(clock: Clock) -> None:
    policy({"name": "Lead", "groups": [LEAD]})
    request = ask()
    stage = request.stages.get().pk
    services.hand_over(actor=act("idris"), request=request, stage_id=stage, to=user("teo"), reason="I am ill")
    assert request in queries.inbox(user("teo"))
    with pytest.raises(WrongState, match="can decide this stage already"):
        services.hand_over(actor=act("idris"), request=request, stage_id=stage, to=user("teo"), reason="again")
    with pytest.raises(Invalid):
        services.hand_over(actor=act("idris"), request=request, stage_id=stage, to=user("jonas"), reason=" ")
    assert decide(request, "teo").state == "approved"
    assert acts(request, "handed_over") == 1
    with pytest.raises(WrongState):
        services.hand_over(actor=act("idris"), request=request, stage_id=stage, to=user("jonas"), reason="late")
    with pytest.raises(NotFound):
        services.hand_over(
            actor=act("idris"), request=ask(subject="directive:Y"), stage_id=stage, to=user("jonas"), reason="x"
        )


def test_whoever_was_named_and_left_decides_nothing(clock: Clock) -> None:
    policy({"name": "Lead", "groups": [LEAD]})
    person("second", LEAD)
    request = ask()
    services.hand_over(
        actor=act("idris"), request=request, stage_id=request.stages.get().pk, to=user("teo"), reason="I am ill"
    )
    person_left = user("teo")
    person_left.is_active = False
    person_left.save()
    with pytest.raises(PermissionRefused):
        decide(request, "teo")
    assert stages(request) == ["Lead"]
