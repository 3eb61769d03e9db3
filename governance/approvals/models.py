"""Approval policies, requests with their ordered stages, and votes.

Separation of duties stands in triggers as well as in the services: the requester, whoever benefits or wrote it, and
whoever voted already cannot vote, whatever writes the row.
"""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from governance.approvals.states import REQUEST_TRANSITIONS, STAGE_TRANSITIONS, RequestState, StageState


def _never_emptied(what: str) -> pgtrigger.Trigger:
    """TRUNCATE passes row triggers by: what is kept row by row is kept whole, too."""
    return pgtrigger.Trigger(
        name=f"{what}_no_truncate",
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Truncate,
        func="RAISE EXCEPTION 'approvals are kept';",
    )


class ApprovalPolicy(models.Model):
    """Which stages a kind of request passes. Versioned: a change is a new row, and requests keep the one they began with."""

    kind = models.CharField(max_length=40)
    version = models.PositiveIntegerField(default=1)
    active = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "version"], name="policy_version"),
            models.UniqueConstraint(fields=["kind"], condition=Q(active=True), name="policy_one_active"),
        ]
        triggers = [_never_emptied("policy")]

    def __str__(self) -> str:
        return f"{self.kind} v{self.version}"


class PolicyStage(models.Model):
    """One stage: any account of ``groups`` decides. It is skipped unless its conditions on the risk hold."""

    policy = models.ForeignKey(ApprovalPolicy, on_delete=models.CASCADE, related_name="stages")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=80)
    groups = ArrayField(models.CharField(max_length=80))
    quorum = models.PositiveSmallIntegerField(default=1)
    min_tier = models.PositiveSmallIntegerField(null=True, blank=True)
    more_than_days = models.PositiveSmallIntegerField(null=True, blank=True)
    due_hours = models.PositiveSmallIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["position"]
        constraints = [models.UniqueConstraint(fields=["policy", "position"], name="policy_stage_position")]
        triggers = [_never_emptied("policy_stage")]

    def __str__(self) -> str:
        return self.name


class Request(models.Model):
    """A request for a decision on a content digest. What it is about is text: this engine knows no subject."""

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

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["state", "-id"], name="request_state"),
            models.Index(fields=["subject", "-id"], name="request_subject"),
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
            pgtrigger.Trigger(
                name="request_fixed",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func="""
                    IF (OLD.kind, OLD.subject, OLD.content_digest, OLD.requester_id, OLD.policy_id)
                       IS DISTINCT FROM (NEW.kind, NEW.subject, NEW.content_digest, NEW.requester_id, NEW.policy_id) THEN
                        RAISE EXCEPTION 'what was asked for does not change';
                    END IF;
                    RETURN NEW;
                """,
            ),
            pgtrigger.Trigger(
                name="request_begins",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition("NEW.state <> 'open'"),
                func="RAISE EXCEPTION 'a request begins open';",
            ),
            # A request counts as approved only when each of its stages is, and each of those needs its votes.
            pgtrigger.Trigger(
                name="request_all_stages",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition("OLD.state <> 'approved' AND NEW.state = 'approved'"),
                func="""
                    IF NOT coalesce((SELECT bool_and(s.state = 'approved') FROM approvals_requeststage s
                                      WHERE s.request_id = NEW.id), FALSE) THEN
                        RAISE EXCEPTION 'a request is approved when all of its stages are';
                    END IF;
                    RETURN NEW;
                """,
            ),
            pgtrigger.Protect(name="request_keep", operation=pgtrigger.Delete),
            _never_emptied("request"),
        ]

    def __str__(self) -> str:
        return f"request {self.pk}"


