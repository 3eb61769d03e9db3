"""The life of a waiver after its approval: it opens and closes by the clock, by the person's word, by those who may end it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from governance.accounts.models import User
from governance.catalog.models import AIModel
from governance.directives.content import Reader, ScopeLine
from governance.enforcement import decision as decisions
from governance.enforcement import previews
from governance.enforcement.candidates import of_version
from governance.enforcement.decision import decide
from governance.enforcement.population import who_can_use
from governance.enforcement.services import lifecycle
from governance.enforcement.services.waivers import renew_waiver
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.ledger.models import Entry, OutboxEvent
from governance.notifications import recipients
from governance.people.models import Person
from governance.waivers import conditions, services
from governance.waivers.models import Acceptance, Condition, ExceptionRequest, Licence, Waiver
from governance.waivers.services import decide_exception
from tests.clock import Clock, moved_clock
from tests.conftest import REFERENCE
from tests.waivers.test_exceptions import approve, file
from tests.waivers.test_version_in_force import activate, directive, new_version

pytestmark = pytest.mark.django_db


@pytest.fixture
def clock(db: None) -> Iterator[Clock]:
    """The database's clock under control; what this process keeps of it is forgotten afterwards."""
    kept = dict(decisions._latest)
    with moved_clock() as clock:
        yield clock
    decisions._latest.clear()
    decisions._latest.update(kept)


def permitted(person: str = "p009") -> bool:
    """Whether the waiver answers the directive: asked of the decision, of the search, and of the preview's SQL."""
    decided = decide(person, "fable-5", "use")
    searched = person in (who_can_use("fable-5", "use") or [])
    waiver = Waiver.objects.select_related("directive__version_in_force").get(person=person)
    assert waiver.directive.version_in_force is not None
    kept = previews.preview_of(of_version(waiver.directive.version_in_force), fingerprint=False).keep_by_waiver
    assert decided.permit == searched == (kept == 1), (decided.code, searched, kept)
    return decided.permit


def test_a_waiver_opens_and_closes_at_the_exact_second_of_its_bounds(waived: None, clock: Clock) -> None:
    """No worker runs, nothing is written: the clock alone."""
    waiver = Waiver.objects.get()
    asked = (
        (waiver.starts_at - timedelta(seconds=1), False),
        (waiver.starts_at, True),
        (waiver.ends_at - timedelta(seconds=1), True),
        (waiver.ends_at - timedelta(microseconds=1), True),
        (waiver.ends_at, False),
        (waiver.ends_at + timedelta(seconds=1), False),
    )
    decisions._latest.clear()
    for moment, wanted in asked:
        clock.stand_at(moment)
        assert permitted() is wanted, moment


# -- conditions --------------------------------------------------------------------------------------------------------


def accepting(act_as: Any, **changes: Any) -> ExceptionRequest:
    request = file(act_as("hana"), **({"mitigation": "supervised"} | changes))
    approve(act_as, request, "idris", "peter")
    request.refresh_from_db()
    assert request.state == "accepting"
    return request


def accept(act_as: Any, request: ExceptionRequest, name: str = "wei", digest: str | None = None) -> None:
    given = conditions.digest(conditions.of(request)) if digest is None else digest
    services.accept_conditions(actor=act_as(name), exception_id=request.pk, digest=given)


@pytest.mark.parametrize("changes", [{}, {"mitigation": "none"}], ids=str)
def test_one_without_conditions_opens_at_approval(changes: dict[str, Any], act_as: Any, in_force: Any) -> None:
    approve(act_as, file(act_as("hana"), **changes), "idris", "peter")
    assert decide("p009", "fable-5", "use").code == "waiver"


@pytest.mark.parametrize("changes", [{}, {"mitigation": "", "conditions": "Only on Tuesdays."}], ids=str)
def test_one_with_conditions_opens_when_the_person_accepts_them(
    changes: dict[str, Any], act_as: Any, in_force: Any
) -> None:
    request = accepting(act_as, **changes)
    assert decide("p009", "fable-5", "use").code == "directive"
    assert not Waiver.objects.exists()
    accept(act_as, request)
    assert decide("p009", "fable-5", "use").code == "waiver"
    entry = Entry.objects.get(action="exception.accepted")
    assert (entry.actor, request.conditions_digest) == ("wei", Acceptance.objects.get().digest)
    with pytest.raises(WrongState, match="does not wait for you"):
        accept(act_as, request)


