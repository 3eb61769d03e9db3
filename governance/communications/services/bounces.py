"""Mail that came back: a delivery status notification (RFC 3464), matched by the Message-ID of what it returns."""

from __future__ import annotations

import re
from email import message_from_bytes, policy
from email.message import EmailMessage

from django.db import transaction
from django.db.models.functions import Now

from governance.accounts.actor import Actor
from governance.communications.models import Message
from governance.communications.services.common import record
from governance.communications.states import MailState
from governance.errors import Invalid, NotFound

_OURS = re.compile(r"<portcullis\.message\.(\d{1,18})@")
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}")


@transaction.atomic
def note_bounce(*, actor: Actor, notification: bytes) -> Message:
    """Note that a message came back. ``notification`` is the whole e-mail from the mail system.

    Raises ``Invalid`` for what is no notification of a failure, ``NotFound`` where it returns none of our messages. Twice the same
    one changes nothing. Only the status code is kept: the words of mail systems may repeat anything.
    """
    actor.require("administer")
    status, number = _read(notification)
    message = (
        Message.objects.select_for_update(of=("self",)).select_related("announcement__directive").filter(pk=number)
    )
    found = message.first()
    if found is None:
        raise NotFound("It returns none of the messages on record.")
    if found.mail in (MailState.SENT, MailState.SENDING, MailState.UNCLEAR):
        Message.objects.filter(pk=found.pk).update(mail=MailState.BOUNCED, problem=status, mail_at=Now())
        record(actor, found.announcement, "bounced", status=status)
    found.refresh_from_db()
    return found


def _read(notification: bytes) -> tuple[str, int]:
    mail = message_from_bytes(notification, policy=policy.default)
    parts = list(mail.walk())
    states = [part for part in parts if part.get_content_type() == "message/delivery-status"]
    if not states:
        raise Invalid("This is no delivery status notification (RFC 3464).")
    fields = "\n".join(str(block) for part in states for block in part.get_payload())
    if "failed" not in re.findall(r"(?im)^action:\s*(\w+)", fields.lower()):
        raise Invalid("It tells of no failure: nothing came back.")
    status = _STATUS.search(fields)
    found = [_OURS.search(str(_identity(part))) for part in parts]
    numbers = [match[1] for match in found if match]
    if not numbers:
        raise NotFound("It returns none of the messages on record.")
    return status[0] if status else "", int(numbers[0])


def _identity(part: EmailMessage) -> str:
    """The Message-ID of a returned message: a header of it, or a line of its headers as text."""
    if part.get_content_type() == "text/rfc822-headers":
        return str(part.get_payload())
    return str(part.get("Message-ID", ""))
