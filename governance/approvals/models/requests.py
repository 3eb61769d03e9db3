"""Requests with their stages, who may not decide them, and votes.

Separation of duties stands in triggers as well as in the services: the requester, whoever benefits or wrote it, and
whoever voted already cannot vote, whatever writes the row.
"""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Coalesce

from governance.approvals.guards import (
    APPROVER_OF_OPEN_STAGE,
    CONFLICT_OF_PERSON_AND_ACCOUNT,
    REQUEST_ALL_STAGES,
    REQUEST_BEGINS,
    REQUEST_FIXED,
    REQUESTER_IS_PARTY,
    STAGE_BEGINS,
    STAGE_FIXED,
    VOTE_SEPARATION_OF_DUTIES,
    never_emptied,
)
from governance.approvals.models.policies import ApprovalPolicy, AtEnd
from governance.approvals.states import REQUEST_TRANSITIONS, STAGE_TRANSITIONS, RequestState, StageState


class Request(models.Model):
    """A request for a decision on a content digest. What it is about is text: this engine knows no subject.

    An edit is a new ``revision`` with stages of its own; what was decided on an earlier one counts for nothing.
    """

    kind = models.CharField(max_length=40)
    subject = models.CharField(max_length=120)
    summary = models.CharField(max_length=300)
    content_digest = models.CharField(max_length=64)
    policy = models.ForeignKey(ApprovalPolicy, on_delete=models.PROTECT, related_name="+")
    requester = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    requester_via = models.CharField(max_length=150, blank=True)
    reason = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=RequestState, default=RequestState.OPEN)
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True, blank=True)
    revision = models.PositiveSmallIntegerField(default=1)
    tier = models.PositiveSmallIntegerField(default=0)
    days = models.PositiveIntegerField(default=0)
    people = models.PositiveIntegerField(default=0)
    effect = models.CharField(max_length=10, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)  # a question is open: no clock runs

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["state", "-id"], name="request_state"),
            models.Index(fields=["subject", "-id"], name="request_subject"),
            # Inboxes read the oldest first, and stop when a page is full.
            models.Index(fields=["opened_at", "id"], condition=Q(state=RequestState.OPEN), name="request_oldest_open"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["subject"], condition=Q(state=RequestState.OPEN), name="request_one_open"),
        ]
        triggers = [
            pgtrigger.FSM(
                name="request_states",
                field="state",
                transitions=sorted((str(old), str(new)) for old, new in REQUEST_TRANSITIONS),
            ),
            REQUEST_FIXED,
            REQUEST_BEGINS,
            REQUESTER_IS_PARTY,
            # Each of its stages is approved, and each of those has the votes it needs.
            REQUEST_ALL_STAGES,
            pgtrigger.Protect(name="request_keep", operation=pgtrigger.Delete),
            never_emptied("request"),
        ]

    def __str__(self) -> str:
        return f"request {self.pk}"


class RequestStage(models.Model):
    """A stage as it was resolved when the request, or this revision of it, was opened."""

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="stages")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=80)
    revision = models.PositiveSmallIntegerField(default=1)
    groups = ArrayField(models.CharField(max_length=80), default=list, blank=True)
    permission = models.CharField(max_length=100, blank=True)
    escalate_to = ArrayField(models.CharField(max_length=80), default=list, blank=True)
    quorum = models.PositiveSmallIntegerField(default=1)
    opened_at = models.DateTimeField(null=True, blank=True)
    due_hours = models.PositiveSmallIntegerField(null=True, blank=True)
    business_hours = models.BooleanField(default=False)
    remind_hours = models.PositiveSmallIntegerField(null=True, blank=True)
    at_end = models.CharField(max_length=10, choices=AtEnd, default=AtEnd.WAIT)
    due_at = models.DateTimeField(null=True, blank=True)
    remind_at = models.DateTimeField(null=True, blank=True)
    reminded_at = models.DateTimeField(null=True, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=StageState, default=StageState.WAITING)

    class Meta:
        ordering = ["request", "revision", "position", "name"]
        indexes = [
            models.Index(fields=["request"], condition=Q(state=StageState.OPEN), name="request_stage_open"),
            models.Index(fields=["due_at"], condition=Q(state=StageState.OPEN), name="request_stage_due"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["request", "revision", "position", "name"], name="request_stage_position"),
        ]
        triggers = [
            pgtrigger.FSM(
                name="request_stage_states",
                field="state",
                transitions=sorted((str(old), str(new)) for old, new in STAGE_TRANSITIONS),
            ),
            STAGE_FIXED,
            STAGE_BEGINS,
            pgtrigger.Protect(name="request_stage_keep", operation=pgtrigger.Delete),
            never_emptied("request_stage"),
        ]

    def __str__(self) -> str:
        return self.name


class StageApprover(models.Model):
    """Somebody who may decide a stage by name: by a relation to what is asked for, or because a lead handed it to them.

    ``through`` is what they came to it by, as long as one of it still holds (``relations``); empty: by name alone.
    """

    stage = models.ForeignKey(RequestStage, on_delete=models.PROTECT, related_name="named")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    path = models.CharField(max_length=300)
    through = ArrayField(models.CharField(max_length=120), default=list, blank=True)
    named_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["stage", "user"], name="stage_approver_once")]
        triggers = [
            APPROVER_OF_OPEN_STAGE,
            pgtrigger.Protect(name="stage_approver_keep", operation=pgtrigger.Update | pgtrigger.Delete),
            never_emptied("stage_approver"),
        ]

    def __str__(self) -> str:
        return self.path


class Conflict(models.Model):
    """Who may not decide a request, and why: an account, or whichever account has a person's e-mail address."""

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="conflicts")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    person = models.ForeignKey("people.Person", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    reason = models.CharField(max_length=200)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="conflict_one_subject",
                condition=Q(user__isnull=False, person__isnull=True) | Q(user__isnull=True, person__isnull=False),
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="conflict_keep", operation=pgtrigger.Update | pgtrigger.Delete),
            never_emptied("conflict"),
            CONFLICT_OF_PERSON_AND_ACCOUNT,
        ]

    def __str__(self) -> str:
        return self.reason


class Verdict(models.TextChoices):
    APPROVE = "approve", "Approve"
    REJECT = "reject", "Reject"


class Vote(models.Model):
    """One person's decision in one stage, on one content digest, perhaps for somebody who delegated it. Never changed."""

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="votes")
    stage = models.ForeignKey(RequestStage, on_delete=models.PROTECT, related_name="votes")
    approver = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    on_behalf_of = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    revision = models.PositiveSmallIntegerField(default=1)
    via = models.CharField(max_length=150, blank=True)
    verdict = models.CharField(max_length=10, choices=Verdict)
    comment = models.TextField(blank=True)
    content_digest = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["approver", "-id"], name="vote_approver")]
        constraints = [
            models.UniqueConstraint(fields=["request", "revision", "approver"], name="vote_once_in_a_request"),
            models.UniqueConstraint(
                "request", "revision", Coalesce("on_behalf_of", "approver"), name="vote_once_for_whom_it_counts"
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="vote_keep", operation=pgtrigger.Update | pgtrigger.Delete),
            never_emptied("vote"),
            VOTE_SEPARATION_OF_DUTIES,
        ]

    def __str__(self) -> str:
        return f"{self.verdict} by {self.approver_id}"

    @property
    def by(self) -> str:
        """Who decided, and for whom."""
        return f"{self.approver} for {self.on_behalf_of}" if self.on_behalf_of else str(self.approver)
