"""Exception requests, the waivers they become, the licences waivers draw on, and grants.

Waivers and grants count by their dates alone: decisions read them directly, no job has to end them.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from governance.waivers.guards import (
    ACCEPTED_BY_THE_PERSON,
    BREAK_GLASS_BEGINS,
    BREAK_GLASS_STEPS,
    CAPABILITY_WAS_ASKED_FOR,
    CONDITION_WHILE_OPEN,
    DRAFT_FOR_SOMEBODY_ELSE,
    EXCEPTION_APPROVED,
    EXCEPTION_BEGINS_OPEN,
    EXCEPTION_FIXED,
    EXCEPTION_FOR_SOMEBODY_ELSE,
    LICENCE_NOT_OVERDRAWN,
    WAIVER_FIXED,
    WAIVER_OF_ITS_REQUEST,
    not_emptied,
    part_of_content,
)
from governance.waivers.states import EXCEPTION_TRANSITIONS, DraftState, ExceptionState


class Licence(models.Model):
    """An authority's written permission: document, scope, number of people at a time, dates."""

    reference = models.CharField(max_length=60, unique=True)
    directive = models.ForeignKey("directives.Directive", on_delete=models.PROTECT, related_name="licences")
    title = models.CharField(max_length=200)
    document = models.CharField(max_length=300)
    people = models.PositiveIntegerField()
    valid_from = models.DateTimeField()
    valid_until = models.DateTimeField()

    class Meta:
        ordering = ["reference"]
        constraints = [
            models.CheckConstraint(name="licence_dates", condition=Q(valid_until__gt=F("valid_from"))),
            models.CheckConstraint(name="licence_people", condition=Q(people__gte=1)),
        ]
        triggers = [not_emptied("licence")]

    def __str__(self) -> str:
        return self.reference


class LicenceScope(models.Model):
    """One model of a licence's scope, with one capability or (``capability`` NULL) all of them."""

    licence = models.ForeignKey(Licence, on_delete=models.PROTECT, related_name="scope")
    model = models.ForeignKey("catalog.AIModel", on_delete=models.PROTECT, related_name="+")
    capability = models.ForeignKey(
        "catalog.Capability", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["licence", "model", "capability"], name="licence_scope_once", nulls_distinct=False
            ),
        ]
        triggers = [not_emptied("licence_scope")]

    def __str__(self) -> str:
        return f"{self.model_id}/{self.capability_id or 'all'}"


class ExceptionRequest(models.Model):
    """A request that one person keep some model capabilities of a directive for some days."""

    directive = models.ForeignKey("directives.Directive", on_delete=models.PROTECT, related_name="exceptions")
    version = models.ForeignKey("directives.DirectiveVersion", on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey("people.Person", on_delete=models.PROTECT, related_name="exceptions")
    model_capabilities = models.ManyToManyField(
        "catalog.ModelCapability", through="ExceptionCapability", related_name="+"
    )
    days = models.PositiveIntegerField()
    reason = models.TextField()
    mitigation = models.CharField(max_length=40, blank=True)
    conditions = models.TextField(blank=True, default="")  # the filer's own words for what the person has to keep to
    renews = models.ForeignKey("Waiver", null=True, blank=True, on_delete=models.PROTECT, related_name="renewals")
    licence = models.ForeignKey(Licence, null=True, blank=True, on_delete=models.PROTECT, related_name="exceptions")
    state = models.CharField(max_length=10, choices=ExceptionState, default=ExceptionState.OPEN)
    filer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    filed_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    close_reason = models.CharField(max_length=300, blank=True, default="")
    digest = models.CharField(max_length=64)
    conditions_digest = models.CharField(max_length=64, blank=True, default="")  # of all conditions, once approved
    revision = models.PositiveSmallIntegerField(default=1)  # that of its approval: an edit is the next one

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["state", "-id"], name="exception_state"),
            models.Index(fields=["directive", "-id"], name="exception_directive"),
            models.Index(fields=["person", "-id"], name="exception_person"),
            models.Index(fields=["filer", "-id"], name="exception_filer"),
        ]
        constraints = [models.CheckConstraint(name="exception_days", condition=Q(days__gte=1))]
        triggers = [
            pgtrigger.FSM(
                name="exception_states",
                field="state",
                transitions=sorted((str(old), str(new)) for old, new in EXCEPTION_TRANSITIONS),
            ),
            EXCEPTION_BEGINS_OPEN,
            EXCEPTION_FOR_SOMEBODY_ELSE,
            EXCEPTION_FIXED,
            EXCEPTION_APPROVED,
            pgtrigger.Protect(name="exception_keep", operation=pgtrigger.Delete),
            not_emptied("exception"),
        ]

    def __str__(self) -> str:
        return f"exception {self.pk}"

    @property
    def subject(self) -> str:
        return f"exception:{self.pk}"