class RequestStage(models.Model):
    """A stage as it was resolved when the request was opened."""

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="stages")
    position = models.PositiveSmallIntegerField()
    name = models.CharField(max_length=80)
    groups = ArrayField(models.CharField(max_length=80))
    quorum = models.PositiveSmallIntegerField(default=1)
    due_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=10, choices=StageState, default=StageState.WAITING)

    class Meta:
        ordering = ["request", "position"]
        constraints = [
            models.UniqueConstraint(fields=["request", "position"], name="request_stage_position"),
            models.UniqueConstraint(
                fields=["request"], condition=Q(state=StageState.OPEN), name="request_stage_one_open"
            ),
        ]
        triggers = [
            pgtrigger.FSM(
                name="request_stage_states",
                field="state",
                transitions=sorted((str(old), str(new)) for old, new in STAGE_TRANSITIONS),
            ),
            # A stage counts as approved only with its quorum of votes, and its groups stay those it was opened with.
            pgtrigger.Trigger(
                name="request_stage_quorum",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func="""
                    IF (OLD.request_id, OLD.position, OLD.groups, OLD.quorum)
                       IS DISTINCT FROM (NEW.request_id, NEW.position, NEW.groups, NEW.quorum) THEN
                        RAISE EXCEPTION 'a stage does not change once it was resolved';
                    END IF;
                    IF NEW.state = 'approved' AND OLD.state <> 'approved' AND NEW.quorum >
                       (SELECT count(*) FROM approvals_vote v WHERE v.stage_id = NEW.id AND v.verdict = 'approve') THEN
                        RAISE EXCEPTION 'a stage needs its quorum of votes';
                    END IF;
                    RETURN NEW;
                """,
            ),
            pgtrigger.Trigger(
                name="request_stage_begins",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func="""
                    IF NEW.state NOT IN ('waiting', 'open') OR NEW.quorum < 1 OR NOT EXISTS (
                        SELECT 1 FROM approvals_request r WHERE r.id = NEW.request_id AND r.state = 'open') THEN
                        RAISE EXCEPTION 'a stage begins undecided, in an open request';
                    END IF;
                    RETURN NEW;
                """,
            ),
            pgtrigger.Protect(name="request_stage_keep", operation=pgtrigger.Delete),
            _never_emptied("request_stage"),
        ]

    def __str__(self) -> str:
        return self.name


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
            _never_emptied("conflict"),
        ]

    def __str__(self) -> str:
        return self.reason


class Verdict(models.TextChoices):
    APPROVE = "approve", "Approve"
    REJECT = "reject", "Reject"


class Vote(models.Model):
    """One person's decision in one stage, on one content digest. Never changed."""

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="votes")
    stage = models.ForeignKey(RequestStage, on_delete=models.PROTECT, related_name="votes")
    approver = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    via = models.CharField(max_length=150, blank=True)
    verdict = models.CharField(max_length=10, choices=Verdict)
    comment = models.TextField(blank=True)
    content_digest = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["request", "approver"], name="vote_once_in_a_request")]
        triggers = [
            pgtrigger.Protect(name="vote_keep", operation=pgtrigger.Update | pgtrigger.Delete),
            _never_emptied("vote"),
            pgtrigger.Trigger(
                name="vote_separation_of_duties",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                declare=[("asked", "approvals_request%ROWTYPE"), ("stage", "approvals_requeststage%ROWTYPE")],
                func="""
                    SELECT * INTO asked FROM approvals_request WHERE id = NEW.request_id FOR UPDATE;
                    SELECT * INTO stage FROM approvals_requeststage WHERE id = NEW.stage_id;
                    IF asked.state <> 'open' OR stage.request_id <> asked.id OR stage.state <> 'open' THEN
                        RAISE EXCEPTION 'a vote counts only in the open stage of an open request';
                    END IF;
                    IF NEW.content_digest <> asked.content_digest THEN
                        RAISE EXCEPTION 'a vote is bound to the content that was asked about';
                    END IF;
                    IF NEW.approver_id = asked.requester_id THEN
                        RAISE EXCEPTION 'nobody decides what they asked for';
                    END IF;
                    IF EXISTS (SELECT 1 FROM approvals_conflict c
                                 LEFT JOIN people_person p ON p.id = c.person_id
                                 LEFT JOIN accounts_user u ON lower(u.email) = lower(p.email)
                                WHERE c.request_id = asked.id AND NEW.approver_id IN (c.user_id, u.id)) THEN
                        RAISE EXCEPTION 'nobody decides with a conflict';
                    END IF;
                    IF NOT EXISTS (SELECT 1 FROM accounts_user u
                                     JOIN accounts_user_groups ug ON ug.user_id = u.id
                                     JOIN auth_group g ON g.id = ug.group_id
                                    WHERE u.id = NEW.approver_id AND u.is_active AND g.name = ANY(stage.groups)) THEN
                        RAISE EXCEPTION 'a vote counts only from an active account of the stage''s groups';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.verdict} by {self.approver_id}"
