"""Affected people and their managers are told, once, when access goes and when it comes back; whatever crashes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection
from django.test.utils import CaptureQueriesContext

from governance.communications import queries, services
from governance.communications.models import Announcement, Audience, Message, Release, Told
from governance.communications.services.planning import release_due
from governance.communications.states import AnnouncementState, MailState
from governance.directives import services as directives
from governance.enforcement.services import lifecycle, runs
from governance.errors import Invalid, PermissionRefused, WrongState
from governance.ledger.models import Entry
from governance.moments import now
from governance.people.models import Person
from tests.conftest import EXPECTED, REFERENCE

pytestmark = pytest.mark.django_db


def tell(machine: Any) -> None:
    """What the scheduled task does, until nothing is left to do."""
    services.follow_runs(actor=machine)
    release_due(actor=machine)
    while services.write_some(actor=machine):
        pass
    while services.send_some():
        pass
    while services.write_some(actor=machine):
        pass


def suspend(act_as: Callable[[str], Any]) -> None:
    lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act="suspension", reason="the court stayed it")
    lifecycle.vote(actor=act_as("maren"), reference=REFERENCE, verdict="approve")


def test_everybody_who_loses_access_is_told_once_and_so_are_their_managers(in_force: Any, machine: Any) -> None:
    tell(machine)
    announcement = Announcement.objects.get()
    assert announcement.state == AnnouncementState.FINISHED
    off = Message.objects.filter(audience=Audience.OFF)
    assert off.count() == EXPECTED["directives"][REFERENCE]["lose_access"]
    assert off.count() == off.values("person").distinct().count()
    managers = set(Person.objects.filter(pk__in=off.values("person__manager")).values_list("pk", flat=True))
    assert set(Message.objects.filter(audience=Audience.OFF_MANAGER).values_list("person", flat=True)) == managers
    assert len(mail.outbox) == Message.objects.count()
    tell(machine)
    assert len(mail.outbox) == Message.objects.count(), "nobody is told twice"


def test_access_that_comes_back_is_told_and_so_is_access_that_goes_again(
    in_force: Any, machine: Any, act_as: Any
) -> None:
    tell(machine)
    off = set(Message.objects.filter(audience=Audience.OFF).values_list("person", flat=True))
    suspend(act_as)
    tell(machine)
    suspension = Announcement.objects.get(occasion="suspension")
    back = suspension.messages.filter(audience=Audience.BACK)
    assert set(back.values_list("person", flat=True)) == off
    assert suspension.messages.filter(audience=Audience.BACK_MANAGER).exists()
    assert not Told.objects.exclude(items=[]).exists()
    lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act="resumption", reason="the stay ended")
    lifecycle.vote(actor=act_as("maren"), reference=REFERENCE, verdict="approve")
    tell(machine)
    again = Announcement.objects.get(occasion="resumption").messages.filter(audience=Audience.OFF)
    assert set(again.values_list("person", flat=True)) == off


def test_what_was_lifted_before_anybody_was_told_is_not_told(in_force: Any, machine: Any, act_as: Any) -> None:
    suspend(act_as)
    tell(machine)
    assert not Message.objects.exists()
    assert not mail.outbox


def test_messages_say_what_since_when_and_what_to_do_and_no_attribute(in_force: Any, machine: Any) -> None:
    tell(machine)
    sent = next(
        one for one in mail.outbox if one.to == [Person.objects.get(pk="p009").email] and "can’t" in one.subject
    )
    assert "Fable 5" in sent.subject
    assert "It is not about anything you did" in sent.body
    assert "/my-access" in sent.body
    for one in mail.outbox:
        words = f"{one.subject} {one.body}".lower().replace("ask anybody for their citizenship or residency", "")
        assert not any(word in words for word in ("china", "citizen", "residenc", "visa", "nationality", "{", "}"))
    manager = next(one for one in mail.outbox if one.subject.startswith("Some of your people"))
    names = set(Person.objects.values_list("family_name", flat=True)) - {""}
    assert not any(f" {name}" in manager.body for name in names), "a manager finds the names on the page"


def test_held_messages_wait_for_counsel_or_their_time(in_force_later: Any, machine: Any, act_as: Any) -> None:
    held = Announcement.objects.get()
    assert held.state == AnnouncementState.HELD
    assert not Message.objects.exists()
    with pytest.raises(PermissionRefused):
        services.release(actor=act_as("lucia"), announcement_id=held.pk)
    services.save_wording(
        actor=act_as("peter"),
        reference=REFERENCE,
        number=1,
        audience="off",
        subject="Off: {models}",
        body="Since {since}.",
    )
    services.release(actor=act_as("peter"), announcement_id=held.pk)
    tell(machine)
    assert any(one.subject.startswith("Off: ") for one in mail.outbox)
    with pytest.raises(WrongState):
        services.release(actor=act_as("peter"), announcement_id=held.pk)


def test_held_messages_go_by_themselves_when_their_time_has_come(in_force_later: Any, machine: Any) -> None:
    Announcement.objects.update(hold_until=now() - timedelta(seconds=1))
    tell(machine)
    assert Announcement.objects.get().state == AnnouncementState.FINISHED
    assert mail.outbox


def test_held_messages_of_what_is_lifted_are_overtaken(in_force_later: Any, machine: Any, act_as: Any) -> None:
    suspend(act_as)
    tell(machine)
    assert Announcement.objects.get(occasion="activation").state == AnnouncementState.OVERTAKEN
    assert not mail.outbox


def test_stopped_messages_are_not_sent(in_force_later: Any, machine: Any, act_as: Any) -> None:
    held = Announcement.objects.get()
    with pytest.raises(PermissionRefused):
        services.stop(actor=act_as("lucia"), announcement_id=held.pk, reason="no")
    with pytest.raises(Invalid):
        services.stop(actor=act_as("peter"), announcement_id=held.pk, reason=" ")
    services.stop(actor=act_as("peter"), announcement_id=held.pk, reason="the authority forbids it")
    tell(machine)
    assert not mail.outbox


def test_stopping_half_way_drops_what_was_not_handed_over(in_force: Any, machine: Any, act_as: Any) -> None:
    services.follow_runs(actor=machine)
    while services.write_some(actor=machine):
        pass
    first = services.send_some()
    services.stop(
        actor=act_as("lucia"), announcement_id=Announcement.objects.get().pk, reason="a wrong sentence"
    )  # fmt: skip
    tell(machine)
    assert len(mail.outbox) == first
    assert Message.objects.filter(mail=MailState.DROPPED).count() == Message.objects.count() - first


def test_a_correction_goes_to_exactly_those_who_got_the_first(in_force: Any, machine: Any, act_as: Any) -> None:
    tell(machine)
    first = Announcement.objects.get()
    got = set(first.messages.filter(audience="off").values_list("person", flat=True))
    suspend(act_as)  # whoever is covered now makes no difference
    words = {"audience": "off", "subject": "A correction", "body": "The date was wrong, {first_name}."}
    with pytest.raises(WrongState):
        services.correct(actor=act_as("lucia"), announcement_id=first.pk, seen=len(got) + 1, **words)
    services.correct(actor=act_as("lucia"), announcement_id=first.pk, seen=len(got), **words)
    tell(machine)
    correction = Announcement.objects.get(occasion="correction")
    assert set(correction.messages.values_list("person", flat=True)) == got
    assert correction.state == AnnouncementState.FINISHED
    assert sum(one.subject == "A correction" for one in mail.outbox) == len(got)


@pytest.mark.parametrize(
    ("subject", "body", "field"),
    [("", "x", "subject"), ("x", "", "body"), ("x", "{citizenships}", "body"), ("x{", "y", "subject"), ("x" * 151, "y", "subject")],
)  # fmt: skip
def test_words_that_cannot_be_sent_are_refused_with_the_field(act_as: Any, subject: str, body: str, field: str) -> None:
    with pytest.raises(Invalid) as refused:
        services.save_wording(
            actor=act_as("lucia"), reference=REFERENCE, number=1, audience="off", subject=subject, body=body
        )
    assert field in dict(refused.value.errors)


def test_who_may_not_prepare_messages(act_as: Any) -> None:
    for name in ("hana", "wei", "auditor", "admin", "maren", "teo"):
        with pytest.raises(PermissionRefused):
            services.save_wording(
                actor=act_as(name), reference=REFERENCE, number=1, audience="off", subject="a", body="b"
            )
        with pytest.raises(PermissionRefused):
            services.hold(actor=act_as(name), reference=REFERENCE, number=1, until=now() + timedelta(hours=1))


def test_people_who_come_under_it_later_are_told_and_whoever_leaves_it_is_told_too(
    in_force: Any, machine: Any, act_as: Any
) -> None:
    tell(machine)
    before = set(Told.objects.exclude(items=[]).values_list("person_id", flat=True))
    one = sorted(before)[0]
    Person.objects.filter(pk=one).update(citizenships=["US"])
    from governance.communications import reach

    directive = Announcement.objects.get().directive
    assert reach.anybody(directive.pk, directive.version_in_force_id)
    found, _ = reach.count(directive.pk, directive.version_in_force_id)
    assert (found.off, found.back) == (0, 1)


def test_the_plan_counts_what_is_then_told(act_as: Any, machine: Any) -> None:
    from governance.directives.models import DirectiveVersion
    from tests.conftest import put_in_force

    version = DirectiveVersion.objects.select_related("directive").get(directive__reference=REFERENCE)
    planned = queries.plan(version).reach
    put_in_force(act_as)
    tell(machine)
    told = {audience: Message.objects.filter(audience=audience).count() for audience in Audience.values}
    assert (planned.off, planned.off_managers, planned.verify, planned.back) == (
        told["off"], told["off_manager"], told["verify"], told["back"],
    )  # fmt: skip
    assert planned.off == EXPECTED["directives"][REFERENCE]["lose_access"]


def test_the_ledger_names_nobody(in_force: Any, machine: Any) -> None:
    tell(machine)
    entries = Entry.objects.filter(action__startswith="announcement.")
    assert {entry.action.partition(".")[2] for entry in entries} >= {
        "begun",
        "released",
        "chunk_done",
        "written",
        "finished",
    }
    for entry in entries:
        assert "person:" not in entry.record
        assert "p009" not in entry.record


def test_writing_and_sending_ask_as_many_questions_for_many_people(in_force: Any, machine: Any) -> None:
    services.follow_runs(actor=machine)
    with CaptureQueriesContext(connection) as captured:
        services.write_some(actor=machine)
    assert len(captured) <= 25, [query["sql"][:90] for query in captured]


def test_what_came_back_is_listed_and_sent_again_by_hand(in_force: Any, machine: Any, act_as: Any) -> None:
    tell(machine)
    message = Message.objects.filter(mail=MailState.SENT).first()
    assert message is not None
    note = bounce(message)
    services.note_bounce(actor=machine, notification=note)
    services.note_bounce(actor=machine, notification=note)
    message.refresh_from_db()
    assert (message.mail, message.problem) == (MailState.BOUNCED, "5.1.1")
    assert list(queries.not_delivered(message.announcement)) == [message]
    before = len(mail.outbox)
    services.send_again(actor=act_as("lucia"), message_id=message.pk)
    tell(machine)
    message.refresh_from_db()
    assert message.mail == MailState.SENT
    assert len(mail.outbox) == before + 1
    with pytest.raises(WrongState):
        services.send_again(actor=act_as("lucia"), message_id=message.pk)


def test_only_a_notification_of_a_failure_of_ours_counts(in_force: Any, machine: Any, act_as: Any) -> None:
    tell(machine)
    message = Message.objects.filter(mail=MailState.SENT).first()
    assert message is not None
    with pytest.raises(Invalid):
        services.note_bounce(actor=machine, notification=b"Subject: hello\n\nI am away.")
    with pytest.raises(Invalid):
        services.note_bounce(actor=machine, notification=bounce(message).replace(b"Action: failed", b"Action: delayed"))
    with pytest.raises(PermissionRefused):
        services.note_bounce(actor=act_as("lucia"), notification=bounce(message))
    message.refresh_from_db()
    assert message.mail == MailState.SENT


def bounce(message: Message) -> bytes:
    from governance.communications.services.sending import message_id

    return f"""From: MAILER-DAEMON@mail.example