class ExceptionCapability(models.Model):
    """One model capability that an exception request asks for. Once the approval is open, only an edit changes it."""

    request = models.ForeignKey(ExceptionRequest, on_delete=models.CASCADE, db_column="exceptionrequest_id")
    model_capability = models.ForeignKey(
        "catalog.ModelCapability", on_delete=models.CASCADE, related_name="+", db_column="modelcapability_id"
    )

    class Meta:
        db_table = "waivers_exceptionrequest_model_capabilities"
        unique_together = [("request", "model_capability")]
        triggers = [
            *part_of_content("exception_capability", "exceptionrequest_id"),
            pgtrigger.Protect(name="exception_capability_same", operation=pgtrigger.Update),
            not_emptied("exception_capability"),
        ]

    def __str__(self) -> str:
        return f"{self.request_id}/{self.model_capability_id}"


class Condition(models.Model):
    """What an approver adds to an exception for the person to keep to. It gives nobody more than was asked for.

    An edit of the exception voids it with the decisions: what counts is of the exception's revision.
    """

    request = models.ForeignKey(ExceptionRequest, on_delete=models.PROTECT, related_name="added_conditions")
    revision = models.PositiveSmallIntegerField()
    text = models.TextField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()

    class Meta:
        ordering = ["id"]
        triggers = [
            CONDITION_WHILE_OPEN,
            pgtrigger.Protect(name="condition_keep", operation=pgtrigger.Update | pgtrigger.Delete),
            not_emptied("condition"),
        ]

    def __str__(self) -> str:
        return self.text


class Acceptance(models.Model):
    """The person's own word that they keep to the conditions, bound to their digest."""

    request = models.OneToOneField(ExceptionRequest, on_delete=models.PROTECT, related_name="acceptance")
    account = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    digest = models.CharField(max_length=64)
    at = models.DateTimeField()

    class Meta:
        triggers = [
            ACCEPTED_BY_THE_PERSON,
            pgtrigger.Protect(name="acceptance_keep", operation=pgtrigger.Update | pgtrigger.Delete),
            not_emptied("acceptance"),
        ]

    def __str__(self) -> str:
        return f"conditions of exception {self.request_id}"


class Verdict(models.TextChoices):
    NEEDED = "needed", "It was needed"
    NOT_NEEDED = "not_needed", "It should not have been opened"


CONFIRM_WITHIN = timedelta(minutes=15)


