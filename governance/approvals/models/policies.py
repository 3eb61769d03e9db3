"""Approval policies: which stages a kind of request passes, as data in versions."""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from governance.approvals.guards import POLICY_APPROVED, POLICY_FIXED, POLICY_STAGE_FIXED, never_emptied


class ApprovalPolicy(models.Model):
    """Which stages a kind of request passes. A change is a new version, and requests keep the one they began with."""

    kind = models.CharField(max_length=40)
    version = models.PositiveIntegerField(default=1)
    active = models.BooleanField(default=True)
    note = models.CharField(max_length=300, blank=True)
    # What a version says beside its stages, for whoever opens requests of the kind: the engine keeps it and knows no word of it.
    terms = models.JSONField(default=dict, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    written_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "version"], name="policy_version"),
            models.UniqueConstraint(fields=["kind"], condition=Q(active=True), name="policy_one_active"),
        ]
        triggers = [
            POLICY_FIXED,
            POLICY_APPROVED,
            pgtrigger.Protect(name="policy_keep", operation=pgtrigger.Delete),
            never_emptied("policy"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} v{self.version}"


class AtEnd(models.TextChoices):
    """What happens when nobody has decided in time. Time alone never grants anything."""

    WAIT = "wait", "Goes on waiting"
    ESCALATE = "escalate", "Others may decide, too"
    REFUSE = "refuse", "The request is refused"


class PolicyStage(models.Model):
    """One stage. Those of one ``position`` are open side by side; the next position waits for all of them.

    It is passed over unless its conditions on the risk hold. Whoever has one of ``groups``, the right ``permission``, or stands
    in one of ``relations`` to what is asked for may decide it; ``fallback`` are the groups that do when none of those can.
    """

    policy = models.ForeignKey(ApprovalPolicy, on_delete=models.PROTECT, related_name="stages")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=80)
    groups = ArrayField(models.CharField(max_length=80), default=list, blank=True)
    permission = models.CharField(max_length=100, blank=True)
    relations = ArrayField(models.CharField(max_length=40), default=list, blank=True)
    fallback = ArrayField(models.CharField(max_length=80), default=list, blank=True)
    quorum = models.PositiveSmallIntegerField(default=1)
    min_tier = models.PositiveSmallIntegerField(null=True, blank=True)
    more_than_days = models.PositiveSmallIntegerField(null=True, blank=True)
    more_than_people = models.PositiveIntegerField(null=True, blank=True)
    effects = ArrayField(models.CharField(max_length=10), default=list, blank=True)
    due_hours = models.PositiveSmallIntegerField(null=True, blank=True)
    business_hours = models.BooleanField(default=False)
    remind_hours = models.PositiveSmallIntegerField(null=True, blank=True)
    at_end = models.CharField(max_length=10, choices=AtEnd, default=AtEnd.WAIT)
    escalate_to = ArrayField(models.CharField(max_length=80), default=list, blank=True)

    class Meta:
        ordering = ["position", "name"]
        constraints = [
            models.UniqueConstraint(fields=["policy", "position", "name"], name="policy_stage_position"),
            models.CheckConstraint(name="policy_stage_quorum", condition=Q(quorum__gte=1)),
            models.CheckConstraint(
                name="policy_stage_has_approvers",
                condition=~Q(groups=[]) | ~Q(permission="") | ~Q(relations=[]),
            ),
            models.CheckConstraint(
                name="policy_stage_end",
                condition=~Q(at_end="escalate") | (~Q(escalate_to=[]) & Q(due_hours__isnull=False)),
            ),
        ]
        triggers = [POLICY_STAGE_FIXED, never_emptied("policy_stage")]

    def __str__(self) -> str:
        return self.name
