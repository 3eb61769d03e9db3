"""Two of a named few open a waiver at once: together, for hours, never for themselves; somebody else reviews it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from governance.accounts.models import User
from governance.accounts.rights import BREAK_GLASS
from governance.approvals.services import delegate, revoke
from governance.enforcement import decision as decisions
from governance.enforcement.decision import decide
from governance.enforcement.services.waivers import break_glass
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.ledger.models import Entry, OutboxEvent
from governance.notifications import recipients
from governance.people.models import Person
from governance.waivers import queries, services
from governance.waivers.models import BreakGlass, Waiver, WaiverCapability
from tests.clock import Clock, moved_clock
from tests.conftest import REFERENCE
from tests.waivers.test_version_in_force import activate

pytestmark = pytest.mark.django_db


@pytest.fixture
def company(in_force: Any, act_as: Any) -> None:
    """The company itself may waive, and beside the lead and the executive a third account may break the glass."""
    activate(act_as, waivable="company")
    User.objects.get(username="lucia").groups.add(Group.objects.get(name=BREAK_GLASS))


@pytest.fixture
def clock(db: None) -> Iterator[Clock]:
    kept = dict(decisions._latest)
    with moved_clock() as clock:
        yield clock
    decisions._latest.clear()
    decisions._latest.update(kept)


def ask(actor: Any, person: str = "p009", **changes: Any) -> BreakGlass:
    values: dict[str, Any] = {"items": [("fable-5", "use")], "hours": 2, "reason": "an incident"} | changes
    return break_glass(actor=actor, reference=REFERENCE, person_id=person, **values)


def confirm(actor: Any, asked: BreakGlass) -> Waiver:
    return services.confirm_break_glass(actor=actor, break_glass_id=asked.pk, digest=asked.digest)


def review(actor: Any, asked: BreakGlass, verdict: str = "needed") -> None:
    services.review_break_glass(actor=actor, break_glass_id=asked.pk, verdict=verdict, words="The log shows why.")


def opened(act_as: Any, person: str = "p009") -> BreakGlass:
    asked = ask(act_as("idris"), person)
    confirm(act_as("maren"), asked)
    asked.refresh_from_db()
    return asked


def test_two_together_open_it_at_once_for_their_hours_and_the_approvers_are_told(
    act_as: Any, company: None, clock: Clock
) -> None:
    asked = ask(act_as("idris"))
    assert decide("p009", "fable-5", "use").code == "directive", "one person opens nothing"
    waiver = confirm(act_as("maren"), asked)
    assert decide("p009", "fable-5", "use").code == "waiver"
    assert waiver.ends_at - waiver.starts_at == timedelta(hours=2)
    told = OutboxEvent.objects.get(topic="break_glass.opened").payload
    assert told["accounts"] == ["idris", "maren", "peter"]
    event = OutboxEvent.objects.get(topic="break_glass.opened")
    names = {User.objects.get(pk=one.user_id).username for one in recipients.of(event)}
    assert names == {"idris", "peter"}, "whoever did it, an act ago, is not told of it"
    assert Entry.objects.filter(action__in=["break_glass.asked", "break_glass.opened"]).count() == 2
    clock.pass_time(hours=2)
    assert decide("p009", "fable-5", "use").code == "directive"


@pytest.mark.parametrize("name", ["hana", "wei", "peter", "anjali", "tomas", "teo", "auditor", "admin"])
def test_nobody_else_breaks_the_glass(name: str, act_as: Any, company: None) -> None:
    with pytest.raises(PermissionRefused):
        ask(act_as(name))
    asked = ask(act_as("idris"))
    with pytest.raises(PermissionRefused):
        confirm(act_as(name), asked)


def test_one_person_is_not_two(act_as: Any, company: None) -> None:
    asked = ask(act_as("idris"))
    with pytest.raises(PermissionRefused, match="A second person"):
        confirm(act_as("idris"), asked)
    now = timezone.now()
    given = delegate(
        actor=act_as("idris"), to=act_as("maren").user, starts_at=now, ends_at=now + timedelta(days=1), reason="away"
    )
    with pytest.raises(PermissionRefused, match="count as one person"):
        confirm(act_as("maren"), asked)
    revoke(actor=act_as("idris"), delegation_id=given.pk)
    confirm(act_as("maren"), asked)
    with pytest.raises(WrongState, match="opened already"):
        confirm(act_as("lucia"), asked)


@pytest.mark.parametrize("who", ["idris", "maren"])
def test_never_for_either_of_them(who: str, act_as: Any, company: None) -> None:
    person = person_of(act_as(who).user)
    with pytest.raises((PermissionRefused, Invalid)):
        confirm(act_as("maren"), ask(act_as("idris"), person.pk))


def person_of(user: User) -> Person:
    return Person.objects.get(email__iexact=user.email)


@pytest.mark.parametrize("way", ["they decide for wei", "wei decides for them"])
@pytest.mark.parametrize("who", ["idris", "maren"])
def test_never_for_whom_they_decide_for(who: str, way: str, act_as: Any, company: None) -> None:
    """Also when the delegation begins between the two."""
    asked = ask(act_as("idris"))
    one, other = (act_as("wei"), act_as(who)) if way == "they decide for wei" else (act_as(who), act_as("wei"))
    now = timezone.now()
    delegate(actor=one, to=other.user, starts_at=now, ends_at=now + timedelta(days=1), reason="away")
    with pytest.raises(PermissionRefused, match="decide for each other"):
        confirm(act_as("maren"), asked)
    with pytest.raises(DatabaseError, match="never for themselves"), transaction.atomic():
        raw(asked, "maren")
    if who == "idris":
        with pytest.raises(PermissionRefused, match="decide for each other"):
            ask(act_as("idris"))


def test_the_second_person_has_a_quarter_of_an_hour(act_as: Any, company: None, clock: Clock) -> None:
    late, timely = ask(act_as("idris")), ask(act_as("idris"))
    clock.pass_time(minutes=14.9)
    confirm(act_as("maren"), timely)
    clock.pass_time(minutes=0.2)
    with pytest.raises(WrongState, match="15 minutes"):
        confirm(act_as("lucia"), late)
    with pytest.raises(DatabaseError, match="within 15 minutes"), transaction.atomic():
        raw(late, "lucia")


@pytest.mark.parametrize("waivable", ["authority", "never"])
def test_only_where_the_company_itself_may_waive(waivable: str, act_as: Any, company: None) -> None:
    asked = ask(act_as("idris"))
    activate(act_as, waivable=waivable)
    with pytest.raises(WrongState, match="Only the company's own waivers"):
        confirm(act_as("maren"), asked)
    with pytest.raises(WrongState, match="Only the company's own waivers"):
        ask(act_as("idris"))
    with pytest.raises(DatabaseError, match="only where the company"), transaction.atomic():
        raw(asked, "maren")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"hours": 0}, "hours"), ({"hours": 5}, "hours"), ({"reason": "  "}, "reason"), ({"items": []}, "capabilities"),
        ({"items": [("gpt-5-5", "use")]}, "capabilities"), ({"items": [("fable-5", "nothing")]}, "capabilities"),
    ],
)  # fmt: skip
def test_what_is_not_acceptable_is_named(changes: dict[str, Any], field: str, act_as: Any, company: None) -> None:
    with pytest.raises(Invalid) as refusal:
        ask(act_as("idris"), **changes)
    assert refusal.value.errors[0][0] == field
    with pytest.raises(Invalid, match="does not keep"):
        ask(act_as("idris"), "p001")
    with pytest.raises(NotFound):
        ask(act_as("idris"), "nobody")


def test_a_changed_request_is_not_confirmed(act_as: Any, company: None) -> None:
    asked = ask(act_as("idris"))
    with pytest.raises(WrongState, match="has changed"):
        services.confirm_break_glass(actor=act_as("maren"), break_glass_id=asked.pk, digest="0" * 64)
    activate(act_as, waivable="company", legal_basis="another")
    with pytest.raises(WrongState, match="has changed"):
        confirm(act_as("maren"), asked)


# -- the review --------------------------------------------------------------------------------------------------------


def test_a_third_person_reviews_it(act_as: Any, company: None) -> None:
    asked = opened(act_as)
    for name in ("idris", "maren"):
        with pytest.raises(PermissionRefused, match="You opened it"):
            review(act_as(name), asked)
    for name in ("hana", "wei", "tomas", "auditor", "admin"):
        with pytest.raises(PermissionRefused):
            review(act_as(name), asked)
    with pytest.raises(Invalid):
        review(act_as("peter"), asked, "perhaps")
    assert queries.reviews_owed_by(act_as("peter").user).get() == asked
    assert not queries.reviews_owed_by(act_as("idris").user).exists()
    review(act_as("peter"), asked)
    assert Entry.objects.get(action="break_glass.reviewed").actor == "peter"
    with pytest.raises(WrongState, match="reviewed already"):
        review(act_as("anjali"), asked)
    assert decide("p009", "fable-5", "use").code == "waiver"


def test_what_was_not_needed_ends_at_once(act_as: Any, company: None) -> None:
    asked = opened(act_as)
    review(act_as("anjali"), asked, "not_needed")
    assert decide("p009", "fable-5", "use").code == "directive"
    assert Waiver.objects.get().ended_by == act_as("anjali").user


def test_hours_follow_on_hours_only_after_a_review(act_as: Any, company: None, clock: Clock) -> None:
    asked, second = opened(act_as), None
    clock.pass_time(hours=3)
    with pytest.raises(WrongState, match="waits for its review"):
        ask(act_as("idris"))
    assert ask(act_as("idris"), "p010"), "somebody else is another matter"
    review(act_as("peter"), asked)
    second = ask(act_as("idris"))
    confirm(act_as("maren"), second)


def test_a_review_falls_due_within_one_business_day_and_is_called_in_once(
    act_as: Any, machine: Any, company: None, clock: Clock
) -> None:
    asked = opened(act_as)
    assert asked.review_due is not None and asked.confirmed_at is not None
    assert timedelta(hours=8) <= asked.review_due - asked.confirmed_at <= timedelta(days=4)
    assert services.tell_overdue_reviews(actor=machine) == 0
    clock.stand_at(asked.review_due)
    assert [services.tell_overdue_reviews(actor=machine) for _ in range(2)] == [1, 0]
    assert OutboxEvent.objects.get(topic="break_glass.review_overdue").payload["accounts"]


# -- the database ------------------------------------------------------------------------------------------------------


def raw(asked: BreakGlass, second: str) -> None:
    connection.cursor().execute(
        "UPDATE waivers_breakglass SET confirmed_by_id = (SELECT id FROM accounts_user WHERE username = %s),"
        " confirmed_at = now(), review_due = now() + interval '9 hours' WHERE id = %s",
        [second, asked.pk],
    )


def as_row(asked: BreakGlass, **changes: Any) -> Callable[[], Any]:
    values = {
        "person": asked.person, "directive": asked.directive, "version": asked.version, "hours": 4, "reason": "x",
        "model_capability_ids": asked.model_capability_ids, "digest": "0" * 64, "opened_by": asked.opened_by,
        "opened_at": timezone.now(),
    }  # fmt: skip
    return lambda: BreakGlass.objects.create(**(values | changes))


def test_the_database_refuses_what_two_people_may_not_do(act_as: Any, company: None) -> None:
    asked = ask(act_as("idris"))
    account = {name: act_as(name).user for name in ("idris", "maren", "peter", "hana", "wei")}
    attempts: list[Callable[[], Any]] = [
        as_row(asked, hours=5),
        as_row(asked, hours=0),
        as_row(asked, model_capability_ids=[]),
        as_row(asked, opened_by=account["hana"]),
        as_row(asked, person=person_of(account["idris"])),
        as_row(asked, confirmed_by=account["maren"], confirmed_at=timezone.now(), review_due=timezone.now()),
        lambda: raw(asked, "idris"),
        lambda: raw(asked, "peter"),
        lambda: raw(asked, "wei"),
        *(
            lambda change=change: connection.cursor().execute(f"UPDATE waivers_breakglass SET {change}")
            for change in ("hours = 4", "person_id = 'p010'", "reason = 'y'", "opened_by_id = confirmed_by_id",
                           "model_capability_ids = '{1}'", "opened_at = now() + interval '1 hour'")
        ),
        lambda: connection.cursor().execute("DELETE FROM waivers_breakglass"),
        lambda: Waiver.objects.create(
            person=asked.person, directive=asked.directive, break_glass=asked, starts_at=timezone.now(),
            ends_at=timezone.now() + timedelta(hours=1),
        ),
    ]  # fmt: skip
    for number, attempt in enumerate(attempts):
        with pytest.raises(DatabaseError), transaction.atomic():
            attempt()
            pytest.fail(f"attempt {number} went through")
    assert not Waiver.objects.exists()


def test_the_database_holds_an_open_one_to_its_hours_its_things_and_its_review(act_as: Any, company: None) -> None:
    asked = opened(act_as)
    waiver = Waiver.objects.get()
    later = "UPDATE waivers_breakglass SET reviewed_by_id = (SELECT id FROM accounts_user WHERE username = '{}'),"
    later += " reviewed_at = now(), verdict = 'needed', review = 'x'"
    other = WaiverCapability(waiver=waiver, model_capability_id=asked.model_capability_ids[0] + 1)
    attempts: list[Callable[[], Any]] = [
        other.save,
        lambda: connection.cursor().execute("UPDATE waivers_waiver SET ends_at = ends_at + interval '1 minute'"),
        lambda: connection.cursor().execute("UPDATE waivers_waiver SET break_glass_id = NULL"),
        lambda: connection.cursor().execute(later.format("idris")),
        lambda: connection.cursor().execute(later.format("maren")),
        lambda: connection.cursor().execute(later.format("wei")),
        lambda: connection.cursor().execute(
            "UPDATE waivers_breakglass SET confirmed_by_id = NULL, confirmed_at = NULL"
        ),
        lambda: connection.cursor().execute(
            "UPDATE waivers_breakglass SET review_due = review_due + interval '9 days'"
        ),
    ]
    for number, attempt in enumerate(attempts):
        with pytest.raises(DatabaseError), transaction.atomic():
            attempt()
            pytest.fail(f"attempt {number} went through")
