"""From the outbox to each account's page, and from there to its e-mail.

Events are read in the order of their transactions, once; the position moves in the transaction that writes the notifications, so
a worker that dies half-way begins again where it was. E-mail is sent afterwards and at least once: a worker that dies between sending
and saying so sends that one again.
"""

from __future__ import annotations

import logging
from datetime import timedelta

from django.conf import settings
from django.core import signing
from django.core.mail import EmailMessage, get_connection
from django.db import transaction
from django.db.models import F, Q
from django.db.models.functions import Now

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.errors import Invalid, PermissionRefused
from governance.ledger import queries as outbox
from governance.ledger.models import OutboxEvent
from governance.notifications import recipients
from governance.notifications.models import MANDATORY, Kind, Mail, Notification, Position, Preference

log = logging.getLogger(__name__)
EVENTS, MAILS, TRIES = 500, 50, 6
_SALT = "governance.notifications.unsubscribe"


@transaction.atomic
def read_outbox() -> int:
    """Write down whom the next events concern; how many events were read. Two at once: the second has nothing to do."""
    Position.objects.get_or_create(pk=1)
    position = Position.objects.select_for_update(skip_locked=True).filter(pk=1).first()
    if position is None:
        return 0
    events = outbox.settled_after(position.xid, position.event, EVENTS)
    for event in events:
        if event.topic in recipients.TOPICS or event.topic in recipients.CLOSES:
            _tell(event)
    if events:
        position.xid, position.event = events[-1].xid, events[-1].pk
        position.save(update_fields=["xid", "event"])
    return len(events)


def _tell(event: OutboxEvent) -> None:
    subject = recipients.closed_by(event)
    if subject:
        Notification.objects.filter(recipients.waits(), subject=subject, read_at=None).update(
            read_at=Now(), mail=Mail.NONE
        )
    told = recipients.of(event)
    refused = dict(Preference.objects.filter(user__in=[one.user_id for one in told]).values_list("user_id", "no_mail"))
    Notification.objects.bulk_create(
        [
            Notification(
                user_id=one.user_id, event=event.pk, kind=one.kind, subject=one.subject, title=one.title,
                at=event.created_at,
                mail=Mail.DUE if one.kind in MANDATORY or one.kind not in refused.get(one.user_id, ()) else Mail.NONE,
            )
            for one in told
        ],
        ignore_conflicts=True,
    )  # fmt: skip


def send_mail() -> int:
    """Send what is due, a few at a time; how many were sent. What cannot be sent is tried again later, six times."""
    with transaction.atomic():
        due = (
            Notification.objects.select_for_update(skip_locked=True, of=("self",))
            .filter(Q(try_after=None) | Q(try_after__lte=Now()), mail=Mail.DUE, user__is_active=True)
            .select_related("user")
            .order_by("pk")[:MAILS]
        )
        found = list(due)
        if not found:
            return 0
        sent, link = 0, get_connection()
        for notification in found:
            try:
                link.send_messages([message(notification)])
            except OSError as error:  # SMTPException is one
                log.warning("an e-mail could not be sent: %s", type(error).__name__)
                notification.tries += 1
                late = notification.tries >= TRIES
                Notification.objects.filter(pk=notification.pk).update(
                    tries=notification.tries, mail=Mail.FAILED if late else Mail.DUE,
                    try_after=Now() + timedelta(minutes=2**notification.tries),
                )  # fmt: skip
                continue
            Notification.objects.filter(pk=notification.pk).update(mail=Mail.SENT, tries=F("tries") + 1)
            sent += 1
    return sent


def message(notification: Notification) -> EmailMessage:
    """What stands in an e-mail: that something waits, and where. Not what, not about whom: mail is read on many screens."""
    kind = Kind(notification.kind)
    where = f"{settings.PUBLIC_URL or f'http://localhost:{settings.PORT}'}/notifications/"
    lines = [f"{kind.label}.", "", f"Sign in to read it: {where}", "", "No details stand in this message, on purpose."]
    headers = {}
    if kind not in MANDATORY:
        token = signing.dumps([notification.user_id, kind.value], salt=_SALT)
        address = f"{where}unsubscribe?token={token}"
        lines += ["", f"No more e-mails of this kind: {address}"]
        headers["List-Unsubscribe"] = f"<{address}>"
    return EmailMessage(f"Portcullis: {kind.label}", "\n".join(lines), to=[notification.user.email], headers=headers)


@transaction.atomic
def mark_read(*, actor: Actor) -> int:
    """Everything on the account's page is read."""
    if actor.user is None:
        raise PermissionRefused("Notifications are an account's.")
    return Notification.objects.filter(user=actor.user, read_at=None).update(read_at=Now())


@transaction.atomic
def choose(*, actor: Actor, mails: list[str]) -> Preference:
    """Which kinds come by e-mail, too. Those that a duty hangs on always do. Raises ``Invalid`` for an unknown kind."""
    if actor.user is None:
        raise PermissionRefused("Notifications are an account's.")
    unknown = set(mails) - set(Kind.values)
    if unknown:
        raise Invalid("There is no such kind.", [("mails", f"{', '.join(sorted(unknown))} is no kind")])
    refused = sorted(set(Kind.values) - set(mails) - {str(kind) for kind in MANDATORY})
    return Preference.objects.update_or_create(user=actor.user, defaults={"no_mail": refused})[0]


@transaction.atomic
def unsubscribe(*, token: str) -> Kind:
    """End one kind of e-mail for the account that the link was sent to. Raises ``Invalid`` for a token that is not ours."""
    try:
        user_id, kind = signing.loads(token, salt=_SALT)
        user = User.objects.get(pk=user_id)
    except (signing.BadSignature, ValueError, TypeError, User.DoesNotExist):
        raise Invalid("This link is not one that was sent.") from None
    preference, _ = Preference.objects.get_or_create(user=user)
    if kind not in preference.no_mail:
        preference.no_mail = [*preference.no_mail, kind]
        preference.save(update_fields=["no_mail"])
    return Kind(kind)
