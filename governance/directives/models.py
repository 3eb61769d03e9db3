"""Directives, their immutable versions, and the case file beside them.

A directive is what an authority (or the company itself) instructs; a *version* is one immutable statement of scope, rule
and policy for unknowns. The database holds what must never give way: a version's content does not change once it was
submitted, states move along one table, one version at most is in force.
"""

from __future__ import annotations

from datetime import datetime

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q

from governance.accounts import object_models
from governance.directives.guards import (
    DIRECTIVE_SECOND_PERSON,
    EMERGENCY_OWED,
    VERIFY_CLOCK,
    VERSION_KEEPS_APPROVAL,
    VERSION_SECOND_PERSON,
)
from governance.directives.states import (
    DIRECTIVE_TRANSITIONS,
    IN_PREPARATION,
    VERSION_TRANSITIONS,
    DirectiveState,
    VersionState,
)


def _transitions(table: frozenset[tuple[str, str]]) -> list[tuple[str, str]]:
    return sorted((str(old), str(new)) for old, new in table)


def _never_emptied(what: str) -> pgtrigger.Trigger:
    """TRUNCATE passes row triggers by: what is kept row by row is kept whole, too."""
    return pgtrigger.Trigger(
        name=f"{what}_no_truncate",
        level=pgtrigger.Statement,
        when=pgtrigger.Before,
        operation=pgtrigger.Truncate,
        func="RAISE EXCEPTION 'directives and their versions are kept';",
    )


class DirectiveKind(models.TextChoices):
    ORDER = "order", "Order"
    PAUSE = "pause", "Pause"


class Effect(models.TextChoices):
    DENY = "deny", "Deny"
    MONITOR = "monitor", "Monitor"


class OnUnknown(models.TextChoices):
    DENY = "deny", "Deny"
    ALLOW = "allow", "Allow"
    VERIFY = "verify", "Verify"


class Waivable(models.TextChoices):
    NEVER = "never", "Never"
    AUTHORITY = "authority", "Only under an authority's licence"
    COMPANY = "company", "By the company"


class WaiverPolicy(models.TextChoices):
    KEEP = "keep", "Keep those within its scope"
    SHORTEN = "shorten", "Shorten"
    END = "end", "End"


class CountryGroup(models.Model):
    """A named list of countries that rules may mention as ``group:NAME``."""

    name = models.SlugField(primary_key=True, max_length=60)
    countries = ArrayField(models.CharField(max_length=2))

    def __str__(self) -> str:
        return self.name


CASE_PERMISSIONS = (("counsel_case", "Counsel of the case"), ("review_case", "Reviewer of the case"))


