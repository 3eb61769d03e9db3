"""Several workers, workers that die, and mail servers that misbehave: nobody is told twice, nobody is forgotten silently."""

from __future__ import annotations

import os
import signal
import smtplib
import subprocess
import sys
import textwrap
from datetime import timedelta
from typing import Any

import pytest
from django.core import mail
from django.core.mail.backends.locmem import EmailBackend
from django.db.models import Count
from django.db.models.functions import Now

from governance.communications import services
from governance.communications.models import Announcement, Message, Told
from governance.communications.services.sending import take_back
from governance.communications.states import AnnouncementState, MailState
from tests.conftest import database_url, put_in_force
from tests.races import at_once

pytestmark = pytest.mark.django_db


def write_all(machine: Any) -> None:
    services.follow_runs(actor=machine)
    while services.write_some(actor=machine):
        pass


def test_workers_side_by_side_tell_everybody_once(committed: None, machine: Any, act_as: Any, monkeypatch: Any) -> None:
    from governance.communications.services import common

    monkeypatch.setattr(common, "CHUNK_SIZE", 3)
    put_in_force(act_as)

    def work() -> None:
        services.follow_runs(actor=machine)
        while services.write_some(actor=machine):
            pass
        while services.send_some():
            pass

    outcomes = at_once(*[work] * 6)
    assert not [one for one in outcomes if isinstance(one, Exception)], outcomes
    work()
    assert Announcement.objects.count() == 1
    announcement = Announcement.objects.get()
    assert announcement.chunks.count() > 3
    assert announcement.state == AnnouncementState.FINISHED
    assert not Message.objects.exclude(mail=MailState.SENT).exists()
    assert sorted(one.to[0] for one in mail.outbox) == sorted(Message.objects.values_list("person__email", flat=True))
    twice = Message.objects.values("person", "audience").annotate(n=Count("id")).filter(n__gt=1)
    assert not twice.exists()


def test_a_worker_killed_while_it_writes_or_sends_tells_nobody_twice(
    committed: None, machine: Any, act_as: Any, tmp_path: Any
) -> None:
    put_in_force(act_as)
    program = textwrap.dedent("""
        import django; django.setup()
        from django.core.mail.backends.filebased import EmailBackend
        send = EmailBackend.send_messages
        def slowly(self, messages):
            import time
            print("handing over", flush=True); time.sleep(0.05)
            done = send(self, messages)
            print("handed over", flush=True); time.sleep(0.05)
            return done
        EmailBackend.send_messages = slowly
        from governance.accounts.actor import Actor
        from governance.communications import services
        actor = Actor.machine("system:messages")
        services.follow_runs(actor=actor)
        while services.write_some(actor=actor): pass
        print("written", flush=True)
        while services.send_some(): pass
    """)
    folder = tmp_path / "mail"
    environment = os.environ | {
        "DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "governance.settings", "DATA_DIR": str(tmp_path),
    }  # fmt: skip
    for lines in (1, 6, 9):  # killed before handing over, after it, and before it again
        worker = subprocess.Popen([sys.executable, "-c", program], env=environment, stdout=subprocess.PIPE, text=True)
        assert worker.stdout is not None
        assert worker.stdout.readline() == "written\n"
        for _ in range(lines):
            worker.stdout.readline()
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        Message.objects.filter(mail__in=[MailState.CLAIMED, MailState.SENDING]).update(
            mail_at=Now() - timedelta(minutes=6)
        )
    assert Message.objects.filter(mail=MailState.SENT).exists()
    take_back()
    subprocess.run([sys.executable, "-c", program], env=environment, check=True, timeout=120, stdout=subprocess.DEVNULL)
    write_all(machine)
    sent: list[str] = []
    for file in folder.iterdir():
        sent += [line for line in file.read_text().splitlines() if line.startswith("Message-ID:")]
    assert len(sent) == len(set(sent)), "no message went out twice"
    unclear = Message.objects.filter(mail=MailState.UNCLEAR).count()
    assert unclear <= 3, "at most the one in hand of each worker that was killed"
    assert len(sent) >= Message.objects.count() - unclear
    assert Message.objects.filter(mail=MailState.SENT).count() == Message.objects.count() - unclear


def test_a_message_that_may_have_gone_is_not_sent_again_by_itself(in_force: Any, machine: Any) -> None:
    write_all(machine)
    one = Message.objects.first()
    assert one is not None
    Message.objects.filter(pk=one.pk).update(mail=MailState.CLAIMED, mail_at=Now() - timedelta(minutes=6))
    Message.objects.filter(pk=one.pk).update(mail=MailState.SENDING)
    while services.send_some():
        pass
    one.refresh_from_db()
    assert one.mail == MailState.UNCLEAR
    assert (
        one.person.email not in [sent.to[0] for sent in mail.outbox]
        or Message.objects.filter(person=one.person).count() > 1
    )


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (smtplib.SMTPRecipientsRefused({"x@y.example": (550, b"no such user")}), MailState.BOUNCED),
        (smtplib.SMTPRecipientsRefused({"x@y.example": (451, b"greylisted")}), MailState.DUE),
        (smtplib.SMTPDataError(452, b"full"), MailState.DUE),
        (smtplib.SMTPServerDisconnected("gone"), MailState.UNCLEAR),
        (TimeoutError(), MailState.UNCLEAR),
    ],
)
def test_what_the_mail_server_says_decides_what_comes_of_a_message(
    error: Exception, state: MailState, in_force: Any, machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Any, messages: Any) -> int:
        raise error

    write_all(machine)
    monkeypatch.setattr(EmailBackend, "send_messages", refuse)
    services.send_some()
    tried = Message.objects.filter(tries=1)
    assert tried.exists()
    assert set(tried.values_list("mail", flat=True)) == {str(state)}
    assert not any("no such user" in problem for problem in tried.values_list("problem", flat=True))


def test_a_mail_server_that_is_away_costs_time_only(
    in_force: Any, machine: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(self: Any) -> None:
        raise ConnectionRefusedError

    write_all(machine)
    with monkeypatch.context() as patch:
        patch.setattr(EmailBackend, "open", away)
        assert services.send_some() == 0
    assert not mail.outbox
    assert not Message.objects.exclude(mail__in=[MailState.DUE, MailState.NONE]).exists()
    Message.objects.update(mail_at=None)
    while services.send_some():
        pass
    assert len(mail.outbox) == Message.objects.count()


def test_a_chunk_written_twice_writes_nothing_the_second_time(in_force: Any, machine: Any) -> None:
    write_all(machine)
    messages, told = Message.objects.count(), Told.objects.count()
    announcement = Announcement.objects.get()
    from governance.communications import reach

    again = reach.write(
        announcement_id=announcement.pk, directive_id=announcement.directive_id, version_id=announcement.version_id,
        people=reach.EVERYBODY,
    )  # fmt: skip
    assert (again.off, again.back, again.verify) == (0, 0, 0)
    assert (Message.objects.count(), Told.objects.count()) == (messages, told)
