"""What people decide about messages: the words, when they go out, and that they do not."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models.functions import Now

from governance.accounts.actor import Actor
from governance.communications import wordings
from governance.communications.models import Announcement, Audience, Message, Release, Wording
from governance.communications.services.common import digest_of, let_go, lock, record, require_prepare, words_now
from governance.communications.states import AnnouncementState, MailState
from governance.directives import services as directives
from governance.directives.models import Directive, DirectiveVersion
from governance.directives.states import VersionState
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.moments import now

LONGEST_HOLD = timedelta(days=7)
_OVER = (VersionState.SUPERSEDED, VersionState.ENDED, VersionState.REJECTED, VersionState.WITHDRAWN)


def _version(reference: str, number: int) -> tuple[Directive, DirectiveVersion]:
    directive = directives.lock(reference)
    version = directive.versions.filter(number=number).first()
    if version is None:
        raise NotFound(f"There is no version {number} of {reference}.")
    if version.state in _OVER:
        raise WrongState(f"Version {number} is {version.get_state_display().lower()}: its words are not used any more.")
    return directive, version


@transaction.atomic
def save_wording(
    *, actor: Actor, reference: str, number: int, audience: str, subject: str, body: str
) -> Wording:  # fmt: skip
    """Keep the words of a version for one audience. They count for what is released from then on.

    Raises ``Invalid`` with the field, ``PermissionRefused``, ``WrongState`` for a version that is over.
    """
    require_prepare(actor)
    if audience not in Audience.values:
        raise Invalid("There is no such audience.", [("audience", "is none of those that are told")])
    text = wordings.check(audience, subject, body)
    directive, version = _version(reference, number)
    kept, _ = Wording.objects.update_or_create(
        version=version, audience=audience,
        defaults={"subject": text.subject, "body": text.body, "author": actor.user, "at": now()},
    )  # fmt: skip
    words = digest_of({"subject": text.subject, "body": text.body})
    directives.record(actor, directive, "message_worded", version=number, audience=audience, words=words)
    return kept


@transaction.atomic
def reset_wording(*, actor: Actor, reference: str, number: int, audience: str) -> None:
    """Take the standard words again: kept as a wording of their own, so that an earlier version's do not come back."""
    if audience not in Audience.values:
        raise Invalid("There is no such audience.", [("audience", "is none of those that are told")])
    standard = wordings.STANDARD[audience]
    save_wording(
        actor=actor, reference=reference, number=number, audience=audience, subject=standard.subject, body=standard.body
    )  # fmt: skip


@transaction.atomic
def hold(*, actor: Actor, reference: str, number: int, until: datetime | None) -> None:
    """Hold the messages of a version for counsel until a time, after which they go out by themselves; None: do not hold.

    Before it takes force whoever may activate it chooses; of an announcement that is held already, only counsel (*release
    messages*) moves the time. Raises ``Invalid`` with the field for a time that is past or more than seven days away.
    """
    require_prepare(actor)
    directive, version = _version(reference, number)
    held = Announcement.objects.filter(version=version, state=AnnouncementState.HELD).first()
    if until is not None and not now() < until <= now() + LONGEST_HOLD:
        raise Invalid("Messages are not held until then.", [("until", "lies in the next seven days")])
    if held is not None:
        actor.require("release_messages")
        if until is None:
            raise Invalid("Release them instead.", [("until", "is required while they are held")])
        Announcement.objects.filter(pk=held.pk).update(hold_until=until)
    elif version.state == VersionState.IN_FORCE:
        raise WrongState(
            f"Version {number} is in force, and nothing of it is held. Messages on their way can be stopped."
        )
    elif until is None:
        Release.objects.filter(version=version).delete()
    else:
        Release.objects.update_or_create(version=version, defaults={"hold_until": until, "author": actor.user})
    told = until.isoformat() if until else ""
    directives.record(actor, directive, "messages_held", version=number, until=told)


@transaction.atomic
def release(*, actor: Actor, announcement_id: int) -> Announcement:
    """Let a held announcement go before its time. It goes to whoever it concerns at that moment."""
    if actor.user is None:
        raise PermissionRefused("Held messages are released by an account.")
    actor.require("release_messages")
    announcement = lock(announcement_id)
    if announcement.state != AnnouncementState.HELD:
        raise WrongState(f"These messages are not held: {announcement.get_state_display().lower()}.")
    let_go(actor, announcement, announcement.texts or words_now(announcement.version))
    return announcement


@transaction.atomic
def stop(*, actor: Actor, announcement_id: int, reason: str) -> Announcement:
    """Send nothing more of an announcement. What went out stays out; what was written stays on *My access*.

    Raises ``Invalid`` without a reason, ``WrongState`` for one that is over.
    """
    if actor.user is None:
        raise PermissionRefused("Messages are stopped by an account.")
    require_prepare(actor)
    announcement = lock(announcement_id)
    if announcement.state == AnnouncementState.HELD:
        actor.require("release_messages")
    if not reason.strip():
        raise Invalid("Say why people are not to be told.", [("reason", "is required")])
    if announcement.state not in (AnnouncementState.HELD, AnnouncementState.RELEASED):
        raise WrongState(f"There is nothing to stop: {announcement.get_state_display().lower()}.")
    dropped = Message.objects.filter(
        announcement=announcement, mail__in=(MailState.DUE, MailState.CLAIMED)
    ).update(mail=MailState.DROPPED, mail_at=Now())  # fmt: skip
    announcement.state, announcement.stop_reason = AnnouncementState.STOPPED, reason.strip()
    announcement.save(update_fields=["state", "stop_reason"])
    record(actor, announcement, "stopped", not_sent=dropped)
    return announcement


def release_due(*, actor: Actor) -> int:
    """Let go what was held until a time that has come. Runs again without effect."""
    due = Announcement.objects.filter(state=AnnouncementState.HELD, hold_until__lte=Now()).values_list("pk", flat=True)
    return sum(_release_if_due(actor, pk) for pk in list(due))


@transaction.atomic
def _release_if_due(actor: Actor, announcement_id: int) -> int:
    announcement = lock(announcement_id)
    until = announcement.hold_until
    if announcement.state != AnnouncementState.HELD or until is None or until > now():
        return 0  # somebody released, stopped or prolonged it meanwhile
    let_go(actor, announcement, announcement.texts or words_now(announcement.version))
    return 1
