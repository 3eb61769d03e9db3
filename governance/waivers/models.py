"""Exception requests, the waivers they become, the licences waivers draw on, and grants.

Waivers and grants count by their dates alone: decisions read them directly, no job has to end them.
"""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import F, Q

from governance.waivers.states import EXCEPTION_TRANSITIONS, ExceptionState


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

    def __str__(self) -> str:
        return f"{self.model_id}/{self.capability_id or 'all'}"


class ExceptionRequest(models.Model):
    """A request that one person keep some model capabilities of a directive for some days."""

    directive = models.ForeignKey("directives.Directive", on_delete=models.PROTECT, related_name="exceptions")
    version = models.ForeignKey("directives.DirectiveVersion", on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey("people.Person", on_delete=models.PROTECT, related_name="exceptions")
    model_capabilities = models.ManyToManyField("catalog.ModelCapability", related_name="+")
    days = models.PositiveIntegerField()
    reason = models.TextField()
    mitigation = models.CharField(max_length=40, blank=True)
    licence = models.ForeignKey(Licence, null=True, blank=True, on_delete=models.PROTECT, related_name="exceptions")
    state = models.CharField(max_length=10, choices=ExceptionState, default=ExceptionState.OPEN)
    filer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    filed_at = models.DateTimeField(auto_now_add=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    digest = models.CharField(max_length=64)

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
            pgtrigger.Protect(name="exception_keep", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"exception {self.pk}"

    @property
    def subject(self) -> str:
        return f"exception:{self.pk}"


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
            pgtrigger.Trigger(
                name="waiver_fixed",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                func="""
                    IF (OLD.person_id, OLD.directive_id, OLD.request_id, OLD.licence_id, OLD.starts_at)
                       IS DISTINCT FROM (NEW.person_id, NEW.directive_id, NEW.request_id, NEW.licence_id, NEW.starts_at)
                       OR NEW.ends_at > OLD.ends_at OR (OLD.ended_at IS NOT NULL AND NEW.ended_at IS NULL) THEN
                        RAISE EXCEPTION 'a waiver can only be ended; a longer one needs a new approval';
                    END IF;
                    RETURN NEW;
                """,
            ),
            # "At most five people at a time" holds even for two approvals in the same instant, or a shell session:
            # the licence row is locked, then the people whose waivers under it overlap this one are counted.
            pgtrigger.Trigger(
                name="waiver_licence_not_overdrawn",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                declare=[("licensed", "integer"), ("drawn", "integer"), ("until", "timestamptz")],
                condition=pgtrigger.Condition("NEW.licence_id IS NOT NULL"),
                func="""
                    SELECT people, valid_until INTO licensed, until
                      FROM waivers_licence WHERE id = NEW.licence_id FOR UPDATE;
                    IF NEW.ends_at > until THEN
                        RAISE EXCEPTION 'a waiver cannot outlast its licence';
                    END IF;
                    SELECT count(DISTINCT person_id) INTO drawn FROM waivers_waiver
                     WHERE licence_id = NEW.licence_id AND person_id <> NEW.person_id
                       AND coalesce(ended_at, ends_at) > NEW.starts_at AND starts_at < NEW.ends_at;
                    IF drawn >= licensed THEN
                        RAISE EXCEPTION 'the licence is drawn in full';
                    END IF;
                    RETURN NEW;
                """,
            ),
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

    def __str__(self) -> str:
        return f"grant {self.pk}"
