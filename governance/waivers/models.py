"""Exception requests, the waivers they become, the licences waivers draw on, and grants.

Waivers and grants count by their dates alone: decisions read them directly, no job has to end them.
"""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from governance.waivers.guards import (
    CAPABILITY_WAS_ASKED_FOR,
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
    licence = models.ForeignKey(Licence, null=True, blank=True, on_delete=models.PROTECT, related_name="exceptions")
    state = models.CharField(max_length=10, choices=ExceptionState, default=ExceptionState.OPEN)
    filer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    filed_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    close_reason = models.CharField(max_length=300, blank=True, default="")
    digest = models.CharField(max_length=64)
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
    request = models.OneToOneField(ExceptionRequest, on_delete=models.PROTECT, related_name="waiver")
    licence = models.ForeignKey(Licence, null=True, blank=True, on_delete=models.PROTECT, related_name="waivers")
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    end_reason = models.CharField(max_length=200, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["person", "directive"], name="waiver_person"),
            models.Index(fields=["directive", "ends_at"], name="waiver_directive"),
        ]
        constraints = [
            models.CheckConstraint(name="waiver_dates", condition=Q(ends_at__gt=F("starts_at"))),
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
