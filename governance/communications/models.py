"""What affected people and their managers are told when a directive takes their access or gives it back.

An *announcement* is one occasion; its *messages* are one for each person it concerns. What each person was last told to be
off is kept beside them, so an announcement writes only what is news: twice the same run writes nothing the second time
(docs/decisions/0016).
"""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from governance.communications.states import (
    MAIL_TRANSITIONS,
    ON_THE_WAY,
    TRANSITIONS,
    AnnouncementState,
    MailState,
)


class Audience(models.TextChoices):
    OFF = "off", "People who lose access"
    VERIFY = "verify", "People asked to settle their record"
    OFF_MANAGER = "off_manager", "Managers of people who lose access"
    BACK = "back", "People whose access comes back"
    BACK_MANAGER = "back_manager", "Managers of people whose access comes back"


class Occasion(models.TextChoices):
    ACTIVATION = "activation", "A version took force"
    RESUMPTION = "resumption", "In force again"
    DEADLINE = "deadline", "The time to verify ended"
    SUSPENSION = "suspension", "Suspended"
    ENDING = "ending", "Ended"
    FOLLOW_UP = "follow_up", "People or the catalog changed"
    CORRECTION = "correction", "A correction"


class Wording(models.Model):
    """The words of a version for one audience, where they are not the standard ones (``wordings.py``)."""

    version = models.ForeignKey("directives.DirectiveVersion", on_delete=models.PROTECT, related_name="wordings")
    audience = models.CharField(max_length=12, choices=Audience)
    subject = models.CharField(max_length=150)
    body = models.TextField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["version", "audience"], name="wording_once")]

    def __str__(self) -> str:
        return f"{self.version_id}/{self.audience}"


class Release(models.Model):
    """When the messages of a version go out: with its activation (no row), or held for counsel until a time."""

    version = models.OneToOneField(
        "directives.DirectiveVersion", primary_key=True, on_delete=models.PROTECT, related_name="release_of_messages"
    )
    hold_until = models.DateTimeField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")

    def __str__(self) -> str:
        return f"{self.version_id} until {self.hold_until}"


class Announcement(models.Model):
    """One occasion on which people are told. ``texts`` are the words as they were when it was released, by audience."""

    directive = models.ForeignKey("directives.Directive", on_delete=models.PROTECT, related_name="announcements")
    version = models.ForeignKey("directives.DirectiveVersion", on_delete=models.PROTECT, related_name="announcements")
    occasion = models.CharField(max_length=10, choices=Occasion)
    run = models.OneToOneField("enforcement.Run", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    corrects = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="corrections")
    state = models.CharField(max_length=10, choices=AnnouncementState)
    hold_until = models.DateTimeField(null=True, blank=True)
    texts = models.JSONField(default=dict)
    created_at = models.DateTimeField()
    created_by = models.CharField(max_length=150)
    released_at = models.DateTimeField(null=True, blank=True)
    written_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    stop_reason = models.TextField(blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["directive", "-id"], name="announcement_directive")]
        constraints = [
            models.UniqueConstraint(
                fields=["directive"], condition=Q(state=AnnouncementState.HELD), name="announcement_one_held"
            ),
            models.CheckConstraint(
                name="announcement_corrects",
                condition=Q(occasion=Occasion.CORRECTION, corrects__isnull=False)
                | ~Q(occasion=Occasion.CORRECTION) & Q(corrects=None),
            ),
        ]
        triggers = [
            pgtrigger.FSM(
                name="announcement_states",
                field="state",
                transitions=sorted((str(old), str(new)) for old, new in TRANSITIONS),
            ),
            pgtrigger.Protect(name="announcement_keep", operation=pgtrigger.Delete),
            pgtrigger.Trigger(
                name="announcement_words_stand",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition("OLD.released_at IS NOT NULL AND OLD.texts IS DISTINCT FROM NEW.texts"),
                func="RAISE EXCEPTION 'what people were told is not rewritten: send a correction';",
            ),
        ]

    def __str__(self) -> str:
        return f"announcement {self.pk}"

    @property
    def subject(self) -> str:
        """How ledger and outbox name this announcement."""
        return f"announcement:{self.pk}"

    @property
    def unwritten(self) -> bool:
        return self.state == AnnouncementState.RELEASED and self.written_at is None