class Directive(models.Model):
    """An instruction that restricts access. What it restricts stands in its versions."""

    reference = models.CharField(max_length=60, unique=True)
    kind = models.CharField(max_length=10, choices=DirectiveKind, default=DirectiveKind.ORDER)
    title = models.CharField(max_length=200)
    authority = models.CharField(max_length=200, blank=True)
    received_at = models.DateTimeField(null=True, blank=True)
    comply_by = models.DateTimeField(null=True, blank=True)
    comply_immediately = models.BooleanField(default=False)
    position = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=DirectiveState, default=DirectiveState.DRAFT)
    version_in_force = models.ForeignKey(
        "DirectiveVersion", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    activated_at = models.DateTimeField(null=True, blank=True)
    # The policy epoch that began when the version in force took force: whoever was answered from it has seen it.
    epoch_in_force = models.BigIntegerField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    # The approval by which it was suspended, resumed or rescinded last: none serves twice.
    moved_by = models.ForeignKey("approvals.Request", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    # The verify clock (CONTRACTS.md, *Who is covered*): a deadline while it runs, what is left of it while suspended.
    verify_deadline = models.DateTimeField(null=True, blank=True)
    verify_remaining = models.DurationField(null=True, blank=True)
    # An emergency activation waits for its confirmation by a second person until then; it is never lifted by itself.
    confirm_by = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    escalated_at = models.DateTimeField(null=True, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        permissions = CASE_PERMISSIONS
        indexes = [
            models.Index(fields=["state", "reference"], name="directive_state"),
            models.Index(fields=["-received_at", "id"], name="directive_received"),
        ]
        constraints = [
            models.CheckConstraint(
                name="directive_in_force_has_version",
                condition=~Q(state__in=[DirectiveState.ACTIVE, DirectiveState.SUSPENDED])
                | Q(version_in_force__isnull=False),
            ),
        ]
        triggers = [
            pgtrigger.FSM(name="directive_states", field="state", transitions=_transitions(DIRECTIVE_TRANSITIONS)),
            pgtrigger.Protect(name="directive_keep", operation=pgtrigger.Delete),
            DIRECTIVE_SECOND_PERSON,
            EMERGENCY_OWED,
            VERIFY_CLOCK,
            _never_emptied("directive"),
        ]

    def __str__(self) -> str:
        return self.reference

    @property
    def subject(self) -> str:
        """How ledger, approvals and outbox name this directive."""
        return f"directive:{self.reference}"

    @property
    def from_outside(self) -> bool:
        """Whether an outside authority ordered it; the company's own pauses and policies name none."""
        return self.kind == DirectiveKind.ORDER and bool(self.authority)

    @property
    def to_be_confirmed(self) -> bool:
        return self.confirm_by is not None and self.confirmed_at is None

    def term_ended(self, moment: datetime) -> bool:
        """Whether the clock has ended it: no job has to note that first (CONTRACTS.md, *Directive: states*)."""
        version = self.version_in_force if self.state in (DirectiveState.ACTIVE, DirectiveState.SUSPENDED) else None
        return version is not None and version.expires_at is not None and version.expires_at <= moment


class DirectiveUserPermission(object_models.UserObjectPermission):
    """Counsel and reviewers of one directive's case, by name. They see its case file."""

    content_object = models.ForeignKey(Directive, on_delete=models.CASCADE)

    class Meta(object_models.UserObjectPermission.Meta):
        triggers = object_models.guards("directives.directive", CASE_PERMISSIONS)


class DirectiveGroupPermission(object_models.GroupObjectPermission):
    """Roles whose holders are counsel or reviewers of one directive's case."""

    content_object = models.ForeignKey(Directive, on_delete=models.CASCADE)

    class Meta(object_models.GroupObjectPermission.Meta):
        triggers = [
            *object_models.guards("directives.directive", CASE_PERMISSIONS),
            object_models.NOT_TO_ONES_OWN_ROLE,
        ]


_CONTENT = (
    "effect", "on_unknown_then", "on_unknown_hours", "waivable", "include_derived", "rule", "expanded_rule",
    "legal_basis", "effective_at", "expires_at", "replaces_id", "waivers", "waivers_days", "waivers_until", "restart_verify",
    "definitions", "digest",
    "directive_id", "number", "author_id", "writers", "submitter_id", "submitted_at",
)  # fmt: skip
_CONTENT_CHANGED = " OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in _CONTENT)


class DirectiveVersion(models.Model):
    """One immutable statement of scope, rule and policy for unknowns. Free while a draft, fixed once submitted."""

    directive = models.ForeignKey(Directive, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=VersionState, default=VersionState.DRAFT)
    effect = models.CharField(max_length=10, choices=Effect, default=Effect.DENY)
    on_unknown_then = models.CharField(max_length=10, choices=OnUnknown, default=OnUnknown.DENY)
    on_unknown_hours = models.PositiveIntegerField(null=True, blank=True)
    waivable = models.CharField(max_length=10, choices=Waivable)
    include_derived = models.BooleanField(default=False)
    rule = models.JSONField()
    expanded_rule = models.JSONField(null=True, blank=True)
    legal_basis = models.TextField(blank=True)
    effective_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    replaces = models.ForeignKey(Directive, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    waivers = models.CharField(max_length=10, choices=WaiverPolicy, default=WaiverPolicy.KEEP)
    waivers_days = models.PositiveIntegerField(null=True, blank=True)  # of ``shorten``: so many from the activation
    waivers_until = models.DateTimeField(null=True, blank=True)  # or until then
    restart_verify = models.BooleanField(default=False)
    definitions = models.TextField(blank=True)
    digest = models.CharField(max_length=64, blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    # The ids of every account that wrote any of the content, also in the version it was copied from: none of them approves
    # it. Ids only grow (trigger below); an account is never deleted.
    writers = ArrayField(models.BigIntegerField(), default=list, blank=True)
    submitter = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    activated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    approved_at = models.DateTimeField(null=True, blank=True)
    approval = models.OneToOneField(
        "approvals.Request", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    in_force_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    emergency_reason = models.TextField(blank=True)

    class Meta:
        ordering = ["directive", "number"]
        constraints = [
            models.UniqueConstraint(fields=["directive", "number"], name="version_number"),
            models.UniqueConstraint(
                fields=["directive"],
                condition=Q(state__in=[str(state) for state in IN_PREPARATION]),
                name="version_one_in_preparation",
            ),
            models.UniqueConstraint(
                fields=["directive"], condition=Q(state=VersionState.IN_FORCE), name="version_one_in_force"
            ),
            models.CheckConstraint(
                name="version_verify_hours",
                condition=(Q(on_unknown_then=OnUnknown.VERIFY) & Q(on_unknown_hours__gt=0))
                | (~Q(on_unknown_then=OnUnknown.VERIFY) & Q(on_unknown_hours__isnull=True)),
            ),
            models.CheckConstraint(
                name="version_shortens_waivers",
                condition=Q(waivers="shorten", waivers_days__gt=0, waivers_until=None)
                | Q(waivers="shorten", waivers_days=None, waivers_until__isnull=False)
                | ~Q(waivers="shorten") & Q(waivers_days=None, waivers_until=None),
            ),
            models.CheckConstraint(
                name="version_fixed_has_digest",
                condition=Q(state=VersionState.DRAFT) | ~Q(digest=""),
            ),
        ]
        triggers = [
            pgtrigger.FSM(name="version_states", field="state", transitions=_transitions(VERSION_TRANSITIONS)),
            pgtrigger.Trigger(
                name="version_immutable",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition("OLD.state <> 'draft'"),
                func=f"""
                    IF {_CONTENT_CHANGED} THEN
                        RAISE EXCEPTION 'a version is immutable once submitted';
                    END IF;
                    RETURN NEW;
                """,
            ),
            pgtrigger.Trigger(
                name="version_keep",
                when=pgtrigger.Before,
                operation=pgtrigger.Delete,
                func="RAISE EXCEPTION 'versions are kept';",
            ),
            _never_emptied("version"),
            pgtrigger.Trigger(
                name="version_begins",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                condition=pgtrigger.Condition("NEW.state <> 'draft'"),
                func="RAISE EXCEPTION 'a version begins as a draft';",
            ),
            pgtrigger.Trigger(
                name="version_writers",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition("NOT (OLD.writers <@ NEW.writers)"),
                func="RAISE EXCEPTION 'whoever wrote a version stays its writer';",
            ),
            VERSION_SECOND_PERSON,
            VERSION_KEEPS_APPROVAL,
        ]

    def __str__(self) -> str:
        return f"{self.directive.reference} v{self.number}"

    @property
    def rule_as_fixed(self) -> object:
        """The rule that counts: with country groups expanded once submitted, as written before."""
        return self.rule if self.expanded_rule is None else self.expanded_rule


class ScopeItem(models.Model):
    """One model of a version's scope, with one capability or (``capability`` NULL) all it has or will have."""

    version = models.ForeignKey(DirectiveVersion, on_delete=models.CASCADE, related_name="scope")
    model = models.ForeignKey("catalog.AIModel", on_delete=models.PROTECT, related_name="+")
    capability = models.ForeignKey(
        "catalog.Capability", null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["version", "model", "capability"], name="scope_once", nulls_distinct=False),
        ]
        triggers = [
            pgtrigger.Trigger(
                name="scope_immutable",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
                func="""
                    IF EXISTS (SELECT 1 FROM directives_directiveversion v WHERE v.state <> 'draft'
                               AND v.id IN (CASE WHEN TG_OP <> 'INSERT' THEN OLD.version_id END,
                                            CASE WHEN TG_OP <> 'DELETE' THEN NEW.version_id END)) THEN
                        RAISE EXCEPTION 'a version is immutable once submitted';
                    END IF;
                    IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
                    RETURN NEW;
                """,
            ),
            _never_emptied("scope"),
        ]

    def __str__(self) -> str:
        return f"{self.model_id}/{self.capability_id or 'all'}"


class CaseItem(models.Model):
    """One piece of the case file: a letter, statement, release, piece of evidence or clarification."""

    directive = models.ForeignKey(Directive, on_delete=models.PROTECT, related_name="case_file")
    at = models.DateTimeField()
    kind = models.SlugField(max_length=30)
    title = models.CharField(max_length=300)
    model = models.ForeignKey("catalog.AIModel", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(max_length=20, blank=True)
    file_name = models.CharField(max_length=200, blank=True)
    content = models.BinaryField(null=True, blank=True)
    sha256 = models.CharField(max_length=64, blank=True)
    added_by = models.CharField(max_length=150)
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["at", "id"]
        triggers = [pgtrigger.Protect(name="case_item_keep", operation=pgtrigger.Delete)]

    def __str__(self) -> str:
        return self.title


class Comparable(models.Model):
    """What another provider's model offers as well: evidence on whether an order is broader than necessary."""

    directive = models.ForeignKey(Directive, on_delete=models.PROTECT, related_name="comparables")
    model = models.ForeignKey("catalog.AIModel", on_delete=models.PROTECT, related_name="+")
    capability = models.ForeignKey("catalog.Capability", on_delete=models.PROTECT, related_name="+")
    note = models.TextField(blank=True)

    def __str__(self) -> str:
        return f"{self.model_id}/{self.capability_id}"


class Alternative(models.Model):
    """Another reading of a directive, to compare with it as ordered. ``statement`` holds what it states itself."""

    directive = models.ForeignKey(Directive, on_delete=models.PROTECT, related_name="alternatives")
    slug = models.SlugField(max_length=60)
    title = models.CharField(max_length=300)
    statement = models.JSONField()

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["directive", "slug"], name="alternative_slug")]

    def __str__(self) -> str:
        return self.slug


class Expected(models.TextChoices):
    COVERED = "covered", "Covered"
    NOT_COVERED = "not_covered", "Not covered"
    UNKNOWN = "unknown", "Unknown"


class TestPerson(models.Model):
    """An invented person with the outcome that every version of the directive must give: written once, run on each.

    ``facts`` maps attributes to values as rules write them; what is left out is unknown.
    """

    __test__ = False  # not a test case, whatever its name says to a test runner

    directive = models.ForeignKey(Directive, on_delete=models.PROTECT, related_name="test_people")
    name = models.CharField(max_length=100)
    facts = models.JSONField()
    expected = models.CharField(max_length=12, choices=Expected)
    added_by = models.CharField(max_length=150)
    added_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]
        constraints = [models.UniqueConstraint(fields=["directive", "name"], name="test_person_name")]

    def __str__(self) -> str:
        return self.name