def test_an_approver_adds_a_condition_and_earlier_decisions_stay(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    approve(act_as, request, "idris")
    decide_exception(
        actor=act_as("peter"), exception_id=request.pk, verdict="approve", condition="Write down what you asked for."
    )
    request.refresh_from_db()
    assert request.state == "accepting"
    assert conditions.of(request) == ["Write down what you asked for."]
    accept(act_as, request)
    assert decide("p009", "fable-5", "use").code == "waiver"


def test_nobody_but_an_approver_adds_a_condition(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    for name in ("hana", "wei", "peter", "lucia"):
        with pytest.raises(PermissionRefused):
            decide_exception(actor=act_as(name), exception_id=request.pk, verdict="approve", condition="x")
    assert not Condition.objects.exists()


def test_only_the_person_accepts_and_only_what_was_approved(act_as: Any, in_force: Any) -> None:
    request = accepting(act_as)
    for name in ("hana", "idris", "peter", "lucia", "admin", "jonas"):
        with pytest.raises(NotFound):
            accept(act_as, request, name)
    with pytest.raises(WrongState, match="not the conditions"):
        accept(act_as, request, digest="0" * 64)
    assert decide("p009", "fable-5", "use").code == "directive"


def test_the_database_opens_nothing_before_the_person_accepted(act_as: Any, in_force: Any) -> None:
    request = accepting(act_as)
    hana = act_as("hana").user
    with pytest.raises(DatabaseError, match="by the person alone"), transaction.atomic():
        Acceptance.objects.create(request=request, account=hana, digest=request.conditions_digest, at=request.filed_at)
    with pytest.raises(DatabaseError, match="while an exception is decided"), transaction.atomic():
        Condition.objects.create(request=request, text="x", author=act_as("peter").user, at=request.filed_at)
    with pytest.raises(DatabaseError, match="conditions are fixed"), transaction.atomic():
        connection.cursor().execute("UPDATE waivers_exceptionrequest SET conditions_digest = repeat('0', 64)")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE waivers_exceptionrequest SET state = 'approved'")
    request.refresh_from_db()
    with pytest.raises(DatabaseError, match="has accepted them"), transaction.atomic():
        Waiver.objects.create(
            person=request.person, directive=request.directive, request=request, licence=request.licence,
            starts_at=request.decided_at, ends_at=request.decided_at + timedelta(days=1),
        )  # fmt: skip


def test_the_filer_takes_back_what_was_not_accepted(act_as: Any, in_force: Any) -> None:
    request = accepting(act_as)
    with pytest.raises(WrongState, match="asks for that already"):
        file(act_as("hana"))
    services.withdraw_exception(actor=act_as("hana"), exception_id=request.pk)
    with pytest.raises(WrongState):
        accept(act_as, request)


# -- revocation --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["lucia", "idris", "peter", "anjali"])
def test_operators_and_legal_revoke_at_once_with_a_reason(name: str, act_as: Any, waived: None) -> None:
    waiver = Waiver.objects.get()
    for reason in ("", "  ", "x" * 201):
        with pytest.raises(Invalid):
            services.revoke_waiver(actor=act_as(name), waiver_id=waiver.pk, reason=reason)
    services.revoke_waiver(actor=act_as(name), waiver_id=waiver.pk, reason="The session was not supervised.")
    assert decide("p009", "fable-5", "use").code == "directive"
    waiver.refresh_from_db()
    assert (waiver.ended_by, waiver.end_reason) == (act_as(name).user, "The session was not supervised.")
    assert Entry.objects.get(action="waiver.revoked").actor == name
    assert OutboxEvent.objects.get(topic="waiver.revoked").payload["person"] == "p009"
    with pytest.raises(WrongState, match="has ended already"):
        services.revoke_waiver(actor=act_as(name), waiver_id=waiver.pk, reason="again")


@pytest.mark.parametrize("name", ["hana", "wei", "teo", "maren", "auditor", "admin"])
def test_nobody_else_revokes(name: str, act_as: Any, waived: None) -> None:
    with pytest.raises(PermissionRefused):
        services.revoke_waiver(actor=act_as(name), waiver_id=Waiver.objects.get().pk, reason="x")
    with pytest.raises(NotFound):
        services.revoke_waiver(actor=act_as("lucia"), waiver_id=999_999, reason="x")


# -- renewal and reminders ---------------------------------------------------------------------------------------------


def test_a_renewal_is_a_new_request_that_carries_everything_over(act_as: Any, in_force: Any) -> None:
    former = accepting(act_as, conditions="Only on Tuesdays.")
    accept(act_as, former)
    waiver = Waiver.objects.get()
    renewed = renew_waiver(actor=act_as("hana"), waiver_id=waiver.pk)
    for name in ("reason", "days", "mitigation", "conditions", "licence", "person", "directive"):
        assert getattr(renewed, name) == getattr(former, name), name
    assert renewed.renews == waiver
    assert list(renewed.model_capabilities.all()) == list(former.model_capabilities.all())
    with pytest.raises(WrongState, match="asks for that already"):
        renew_waiver(actor=act_as("hana"), waiver_id=waiver.pk)
    approve(act_as, renewed, "idris", "peter")
    accept(act_as, renewed)
    assert Waiver.objects.count() == 2


@pytest.mark.parametrize(
    ("name", "refusal"),
    [("wei", PermissionRefused), ("lucia", PermissionRefused), ("jonas", NotFound), ("teo", NotFound)],
)
def test_nobody_else_renews(name: str, refusal: type[Exception], act_as: Any, waived: None) -> None:
    with pytest.raises(refusal):
        renew_waiver(actor=act_as(name), waiver_id=Waiver.objects.get().pk)


def test_who_filed_it_renews_it_also_when_the_person_reports_to_somebody_else_now(act_as: Any, waived: None) -> None:
    Person.objects.filter(pk="p009").update(manager=None)
    assert renew_waiver(actor=act_as("hana"), waiver_id=Waiver.objects.get().pk).filer == act_as("hana").user


def test_a_licence_that_fits_no_more_is_not_carried_over(act_as: Any, waived: None, clock: Clock) -> None:
    Licence.objects.update(valid_until=Waiver.objects.get().ends_at)
    Licence.objects.update(valid_from=timezone.now() - timedelta(days=9))
    clock.pass_time(days=10)
    renewed = renew_waiver(actor=act_as("hana"), waiver_id=Waiver.objects.get().pk)
    assert renewed.licence is None


def test_reminders_come_once_and_before_the_end(act_as: Any, machine: Any, waived: None, clock: Clock) -> None:
    waiver = Waiver.objects.get()
    told = []
    for moment in (
        waiver.starts_at, waiver.ends_at - timedelta(days=3, seconds=1), waiver.ends_at - timedelta(days=3),
        waiver.ends_at - timedelta(days=1), waiver.ends_at + timedelta(days=1),
    ):  # fmt: skip
        clock.stand_at(moment)
        told.append(services.remind_ending(actor=machine))
    assert told == [0, 0, 1, 0, 0]
    assert OutboxEvent.objects.get(topic="waiver.ending_soon").payload["waiver"] == waiver.pk


def test_a_missed_tick_reminds_later_and_a_short_waiver_at_half_its_term(
    act_as: Any, machine: Any, in_force: Any, clock: Clock
) -> None:
    approve(act_as, file(act_as("hana"), days=2), "idris", "peter")
    waiver = Waiver.objects.get()
    clock.stand_at(waiver.starts_at + timedelta(hours=23))
    assert services.remind_ending(actor=machine) == 0
    clock.stand_at(waiver.ends_at - timedelta(seconds=1))
    assert services.remind_ending(actor=machine) == 1


# -- a new version -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "days", "settled"),
    [
        ({}, 10, (1, 0, 0)),
        ({"waivers": "shorten", "waivers_days": 3}, 3, (0, 1, 0)),
        ({"waivers": "shorten", "waivers_days": 30}, 10, (1, 0, 0)),
        ({"waivers": "shorten", "waivers_until": "in two days"}, 2, (0, 1, 0)),
        ({"waivers": "end"}, 0, (0, 0, 1)),
        ({"scope": "mythos-5 only"}, 0, (0, 0, 1)),
    ],
    ids=str,
)
def test_a_version_says_what_becomes_of_waivers_and_the_preview_counts_them(
    changes: dict[str, Any], days: int, settled: tuple[int, int, int], act_as: Any, waived: None
) -> None:
    if "scope" in changes:
        changes = {"scope": (ScopeLine(AIModel.objects.get(slug="mythos-5").pk, None),), "include_derived": False}
    if "waivers_until" in changes:
        changes = changes | {"waivers_until": timezone.now() + timedelta(days=2)}
    former = Waiver.objects.get()
    new_version(act_as, **changes)
    version = directive().versions.get(number=2)
    figures = previews.as_json(of_version(version), previews.preview_of(of_version(version)))
    assert figures["waivers"] == dict(zip(("kept", "shortened", "ended"), settled, strict=True))
    activated = lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE)
    waiver = Waiver.objects.get()
    if days == 10:
        assert (waiver.ends_at, waiver.ended_at) == (former.ends_at, None)
    elif days:
        version = activated.version
        assert version.in_force_at is not None
        left = waiver.ends_at - version.in_force_at
        assert abs(left - timedelta(days=days)) < timedelta(seconds=30)
        assert waiver.end_reason == "version 2 shortened it"
        assert decide("p009", "fable-5", "use").code == "waiver"
    else:
        assert waiver.ended_at is not None
        assert decide("p009", "fable-5", "use").code != "waiver"
    recorded = Entry.objects.filter(action="waivers.settled")
    assert recorded.exists() is (settled != (1, 0, 0))


