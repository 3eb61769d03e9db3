"""Who is told of what becomes of exceptions, waivers, break-glass and held changes: those it concerns, once, never who did it."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from governance.accounts import objects
from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.accounts.object_services import give
from governance.accounts.services import deactivate
from governance.approvals.services import delegate, revoke
from governance.enforcement.models import HeldChange
from governance.enforcement.services.exceptions import ask_for_exception
from governance.enforcement.services.held import decide as decide_held
from governance.enforcement.services.people import import_people
from governance.enforcement.services.roles import create_account, set_roles
from governance.ledger import queries as outbox
from governance.ledger.models import OutboxEvent
from governance.notifications import recipients, services
from governance.notifications.models import Kind, Notification
from governance.people.models import HeldPerson, Organisation, Person
from governance.waivers.models import ExceptionDraft, ExceptionRequest, Waiver
from governance.waivers.queries import concerned_by_version, drafts_of, may_go_on_with
from governance.waivers.services import decline, decline_conditions, revoke_waiver, take_back, withdraw_exception
from tests.conftest import PASSWORD, REFERENCE
from tests.people.test_loosening import people_file
from tests.waivers.test_break_glass import ask as ask_at_once
from tests.waivers.test_break_glass import confirm, review
from tests.waivers.test_exceptions import approve, file
from tests.waivers.test_life import accept, accepting
from tests.waivers.test_version_in_force import activate

pytestmark = pytest.mark.django_db


def told(topic: str) -> dict[str, str]:
    """Whom the last event of a topic concerns, by account, with the words."""
    found = recipients.of(OutboxEvent.objects.filter(topic=topic).latest("pk"))
    assert len({one.user_id for one in found}) == len(found)
    names = dict(User.objects.values_list("pk", "username"))
    return {names[one.user_id]: one.title for one in found}


def ask(actor: Any) -> ExceptionDraft:
    return ask_for_exception(actor=actor, reference=REFERENCE, words="The weekly evaluation stops.")


def read_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """As the worker would, in this test's own transaction."""
    monkeypatch.setattr(outbox, "horizon", lambda: 2**62)
    while services.read_outbox():
        pass


# -- what is asked for -------------------------------------------------------------------------------------------------


@pytest.fixture
def stranger(in_force: Any) -> Any:
    """Ella Tremblay, of a partner, without a manager."""
    return Actor.for_user(User.objects.create_user("ella", "ella.tremblay@example.net", PASSWORD))


def test_the_manager_is_told_and_where_there_is_none_the_owners_and_the_operators(
    act_as: Any, stranger: Any, machine: Any
) -> None:
    ask(act_as("wei"))
    assert told("exception.asked_for") == {"hana": f"Wei Zhang asks you for an exception from {REFERENCE}"}
    User.objects.create_user("owner", "owner@example.net", PASSWORD)
    organisation = Person.objects.get(email="ella.tremblay@example.net").organisation
    give(actor=machine, permission=objects.OWNER, thing=organisation, account="owner")
    ask(stranger)
    assert set(told("exception.asked_for")) == {"lucia", "tomas", "owner"}


def test_those_told_are_those_who_see_the_draft(act_as: Any, stranger: Any, machine: Any) -> None:
    """The two queries say the same of every account, also when managers have no account or are gone."""
    drafts = [ask(act_as("wei")), ask(stranger)]

    def agree() -> None:
        for one in drafts:
            draft = ExceptionDraft.objects.select_related("asked_by__manager", "asked_by__organisation").get(pk=one.pk)
            able = set(may_go_on_with(draft).values_list("username", flat=True))
            sees = {
                user.username
                for user in User.objects.filter(is_active=True)
                if drafts_of(user).filter(pk=draft.pk).exists()
            }
            assert able == sees

    agree()
    give(actor=machine, permission=objects.OWNER, thing=Organisation.objects.get(pk="gridworks"), account="jonas")
    agree()
    deactivate(actor=machine, username="hana")
    agree()
    User.objects.filter(username="tomas").update(email="wei.other@example.org")
    agree()
    ExceptionDraft.objects.filter(pk=drafts[0].pk).update(author=User.objects.get(username="maren"))
    agree()
    deactivate(actor=machine, username="maren")
    agree()