Subject: Undelivered Mail Returned to Sender
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain

It could not be delivered.
--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mail.example

Final-Recipient: rfc822; somebody@mail.example
Action: failed
Status: 5.1.1
--b
Content-Type: message/rfc822

Message-ID: {message_id(message)}
Subject: x

y
--b--
""".encode()


def test_the_messages_of_the_next_version_are_held_apart_from_those_that_are_held_now(
    in_force_later: Any, act_as: Any
) -> None:
    held = Announcement.objects.get().hold_until
    directives.draft_new_version(actor=act_as("anjali"), reference=REFERENCE)
    until = now() + timedelta(hours=9)
    services.hold(actor=act_as("lucia"), reference=REFERENCE, number=2, until=until)
    assert (Announcement.objects.get().hold_until, Release.objects.get(version__number=2).hold_until) == (held, until)


@pytest.fixture
def in_force_later(db: None, act_as: Any, machine: Any) -> Any:
    """In force, its messages held for counsel for an hour."""
    services.hold(actor=act_as("lucia"), reference=REFERENCE, number=1, until=now() + timedelta(hours=1))
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="approve")
    done = lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE)
    runs.complete(run_id=done.run.pk, worker="test")
    tell(machine)
    return done


def test_a_change_of_people_is_followed_by_the_outbox_once(
    in_force: Any, machine: Any, act_as: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from governance.ledger import queries as outbox
    from governance.ledger import services as ledger

    monkeypatch.setattr(outbox, "horizon", lambda: 2**62)  # within one transaction nothing is settled
    tell(machine)
    services.follow(actor=machine)
    assert not Announcement.objects.filter(occasion="follow_up").exists(), "nothing to tell"
    one = Told.objects.exclude(items=[]).order_by("person_id").values_list("person_id", flat=True)[0]
    Person.objects.filter(pk=one).update(citizenships=["US"])
    ledger.publish(topic="people.imported", key="people:all", payload={})
    services.follow(actor=machine)
    tell(machine)
    services.follow(actor=machine)
    follow_up = Announcement.objects.get(occasion="follow_up")
    told = set(follow_up.messages.values_list("person", "audience"))
    assert (one, "back") in told
    assert {audience for _, audience in told} <= {"back", "back_manager"}
    assert not Told.objects.get(person_id=one).items


def test_whoever_may_release_is_told_that_messages_are_held(
    in_force_later: Any, act_as: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from governance.ledger import queries as outbox
    from governance.notifications import services as notifications
    from governance.notifications.models import Notification

    monkeypatch.setattr(outbox, "horizon", lambda: 2**62)
    while notifications.read_outbox():
        pass
    held = Notification.objects.filter(subject=Announcement.objects.get().subject, read_at=None)
    assert set(held.values_list("user__username", flat=True)) == {"idris", "peter", "anjali"}
    services.release(actor=act_as("peter"), announcement_id=Announcement.objects.get().pk)
    while notifications.read_outbox():
        pass
    assert not held.exists(), "nothing waits any more"


def test_a_change_while_messages_are_written_is_followed_when_they_are(
    in_force: Any, machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from governance.communications.services import common
    from governance.ledger import queries as outbox
    from governance.ledger import services as ledger

    monkeypatch.setattr(outbox, "horizon", lambda: 2**62)
    monkeypatch.setattr(common, "CHUNK_SIZE", 12)
    services.follow_runs(actor=machine)
    while not Message.objects.exists():
        services.write_some(actor=machine)
    one = Message.objects.filter(audience="off").first()
    assert one is not None
    Person.objects.filter(pk=one.person_id).update(citizenships=["US"])
    ledger.publish(topic="people.imported", key="people:all", payload={})
    assert services.follow(actor=machine) == 0, "its last messages are still being written"
    while services.write_some(actor=machine):
        pass
    assert services.follow(actor=machine) == 1
    tell(machine)
    told = set(Announcement.objects.get(occasion="follow_up").messages.values_list("person", "audience"))
    assert (one.person_id, "back") in told
    assert services.follow(actor=machine) == 0
