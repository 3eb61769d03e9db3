"""Accounts are told of what concerns them, once, never of what they did; e-mails say nothing about anybody."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from governance.accounts.models import User
from governance.approvals import services as approvals
from governance.approvals.models import Request
from governance.errors import Invalid
from governance.ledger import queries as outbox
from governance.moments import now
from governance.notifications import services
from governance.notifications.models import Kind, Mail, Notification
from tests.races import at_once

pytestmark = pytest.mark.django_db
DIGEST = "d" * 64


def _horizon_of_this_database() -> int:
    """As the service's, but other tests' transactions on the same server are left out."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT least(pg_snapshot_xmax(pg_current_snapshot())::text::bigint, (SELECT min(backend_xid::text::bigint)"
            " FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()))"
        )
        horizon: int = cursor.fetchone()[0]
    return horizon


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "horizon", _horizon_of_this_database)


@pytest.fixture
def asked(committed: None, act_as: Any) -> Request:
    """A request of Hana's that waits for a trust-and-safety lead first; what came before it has been read."""
    while services.read_outbox():
        pass
    Notification.objects.all().delete()
    return approvals.open_request(
        actor=act_as("hana"),
        kind="exception",
        subject="exception:9",
        content_digest=DIGEST,
        summary="Wei Chen: fable-5/use",
    )


def told(name: str) -> list[tuple[str, str]]:
    services.read_outbox()
    found = Notification.objects.filter(user__username=name, read_at=None).order_by("pk")
    return list(found.values_list("kind", "title"))


def test_whoever_can_decide_is_told_and_the_requester_of_the_outcome(asked: Request, act_as: Any) -> None:
    waits = [("decision", "A decision waits for you: Wei Chen: fable-5/use")]
    assert told("idris") == waits
    assert told("peter") == [], "the second stage is not open yet"
    approvals.vote(actor=act_as("idris"), request=asked, verdict="approve", content_digest=DIGEST)
    assert told("peter") == waits
    assert told("hana") == []
    approvals.vote(actor=act_as("peter"), request=asked, verdict="approve", content_digest=DIGEST)
    assert told("hana") == [("outcome", "Approved: Wei Chen: fable-5/use")]
    assert told("idris") == told("peter") == [], "nothing waits any more"


def test_nobody_is_told_of_what_they_did_nor_told_twice(asked: Request, act_as: Any) -> None:
    read = services.read_outbox()
    assert read > 0
    assert services.read_outbox() == 0
    approvals.withdraw(actor=act_as("hana"), request=asked)
    assert told("hana") == []
    assert told("idris") == []


def test_questions_go_to_the_requester_and_answers_come_back(asked: Request, act_as: Any) -> None:
    approvals.ask_back(actor=act_as("idris"), request=asked, words="Which dataset?")
    assert told("hana") == [("talk", "A question: Wei Chen: fable-5/use")]
    approvals.answer(actor=act_as("hana"), request=asked, words="The public one.")
    assert ("talk", "An answer: Wei Chen: fable-5/use") in told("idris")


def test_a_delegate_is_told_of_the_delegation_and_of_what_waits(asked: Request, act_as: Any) -> None:
    moment = now()
    approvals.delegate(
        actor=act_as("idris"), to=User.objects.get(username="maren"), starts_at=moment,
        ends_at=moment + timedelta(days=1), reason="away",
    )  # fmt: skip
    second = approvals.open_request(
        actor=act_as("jonas"), kind="exception", subject="exception:10", content_digest=DIGEST, summary="Another"
    )
    assert {("delegation", "You decide for Idris Vale"), ("decision", "A decision waits for you: Another")} <= set(
        told("maren")
    )
    approvals.vote(actor=act_as("maren"), request=second, verdict="approve", content_digest=DIGEST)
    assert ("decision", "A decision waits for you: Another") in told("peter")


def test_two_readers_at_once_write_each_notification_once(asked: Request) -> None:
    at_once(*[services.read_outbox] * 4)
    services.read_outbox()
    assert Notification.objects.filter(user__username="idris", subject=f"approval:{asked.pk}").count() == 1


