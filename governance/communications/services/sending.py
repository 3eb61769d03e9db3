"""E-mail, at most once: what a worker may have handed over when it died is never sent again by itself.

A message is claimed, then marked as being handed over, then sent, each a commit of its own. A claim that was dropped before
handing over is taken back; one that died in between is *unclear*, listed beside those that came back, and an operator may send
it again. Where the mail server says that it did not take a message, it is tried again (docs/decisions/0016).
"""

from __future__ import annotations

import logging
import smtplib
import uuid
from datetime import timedelta

from django.conf import settings
from django.core.mail import EmailMessage, get_connection
from django.core.mail.backends.base import BaseEmailBackend
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now

from governance.communications import queries
from governance.communications.models import Message
from governance.communications.states import AnnouncementState, MailState

log = logging.getLogger(__name__)
BATCH, TRIES = 20, 6
_GIVEN_UP = timedelta(minutes=5)
_GOES = (AnnouncementState.RELEASED, AnnouncementState.FINISHED, AnnouncementState.OVERTAKEN)
_PERMANENT = 500


def send_some() -> int:
    """Claim some messages that are due and send them; how many were claimed."""
    take_back()
    claimed = _claim()
    if not claimed:
        return 0
    link, names = get_connection(), queries.models_of_items()
    try:
        link.open()
    except OSError as error:
        log.warning("the mail server is not there: %s", type(error).__name__)
        _later(Message.objects.filter(pk__in=[message.pk for message in claimed]), MailState.CLAIMED)
        return 0
    try:
        for message in claimed:
            _send(message, link, names)
    finally:
        link.close()
    return len(claimed)


def take_back() -> None:
    """Claims of workers that are gone: due again if nothing was handed over, else unclear."""
    gone = Message.objects.filter(mail_at__lt=Now() - _GIVEN_UP)
    gone.filter(mail=MailState.CLAIMED).update(mail=MailState.DUE, claim=None, mail_at=None)
    gone.filter(mail=MailState.SENDING).update(mail=MailState.UNCLEAR, mail_at=Now())


@transaction.atomic
def _claim() -> list[Message]:
    due = (
        Message.objects.select_for_update(skip_locked=True, of=("self",))
        .filter(Q(mail_at=None) | Q(mail_at__lte=Now()), mail=MailState.DUE, announcement__state__in=_GOES)
        .order_by("pk")
        .values_list("pk", flat=True)[:BATCH]
    )
    claim, keys = uuid.uuid4(), list(due)
    Message.objects.filter(pk__in=keys).update(mail=MailState.CLAIMED, claim=claim, mail_at=Now())
    return list(queries.messages_with_facts().filter(pk__in=keys).order_by("pk"))


def _send(message: Message, link: BaseEmailBackend, names: dict[str, dict[int, str]]) -> None:
    mine = Message.objects.filter(pk=message.pk, claim=message.claim)
    if not mine.filter(mail=MailState.CLAIMED).update(mail=MailState.SENDING, tries=F("tries") + 1, mail_at=Now()):
        return  # it was stopped, or this worker slept for so long that somebody else has it
    state, problem = MailState.SENT, ""
    try:
        link.send_messages([mail_of(message, names)])
    except smtplib.SMTPRecipientsRefused as error:
        code = next(iter(error.recipients.values()))[0]
        state, problem = (MailState.BOUNCED if code >= _PERMANENT else MailState.DUE), str(code)
    except smtplib.SMTPResponseException as error:
        state, problem = MailState.DUE, str(error.smtp_code)
    except OSError as error:  # the line broke: the server may have it or not
        state, problem = MailState.UNCLEAR, type(error).__name__
    if state == MailState.DUE:
        _later(mine, MailState.SENDING, problem)
    else:
        mine.filter(mail=MailState.SENDING).update(mail=state, problem=problem, mail_at=Now())


def _later(messages: QuerySet[Message], held: MailState, problem: str = "") -> None:
    """Not taken by the mail server: again after 2, 4, 8 … minutes, six times in all."""
    found = messages.filter(mail=held)
    for message in found:
        over = held == MailState.SENDING and message.tries >= TRIES
        found.filter(pk=message.pk).update(
            mail=MailState.FAILED if over else MailState.DUE, problem=problem, claim=None,
            mail_at=Now() + timedelta(minutes=2**message.tries),
        )  # fmt: skip


def message_id(message: Message) -> str:
    """The same however often it is sent, so that a mail system can tell a second copy, and a bounce can be matched."""
    domain = settings.DEFAULT_FROM_EMAIL.rpartition("@")[2].strip("<> ") or "localhost"
    return f"<portcullis.message.{message.pk}@{domain}>"


def mail_of(message: Message, names: dict[str, dict[int, str]]) -> EmailMessage:
    text = queries.rendered(message, names)
    headers = {"Message-ID": message_id(message), "Auto-Submitted": "auto-generated"}
    return EmailMessage(text.subject, text.body, to=[message.person.email], headers=headers)
