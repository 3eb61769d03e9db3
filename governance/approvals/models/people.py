"""What people do around a request besides deciding it: talk about it, and let somebody decide for them."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q

from governance.approvals.guards import DELEGATION_FIXED, never_emptied
from governance.approvals.models.requests import Request


class Delegation(models.Model):
    """For a time, the delegate may decide what the principal may. It passes on nothing that was itself delegated."""

    principal = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="delegations_given")
    delegate = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="delegations_held")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=200)

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["delegate", "ends_at"], name="delegation_held")]
        constraints = [
            models.CheckConstraint(name="delegation_to_another", condition=~Q(principal=F("delegate"))),
            models.CheckConstraint(name="delegation_dates", condition=Q(ends_at__gt=F("starts_at"))),
        ]
        triggers = [
            DELEGATION_FIXED,
            pgtrigger.Protect(name="delegation_keep", operation=pgtrigger.Delete),
            never_emptied("delegation"),
        ]

    def __str__(self) -> str:
        return f"{self.delegate} for {self.principal}"


class CommentKind(models.TextChoices):
    COMMENT = "comment", "Comment"
    QUESTION = "question", "Question"
    ANSWER = "answer", "Answer"


class Comment(models.Model):
    """A remark, a question to the requester, or the answer. An open question stops the clock of the request's stages."""

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="comments")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    kind = models.CharField(max_length=10, choices=CommentKind, default=CommentKind.COMMENT)
    text = models.TextField()
    at = models.DateTimeField()
    answers = models.OneToOneField("self", null=True, blank=True, on_delete=models.PROTECT, related_name="answer")
    stopped_for = models.DurationField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["request", "id"], name="comment_request")]
        constraints = [
            models.CheckConstraint(
                name="comment_answers",
                condition=Q(kind="answer", answers__isnull=False) | ~Q(kind="answer") & Q(answers=None),
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="comment_keep", operation=pgtrigger.Update | pgtrigger.Delete),
            never_emptied("comment"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} by {self.author_id}"