def test_an_event_of_a_transaction_that_goes_on_is_waited_for_not_skipped(asked: Request, act_as: Any) -> None:
    services.read_outbox()
    with transaction.atomic():
        approvals.ask_back(actor=act_as("idris"), request=asked, words="Which dataset?")
        at_once(services.read_outbox)
    assert told("hana") == [("talk", "A question: Wei Chen: fable-5/use")]


def test_a_reader_killed_half_way_leaves_nothing_half_told(asked: Request, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*args: Any, **kwargs: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patched:
        patched.setattr("governance.notifications.models.Position.save", killed)
        with pytest.raises(SystemExit):
            services.read_outbox()
    assert not Notification.objects.exists()
    assert told("idris")


def test_an_e_mail_says_that_something_waits_and_nothing_about_anybody(asked: Request, act_as: Any) -> None:
    approvals.comment(actor=act_as("idris"), request=asked, words="Wei is a citizen of nowhere")
    services.read_outbox()
    assert services.send_mail() > 0
    assert services.send_mail() == 0
    sent = {message.to[0]: message for message in mail.outbox}
    body = sent[User.objects.get(username="idris").email].body
    assert "A decision waits for you." in body
    for message in mail.outbox:
        assert not re.search("Wei|fable|exception|citizen", message.subject + message.body)
    assert "List-Unsubscribe" not in sent[User.objects.get(username="idris").email].extra_headers, "a duty"


def test_mail_that_cannot_be_sent_is_tried_again_and_given_up_in_the_end(
    asked: Request, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*args: Any) -> int:
        raise ConnectionRefusedError

    services.read_outbox()
    with monkeypatch.context() as patched:
        patched.setattr("django.core.mail.backends.locmem.EmailBackend.send_messages", refused)
        assert services.send_mail() == 0
        assert services.send_mail() == 0, "not again at once"
        waiting = Notification.objects.filter(user__username="idris")
        assert waiting.get().mail == Mail.DUE
        for _ in range(services.TRIES):
            Notification.objects.update(try_after=None)
            services.send_mail()
        assert waiting.get().mail == Mail.FAILED
    assert mail.outbox == []


def test_a_kind_that_no_duty_hangs_on_can_be_unsubscribed_by_the_link(asked: Request, act_as: Any) -> None:
    approvals.ask_back(actor=act_as("idris"), request=asked, words="Which dataset?")
    services.read_outbox()
    services.send_mail()
    hana = User.objects.get(username="hana")
    message = next(message for message in mail.outbox if message.to == [hana.email])
    link = str(message.extra_headers["List-Unsubscribe"]).strip("<>")
    path = link[link.index("/notifications/") :]
    client = Client()
    assert b"No more of these" in client.get(path).content
    assert not hasattr(hana, "notification_preference"), "opening a link changes nothing"
    assert b"No more e-mails of this kind" in client.post(path).content
    approvals.answer(actor=act_as("hana"), request=asked, words="That one.")
    approvals.ask_back(actor=act_as("idris"), request=asked, words="Really?")
    services.read_outbox()
    assert Notification.objects.filter(user=hana).first().mail == Mail.NONE  # type: ignore[union-attr]
    assert client.post("/notifications/unsubscribe?token=forged").status_code == 422
    with pytest.raises(Invalid):
        services.choose(actor=act_as("hana"), mails=["nonsense"])
    assert services.choose(actor=act_as("hana"), mails=[]).no_mail == ["outcome", "reminder", "talk", "waiver"]


def test_the_page_lists_what_the_account_was_told_and_nobody_elses(
    asked: Request, sign_in: Callable[[str], Client]
) -> None:
    services.read_outbox()
    idris, hana = sign_in("idris"), sign_in("hana")
    page = idris.get("/notifications/")
    assert b"A decision waits for you: Wei Chen" in page.content
    assert f"/approvals/{asked.pk}/".encode() in page.content
    assert b"Wei Chen" not in hana.get("/notifications/").content
    with CaptureQueriesContext(connection) as captured:
        idris.get("/notifications/")
    assert len(captured) <= 16, [query["sql"][:90] for query in captured]
    assert idris.post("/notifications/read").status_code == 302
    assert told("idris") == []
    saved = idris.post("/notifications/choose", {"mail": [Kind.TALK.value]})
    assert saved.status_code == 302
    assert User.objects.get(username="idris").notification_preference.no_mail == ["outcome", "reminder", "waiver"]