class AnnouncementChunk(models.Model):
    """A range of person ids whose messages are written in one transaction, half open like a run's."""

    announcement = models.ForeignKey(Announcement, on_delete=models.PROTECT, related_name="chunks")
    number = models.PositiveIntegerField()
    key_from = models.TextField(null=True, blank=True, db_collation="C")
    key_to = models.TextField(null=True, blank=True, db_collation="C")
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["announcement", "number"]
        constraints = [models.UniqueConstraint(fields=["announcement", "number"], name="announcement_chunk_number")]

    def __str__(self) -> str:
        return f"{self.announcement_id}/{self.number}"


class Message(models.Model):
    """What one person is told on one occasion: on *My access*, and by e-mail where there is an address.

    ``items`` are the ids of the model capabilities it names; ``people`` is how many a manager's message is about.
    """

    announcement = models.ForeignKey(Announcement, on_delete=models.PROTECT, related_name="messages")
    person = models.ForeignKey("people.Person", on_delete=models.PROTECT, related_name="messages")
    audience = models.CharField(max_length=12, choices=Audience)
    items = ArrayField(models.BigIntegerField(), default=list)
    people = models.PositiveIntegerField(default=0)
    written_at = models.DateTimeField()
    mail = models.CharField(max_length=8, choices=MailState)
    tries = models.PositiveSmallIntegerField(default=0)
    claim = models.UUIDField(null=True, blank=True)
    mail_at = models.DateTimeField(null=True, blank=True)  # when its state changed last; of one due: not before
    problem = models.CharField(max_length=80, blank=True)  # the mail system's code, never its words

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["announcement", "person", "audience"], name="message_once"),
        ]
        indexes = [
            models.Index(fields=["person", "-id"], name="message_person"),
            models.Index(
                fields=["id"], condition=Q(mail__in=[str(state) for state in ON_THE_WAY]), name="message_on_the_way"
            ),
        ]
        triggers = [
            pgtrigger.FSM(
                name="message_mail_states",
                field="mail",
                transitions=sorted((str(old), str(new)) for old, new in MAIL_TRANSITIONS),
            ),
            pgtrigger.Protect(name="message_keep", operation=pgtrigger.Delete),
            pgtrigger.Trigger(
                name="message_stands",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "((OLD.announcement_id, OLD.person_id, OLD.audience, OLD.items, OLD.people, OLD.written_at) IS DISTINCT FROM"
                    " (NEW.announcement_id, NEW.person_id, NEW.audience, NEW.items, NEW.people, NEW.written_at))"
                ),
                func="RAISE EXCEPTION 'what a person was told stands';",
            ),
        ]

    def __str__(self) -> str:
        return f"message {self.pk}"


class Told(models.Model):
    """The model capabilities that a person was told to be off because of a directive, and not yet to be back."""

    pk = models.CompositePrimaryKey("person_id", "directive_id")
    person_id = models.TextField(db_collation="C")
    directive_id = models.BigIntegerField()
    items = ArrayField(models.BigIntegerField())

    class Meta:
        indexes = [models.Index(fields=["directive_id", "person_id"], name="told_directive")]

    def __str__(self) -> str:
        return f"{self.person_id}/{self.directive_id}"


class Followed(models.Model):
    """How far the outbox was read for changes after which somebody may have to be told."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    xid = models.BigIntegerField(default=0)
    event = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(name="followed_one_row", condition=Q(id=1))]

    def __str__(self) -> str:
        return f"{self.xid}/{self.event}"
