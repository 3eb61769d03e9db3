"""What is done after messages went out: a correction to exactly those who got them, and sending again what came back."""

from __future__ import annotations

from django.db import connection, transaction

from governance.accounts.actor import Actor
from governance.communications import wordings
from governance.communications.models import Announcement, Audience, Message, Occasion
from governance.communications.services.common import digest_of, lock, record, require_prepare
from governance.communications.states import NOT_DELIVERED, AnnouncementState, MailState
from governance.errors import Invalid, NotFound, WrongState
from governance.moments import now

_COPY = """
INSERT INTO communications_message
       (announcement_id, person_id, audience, items, people, written_at, mail, tries, problem)
SELECT %s, m.person_id, m.audience, m.items, m.people, statement_timestamp(),
       CASE WHEN p.email = '' THEN 'none' ELSE 'due' END, 0, ''
  FROM communications_message m JOIN people_person p ON p.id = m.person_id
 WHERE m.announcement_id = %s AND m.audience = %s AND m.mail <> 'dropped'
    ON CONFLICT DO NOTHING
"""


@transaction.atomic
def correct(*, actor: Actor, announcement_id: int, audience: str, subject: str, body: str, seen: int) -> Announcement:
    """Send a correction to exactly the people of one audience who got an announcement's messages, whatever holds for them now.

    ``seen`` is how many the page said they are. Raises ``WrongState`` for an announcement that is still being written or told
    nobody, when there are more of them by now, or the same words went to them already; ``Invalid`` with the field for words
    that cannot be sent.
    """
    require_prepare(actor)
    if audience not in Audience.values:
        raise Invalid("There is no such audience.", [("audience", "is none of those that are told")])
    text = wordings.check(audience, subject, body)
    first = lock(announcement_id)
    if first.state in (AnnouncementState.HELD, AnnouncementState.RELEASED):
        raise WrongState("It is still being sent. Stop it first, or wait until it is through.")
    got = Message.objects.filter(announcement=first, audience=audience).exclude(mail=MailState.DROPPED).count()
    if not got:
        raise WrongState("Nobody got these messages.")
    if got != seen:
        raise WrongState(f"It goes to {got:,} people, not to {seen:,}. Look at the page again.")
    texts = {audience: {"subject": text.subject, "body": text.body}}
    if Announcement.objects.filter(corrects=first, texts=texts).exists():
        raise WrongState("This correction was sent already, in these words.")
    moment = now()
    correction = Announcement.objects.create(
        directive=first.directive, version=first.version, occasion=Occasion.CORRECTION, corrects=first,
        state=AnnouncementState.RELEASED, texts=texts, created_at=moment, created_by=actor.name, released_at=moment,
        written_at=moment,
    )  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(_COPY, [correction.pk, first.pk, audience])
    record(actor, correction, "corrected", corrects=first.pk, audience=audience, people=got, words=digest_of(texts))
    return correction


@transaction.atomic
def send_again(*, actor: Actor, message_id: int) -> Message:
    """Send once more what came back, failed or is unclear, to the address on record now. An operator asks for it by hand."""
    require_prepare(actor)
    announcement_id = Message.objects.filter(pk=message_id).values_list("announcement", flat=True).first()
    if announcement_id is None:
        raise NotFound("There is no such message.")
    announcement = lock(announcement_id)
    message = Message.objects.select_for_update(of=("self",)).select_related("person").get(pk=message_id)
    if message.mail not in NOT_DELIVERED:
        raise WrongState(f"This message is not one that came back: {message.get_mail_display().lower()}.")
    if not message.person.email:
        raise WrongState("There is no address on record to send it to.")
    if announcement.state == AnnouncementState.STOPPED:
        raise WrongState("These messages were stopped.")
    Message.objects.filter(pk=message.pk).update(mail=MailState.DUE, tries=0, claim=None, mail_at=None, problem="")
    if announcement.state == AnnouncementState.FINISHED:
        announcement.state = AnnouncementState.RELEASED
        announcement.save(update_fields=["state"])
    record(actor, announcement, "sent_again")
    message.refresh_from_db()
    return message