def test_what_was_asked_for_before_runs_no_longer_than_the_version_lets_waivers_run(act_as: Any, in_force: Any) -> None:
    request = file(act_as("hana"))
    activate(act_as, waivers="shorten", waivers_days=2)
    approve(act_as, request, "idris", "peter")
    waiver = Waiver.objects.get()
    assert timedelta(days=1, hours=23) < waiver.ends_at - waiver.starts_at <= timedelta(days=2)
    later = file(act_as("hana"), "p010")
    approve(act_as, later, "idris", "peter")
    assert Waiver.objects.get(person="p010").ends_at - timezone.now() > timedelta(days=9)


@pytest.mark.parametrize(
    "stated",
    [
        "shorten", {"then": "shorten"}, {"then": "shorten", "days": 0}, {"then": "shorten", "days": 91},
        {"then": "shorten", "days": 3, "until": "2031-01-01T00:00:00Z"}, {"then": "keep", "days": 3}, {"then": "x"}, 3,
    ],
    ids=str,
)  # fmt: skip
def test_a_file_says_shorten_with_days_or_a_time(stated: Any, db: None) -> None:
    reader = Reader.of_catalog()
    reader.waiver_policy({"waivers": stated}, "d")
    assert reader.errors and reader.errors[0][0].startswith("d.waivers")
    reader = Reader.of_catalog()
    assert reader.waiver_policy({"waivers": {"then": "shorten", "days": 3}}, "d") == ("shorten", 3, None)
    assert reader.waiver_policy({"waivers": {"then": "end"}}, "d") == ("end", None, None)
    assert reader.waiver_policy({"waivers": "end"}, "d") == ("end", None, None)
    assert not reader.errors