class BreakGlass(models.Model):
    """A waiver that two of a named few opened together, at once and without stages; for hours, and reviewed afterwards.

    Nothing is open until the second person has confirmed what the first asked for.
    """

    person = models.ForeignKey("people.Person", on_delete=models.PROTECT, related_name="+")
    directive = models.ForeignKey("directives.Directive", on_delete=models.PROTECT, related_name="+")
    version = models.ForeignKey("directives.DirectiveVersion", on_delete=models.PROTECT, related_name="+")
    model_capability_ids = ArrayField(models.BigIntegerField())
    hours = models.PositiveSmallIntegerField()
    reason = models.TextField()
    digest = models.CharField(max_length=64)
    opened_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    opened_via = models.CharField(max_length=150, blank=True)
    opened_at = models.DateTimeField()
    confirmed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    confirmed_via = models.CharField(max_length=150, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    review_due = models.DateTimeField(null=True, blank=True)
    reviewed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    reviewed_at = models.DateTimeField(null=True, blank=True)
    verdict = models.CharField(max_length=10, choices=Verdict, blank=True)
    review = models.TextField(blank=True)
    overdue_told_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="break_glass_hours", condition=Q(hours__gte=1, hours__lte=4)),
            models.CheckConstraint(name="break_glass_of_something", condition=~Q(model_capability_ids=[])),
            models.CheckConstraint(name="break_glass_two_people", condition=~Q(confirmed_by=F("opened_by"))),
            models.CheckConstraint(
                name="break_glass_confirmed",
                condition=Q(confirmed_by=None, confirmed_at=None, review_due=None)
                | Q(confirmed_by__isnull=False, confirmed_at__isnull=False, review_due__gt=F("confirmed_at")),
            ),
            models.CheckConstraint(
                name="break_glass_reviewed",
                condition=Q(reviewed_by=None, reviewed_at=None, verdict="", review="")
                | Q(reviewed_by__isnull=False, reviewed_at__isnull=False, verdict__in=Verdict.values) & ~Q(review=""),
            ),
            models.CheckConstraint(
                name="break_glass_third_person",
                condition=~Q(reviewed_by=F("opened_by")) & ~Q(reviewed_by=F("confirmed_by")),
            ),
            # Hours follow on hours only after somebody else has looked.
            models.UniqueConstraint(
                fields=["person", "directive"],
                condition=Q(confirmed_at__isnull=False, reviewed_at=None),
                name="break_glass_one_unreviewed",
            ),
        ]
        triggers = [
            BREAK_GLASS_BEGINS,
            BREAK_GLASS_STEPS,
            pgtrigger.Protect(name="break_glass_keep", operation=pgtrigger.Delete),
            not_emptied("break_glass"),
        ]

    def __str__(self) -> str:
        return f"break-glass {self.pk}"

    @property
    def subject(self) -> str:
        return f"break-glass:{self.pk}"

    @property
    def confirm_by(self) -> datetime:
        """Until when a second person may confirm it."""
        return self.opened_at + CONFIRM_WITHIN


class ExceptionAttachment(models.Model):
    """A file that an exception request rests on; its bytes lie outside the database, under the name of their SHA-256."""

    request = models.ForeignKey(ExceptionRequest, on_delete=models.PROTECT, related_name="attachments")
    name = models.CharField(max_length=200)
    media_type = models.CharField(max_length=60)
    size = models.PositiveIntegerField()
    sha256 = models.CharField(max_length=64)
    added_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["request", "sha256"], name="attachment_once"),
            models.CheckConstraint(name="attachment_sha256", condition=Q(sha256__regex=r"^[0-9a-f]{64}$")),
        ]
        triggers = [
            *part_of_content("exception_attachment", "request_id"),
            pgtrigger.Protect(name="exception_attachment_same", operation=pgtrigger.Update),
            not_emptied("exception_attachment"),
        ]

    def __str__(self) -> str:
        return self.name


class ExceptionDraft(models.Model):
    """A request before it is filed: as typed by its author, or asked for by the person whose access is off.

    ``values`` are the answers as they stand in the form, whether they would be accepted or not. One that was asked for has no
    author until somebody takes it up, and stays when it is over, so that who asked can read what became of it.
    """

    key = models.UUIDField(primary_key=True)
    directive = models.ForeignKey("directives.Directive", on_delete=models.PROTECT, related_name="+")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    asked_by = models.ForeignKey(
        "people.Person", null=True, blank=True, on_delete=models.PROTECT, related_name="exceptions_asked_for"
    )
    asked_for = models.TextField(blank=True)
    values = models.JSONField(default=dict)
    attachments = models.JSONField(default=list)
    state = models.CharField(max_length=10, choices=DraftState, default=DraftState.DRAFT)
    answer = models.CharField(max_length=300, blank=True)
    exception = models.ForeignKey(
        ExceptionRequest, null=True, blank=True, on_delete=models.PROTECT, related_name="drafts"
    )
    created_at = models.DateTimeField(db_default=Now())
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-changed_at"]
        indexes = [
            models.Index(fields=["author", "-changed_at"], name="draft_author"),
            models.Index(fields=["asked_by", "-created_at"], name="draft_asked_by"),
        ]
        constraints = [
            models.CheckConstraint(
                name="draft_of_somebody", condition=Q(author__isnull=False) | Q(asked_by__isnull=False)
            ),
            models.CheckConstraint(
                name="draft_filed_as",
                condition=Q(state=DraftState.FILED, exception__isnull=False)
                | (~Q(state=DraftState.FILED) & Q(exception__isnull=True)),
            ),
            models.UniqueConstraint(
                fields=["asked_by", "directive"], condition=Q(state=DraftState.DRAFT), name="draft_asked_for_once"
            ),
        ]
        triggers = [DRAFT_FOR_SOMEBODY_ELSE]

    def __str__(self) -> str:
        return f"draft {self.key}"

    @property
    def number_of_people(self) -> int:
        return len(self.values.get("people", ()))