def test_whoever_asked_reads_what_became_of_it_and_the_line_of_the_others_closes(
    act_as: Any, in_force: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = ask(act_as("wei"))
    read_everything(monkeypatch)
    line = Notification.objects.get(user__username="hana", subject=f"exception-draft:{draft.key}")
    assert (line.kind, line.read_at) == (Kind.DECISION, None)
    decline(actor=act_as("hana"), key=draft.key, answer="It can wait.")
    assert told("exception.declined") == {"wei": "The exception that you asked for is not filed: It can wait."}
    read_everything(monkeypatch)
    line.refresh_from_db()
    assert line.read_at is not None
    again = ask(act_as("wei"))
    read_everything(monkeypatch)
    take_back(actor=act_as("wei"), key=again.key)
    assert told("exception.taken_back") == {"hana": "Wei Zhang took back what they asked you for"}
    third = ask(act_as("wei"))
    file(act_as("hana"))
    number = ExceptionRequest.objects.get().pk
    assert told("exception.ask_filed") == {"wei": f"What you asked for is filed: exception {number}"}
    assert told("exception.asked_for") == {"hana": f"Wei Zhang asks you for an exception from {REFERENCE}"}
    third.refresh_from_db()
    assert third.state == "filed"


def test_lines_lead_to_where_it_is_and_are_read_by_the_page(
    sign_in: Any, act_as: Any, in_force: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    draft = ask(act_as("wei"))
    read_everything(monkeypatch)
    hana: Client = sign_in("hana")
    address = f"/exceptions/new?draft={draft.key}"
    assert f'href="{address}"' in hana.get("/notifications/").content.decode()
    assert hana.get(address).status_code == 200
    decline(actor=act_as("hana"), key=draft.key, answer="It can wait.")
    read_everything(monkeypatch)
    assert 'href="/my-access"' in sign_in("wei").get("/notifications/").content.decode()


# -- exceptions --------------------------------------------------------------------------------------------------------


def test_the_filer_is_told_of_declined_and_of_accepted_conditions_and_the_person_that_it_is_open(
    act_as: Any, in_force: Any
) -> None:
    request = accepting(act_as)
    decline_conditions(actor=act_as("wei"), exception_id=request.pk, digest=request.conditions_digest)
    words = f"Wei Zhang did not accept the conditions of exception {request.pk}; nothing opened"
    assert told("exception.conditions_declined") == {"hana": words}
    accept(act_as, accepting(act_as))
    number = Waiver.objects.get().pk
    assert told("exception.approved") == {"hana": f"Wei Zhang accepted the conditions: waiver {number} is open"}


def test_the_person_is_told_when_a_waiver_opens_by_its_approval(act_as: Any, waived: None) -> None:
    waiver = Waiver.objects.get()
    assert told("exception.approved") == {"wei": f"Waiver {waiver.pk} for you is open until {waiver.ends_at:%Y-%m-%d}"}


def test_what_was_approved_and_will_not_open_is_told(act_as: Any, in_force: Any) -> None:
    request = accepting(act_as)
    activate(act_as, waivers="end")
    assert set(told("exception.lapsed")) == {"hana", "wei"}
    still_open = file(act_as("hana"), "p010")
    withdraw_exception(actor=act_as("hana"), exception_id=still_open.pk)
    file(act_as("hana"), "p012")
    activate(act_as, waivers="end")
    assert told("exception.lapsed") == {}  # the approval tells of it
    assert "hana" in told("approval.set_aside")
    request.refresh_from_db()
    assert request.state == "lapsed"


# -- waivers of a new version ------------------------------------------------------------------------------------------


def test_a_version_that_ends_waivers_tells_each_person_the_filer_and_the_manager_once(
    act_as: Any, in_force: Any
) -> None:
    for person in ("p009", "p010", "p012"):
        approve(act_as, file(act_as("hana"), person), "idris", "peter")
    first = Waiver.objects.order_by("pk")[0]
    revoked = Waiver.objects.get(person="p012")
    revoke_waiver(actor=act_as("lucia"), waiver_id=revoked.pk, reason="version 2 of the plan")
    activate(act_as, waivers="end")
    found = told("waivers.settled")
    assert found["wei"] == f"Version 2 of {REFERENCE} ended waiver {first.pk}"
    assert found["hana"] == f"Version 2 of {REFERENCE} ended 2 of the waivers that concern you"
    assert "lucia" not in found
    activate(act_as)
    assert concerned_by_version(REFERENCE, 3) == []


def test_a_version_that_shortens_waivers_tells_so(act_as: Any, in_force: Any) -> None:
    approve(act_as, file(act_as("hana"), days=40), "idris", "peter")
    activate(act_as, waivers="shorten", waivers_days=3)
    number = Waiver.objects.get().pk
    assert told("waivers.settled")["wei"] == f"Version 2 of {REFERENCE} shortened waiver {number}"


def test_many_waivers_are_one_question(act_as: Any, in_force: Any) -> None:
    counts = []
    for people in (("p009",), ("p010", "p012", "p020")):
        for person in people:
            approve(act_as, file(act_as("hana"), person), "idris", "peter")
        activate(act_as, waivers="end")
        event = OutboxEvent.objects.filter(topic="waivers.settled").latest("pk")
        with CaptureQueriesContext(connection) as captured:
            recipients.of(event)
        counts.append(len(captured))
    assert counts[0] == counts[1] <= 3


# -- break-glass, delegations, held changes ----------------------------------------------------------------------------


def test_a_second_of_the_few_is_called_and_both_read_the_review(
    act_as: Any, in_force: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    activate(act_as, waivable="company")
    asked = ask_at_once(act_as("idris"))
    assert set(told("break_glass.asked")) == {"maren"}
    read_everything(monkeypatch)
    confirm(act_as("maren"), asked)
    assert told("break_glass.asked") == {}
    read_everything(monkeypatch)
    assert (
        Notification.objects.get(user__username="maren", kind=Kind.DECISION, subject=asked.subject).read_at is not None
    )
    review(act_as("peter"), asked)
    assert set(told("break_glass.reviewed")) == {"idris", "maren"}


def test_a_delegation_that_ends_is_told_to_the_other_one(act_as: Any) -> None:
    ends = timezone.now() + timedelta(days=2)
    found = delegate(
        actor=act_as("idris"), to=User.objects.get(username="maren"), starts_at=timezone.now(), ends_at=ends, reason="x"
    )
    assert set(told("delegation.begun")) == {"maren"}
    revoke(actor=act_as("maren"), delegation_id=found.pk)
    assert set(told("delegation.revoked")) == {"idris"}


def test_held_changes_call_those_who_may_confirm_and_the_proposer_reads_the_outcome(
    tmp_path: Path, act_as: Any, in_force: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = people_file(tmp_path / "p.csv", {"p009": {"citizenships": "US"}})
    import_people(actor=act_as("teo"), organisations_file=None, people_file=changed)
    found = told("people.imported")
    assert set(found) == {"idris", "peter"}  # teo may, too, and did it
    assert set(found.values()) == {"1 held change waits for a second person"}
    assert "US" not in str(OutboxEvent.objects.filter(topic="people.imported").latest("pk").payload)
    read_everything(monkeypatch)
    assert told("people.imported") == {}  # they have an unread line that says the same
    seen = HeldPerson.objects.get().proposed_at.isoformat()
    decide_held(actor=act_as("peter"), what="person", key="p009", verdict="refuse", seen=seen)
    assert told("held_change.refused") == {"teo": "Your change of person p009 was refused"}
    assert told("people.imported") == {}  # nothing waits any more


def test_held_roles_call_those_who_may_confirm_and_the_proposer_reads_the_outcome(
    act_as: Any, in_force: Any, machine: Any
) -> None:
    create_account(
        actor=machine, username="adam", email="adam@example.net", full_name="A", roles=["administrator"], password=PASSWORD
    )  # fmt: skip
    if HeldChange.objects.filter(key="adam").exists():
        decide_held(actor=act_as("idris"), what="roles", key="adam", verdict="confirm", seen=_proposed("adam"))
    set_roles(actor=act_as("admin"), username="tomas", roles=["operator", "executive"])
    found = told("held_change.proposed")
    assert set(found) == {"adam", "idris", "peter", "teo"}  # admin did it, and tomas gets it
    assert set(found.values()) == {"A held change waits for a second person: roles of an account tomas"}
    decide_held(actor=act_as("idris"), what="roles", key="tomas", verdict="refuse", seen=_proposed("tomas"))
    assert told("held_change.refused") == {"admin": "Your change of roles tomas was refused"}
    assert told("held_change.proposed") == {}  # nothing waits any more


def _proposed(key: str) -> str:
    return HeldChange.objects.get(key=key).proposed_at.isoformat()


def test_every_topic_that_is_published_was_decided_about(
    act_as: Any, in_force: Any, tmp_path: Path, machine: Any
) -> None:
    """A broad life; each topic in the outbox is told to somebody, or it stands why nobody is told."""
    ask(act_as("wei"))
    accept(act_as, accepting(act_as))
    revoke_waiver(actor=act_as("lucia"), waiver_id=Waiver.objects.get().pk, reason="x")
    withdraw_exception(actor=act_as("hana"), exception_id=file(act_as("hana"), "p010").pk)
    import_people(
        actor=machine, organisations_file=None,
        people_file=people_file(tmp_path / "p.csv", {"p009": {"citizenships": "US"}}),
    )  # fmt: skip
    activate(act_as, waivers="end")
    topics = set(OutboxEvent.objects.values_list("topic", flat=True).distinct())
    known = set(recipients.TOPICS) | set(recipients.NOBODY)
    assert {topic for topic in topics - known if not topic.startswith(("directive.", "run."))} == set()
    assert not set(recipients.TOPICS) & set(recipients.NOBODY)
