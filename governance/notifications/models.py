"""What accounts are told of: on their page of notifications, and by e-mail unless they said no to it."""

from __future__ import annotations

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q


class Kind(models.TextChoices):
    DECISION = "decision", "A decision waits for you"
    REMINDER = "reminder", "A decision still waits for you"
    OUTCOME = "outcome", "What you asked for was decided"
    TALK = "talk", "Questions, answers and comments"
    DELEGATION = "delegation", "You decide for somebody, or no longer"
    WAIVER = "waiver", "A waiver opens, ends soon, or was ended"
    REVIEW = "review", "A waiver was opened without approval"


MANDATORY = frozenset({Kind.DECISION, Kind.DELEGATION, Kind.REVIEW})
"""What somebody's duty hangs on comes by e-mail, whatever they chose."""


_ICONS = {
    Kind.DECISION: "stamp", Kind.REMINDER: "clock", Kind.OUTCOME: "check", Kind.TALK: "message-square-text",
    Kind.DELEGATION: "users-round", Kind.WAIVER: "shield-check", Kind.REVIEW: "lock-open",
}  # fmt: skip


class Mail(models.TextChoices):
    NONE = "none", "None"
    DUE = "due", "To be sent"
    SENT = "sent", "Sent"
    FAILED = "failed", "Could not be sent"


class Position(models.Model):
    """How far the outbox has been read: everything up to this transaction and number."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    xid = models.BigIntegerField(default=0)
    event = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(name="position_one_row", condition=Q(id=1))]

    def __str__(self) -> str:
        return f"{self.xid}/{self.event}"


class Notification(models.Model):
    """One thing that one account is told of, once for each event however often the outbox is read."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="notifications")
    event = models.BigIntegerField()
    kind = models.CharField(max_length=10, choices=Kind)
    subject = models.CharField(max_length=120)  # what it is about, such as approval:12
    title = models.CharField(max_length=300)
    at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)
    mail = models.CharField(max_length=6, choices=Mail, default=Mail.NONE)
    tries = models.PositiveSmallIntegerField(default=0)
    try_after = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["user", "-id"], name="notification_user"),
            models.Index(fields=["user"], condition=Q(read_at=None), name="notification_unread"),
            models.Index(fields=["try_after"], condition=Q(mail="due"), name="notification_mail"),
            models.Index(fields=["subject"], name="notification_subject"),
        ]
        constraints = [models.UniqueConstraint(fields=["event", "user"], name="notification_once")]

    def __str__(self) -> str:
        return self.title

    @property
    def icon(self) -> str:
        return _ICONS[Kind(self.kind)]


class Preference(models.Model):
    """The kinds that an account does not want by e-mail. They stay on its page."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, primary_key=True, on_delete=models.CASCADE, related_name="notification_preference"
    )
    no_mail = ArrayField(models.CharField(max_length=10, choices=Kind), default=list, blank=True)

    def __str__(self) -> str:
        return f"preference of {self.user_id}"