class Waiver(models.Model):
    """The time-bound permission that an approved exception request becomes. In force by its dates alone."""

    person = models.ForeignKey("people.Person", on_delete=models.PROTECT, related_name="waivers")
    directive = models.ForeignKey("directives.Directive", on_delete=models.PROTECT, related_name="waivers")
    request = models.OneToOneField(
        ExceptionRequest, null=True, blank=True, on_delete=models.PROTECT, related_name="waiver"
    )
    break_glass = models.OneToOneField(
        BreakGlass, null=True, blank=True, on_delete=models.PROTECT, related_name="waiver"
    )
    licence = models.ForeignKey(Licence, null=True, blank=True, on_delete=models.PROTECT, related_name="waivers")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    end_reason = models.CharField(max_length=200, blank=True)  # why it ended, or will sooner than it was approved for
    reminded_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["ends_at"], condition=Q(reminded_at=None, ended_at=None), name="waiver_to_remind_of"),
            models.Index(fields=["person", "directive"], name="waiver_person"),
            models.Index(fields=["directive", "ends_at"], name="waiver_directive"),
        ]
        constraints = [
            models.CheckConstraint(name="waiver_dates", condition=Q(ends_at__gt=F("starts_at"))),
            models.CheckConstraint(
                name="waiver_one_source",
                condition=Q(request__isnull=False, break_glass=None) | Q(request=None, break_glass__isnull=False),
            ),
        ]
        triggers = [
            pgtrigger.Protect(name="waiver_keep", operation=pgtrigger.Delete),
            not_emptied("waiver"),
            WAIVER_FIXED,
            WAIVER_OF_ITS_REQUEST,
            LICENCE_NOT_OVERDRAWN,
        ]

    def __str__(self) -> str:
        return f"waiver {self.pk}"

    @property
    def subject(self) -> str:
        return f"waiver:{self.pk}"


class WaiverCapability(models.Model):
    """One model capability that a waiver permits."""

    waiver = models.ForeignKey(Waiver, on_delete=models.PROTECT, related_name="capabilities")
    model_capability = models.ForeignKey("catalog.ModelCapability", on_delete=models.PROTECT, related_name="+")

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["waiver", "model_capability"], name="waiver_capability_once"),
        ]
        triggers = [
            CAPABILITY_WAS_ASKED_FOR,
            pgtrigger.Protect(name="waiver_capability_keep", operation=pgtrigger.Update | pgtrigger.Delete),
            not_emptied("waiver_capability"),
        ]

    def __str__(self) -> str:
        return f"{self.waiver_id}/{self.model_capability_id}"


class Grant(models.Model):
    """An explicit, time-bound permission for a person or an organisation beyond the audience."""

    person = models.ForeignKey("people.Person", null=True, blank=True, on_delete=models.PROTECT, related_name="grants")
    organisation = models.ForeignKey(
        "people.Organisation", null=True, blank=True, on_delete=models.PROTECT, related_name="grants"
    )
    model_capability = models.ForeignKey("catalog.ModelCapability", on_delete=models.PROTECT, related_name="+")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    reason = models.TextField()

    class Meta:
        indexes = [
            models.Index(fields=["person"], name="grant_person"),
            models.Index(fields=["organisation"], name="grant_organisation"),
        ]
        constraints = [
            models.CheckConstraint(name="grant_dates", condition=Q(ends_at__gt=F("starts_at"))),
            models.CheckConstraint(
                name="grant_one_subject",
                condition=Q(person__isnull=False, organisation__isnull=True)
                | Q(person__isnull=True, organisation__isnull=False),
            ),
        ]
        triggers = [not_emptied("grant")]

    def __str__(self) -> str:
        return f"grant {self.pk}"