def test_a_version_cannot_shorten_to_a_time_that_has_passed(act_as: Any, waived: None) -> None:
    with pytest.raises(Invalid, match="lies in the past"):
        new_version(act_as, waivers="shorten", waivers_until=timezone.now() - timedelta(days=1))


# -- who is told -------------------------------------------------------------------------------------------------------


def told(topic: str) -> set[str]:
    """The accounts that the newest event of a topic concerns."""
    found = recipients.of(OutboxEvent.objects.filter(topic=topic).latest("pk"))
    return set(User.objects.filter(pk__in=[one.user_id for one in found]).values_list("username", flat=True))


def test_the_person_the_manager_and_who_filed_it_are_told(
    act_as: Any, machine: Any, waived: None, clock: Clock
) -> None:
    waiver = Waiver.objects.get()
    clock.stand_at(waiver.ends_at - timedelta(days=1))
    services.remind_ending(actor=machine)
    assert told("waiver.ending_soon") == {"wei", "hana"}
    services.revoke_waiver(actor=act_as("anjali"), waiver_id=waiver.pk, reason="The log is missing.")
    assert told("waiver.revoked") == {"wei", "hana"}


def test_the_person_is_told_that_conditions_wait(act_as: Any, in_force: Any) -> None:
    request = accepting(act_as)
    assert told("exception.accepting") == {"wei"}
    accept(act_as, request)
    assert told("exception.accepting") == set()
