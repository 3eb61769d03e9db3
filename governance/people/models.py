"""People and organisations: one row each with the attributes that rules read. NULL means not known.

Typed columns and arrays, so that a rule is one scan without a join (PERF.md). Nobody is ever deleted: who leaves is *departed*.
"""

from __future__ import annotations

from typing import Any

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Lower, Now

from governance.accounts import object_models
from governance.rules.attributes import ORGANISATION_TYPES, PERSON_KINDS, PERSON_STATUSES, VETTING_STATUSES


class PersonKind(models.TextChoices):
    EMPLOYEE = "employee", "Employee"
    CONTRACTOR = "contractor", "Contractor"
    PARTNER = "partner", "Partner"
    GOVERNMENT = "government", "Government"
    CUSTOMER = "customer", "Customer"


class PersonStatus(models.TextChoices):
    ACTIVE = "active", "Active"
    ON_LEAVE = "on_leave", "On leave"
    DEPARTED = "departed", "Departed"


class OrganisationType(models.TextChoices):
    COMPANY = "company", "Company"
    PARTNER = "partner", "Partner"
    GOVERNMENT = "government", "Government"
    RESEARCH = "research", "Research"
    CUSTOMER = "customer", "Customer"


class VettingStatus(models.TextChoices):
    NONE = "none", "Not vetted"
    PENDING = "pending", "Pending"
    VETTED = "vetted", "Vetted"
    REJECTED = "rejected", "Rejected"
    EXPIRED = "expired", "Expired"


assert tuple(PersonKind.values) == PERSON_KINDS and tuple(PersonStatus.values) == PERSON_STATUSES
assert tuple(OrganisationType.values) == ORGANISATION_TYPES and tuple(VettingStatus.values) == VETTING_STATUSES


def _no_circle(table: str, column: str) -> list[pgtrigger.Trigger]:
    """Nobody stands above themselves. Checked once for each statement, over its changed rows together.

    ``reports_of`` and *may file for* follow these columns: a circle would let two people decide for each other.
    """
    walk = f"""
        IF EXISTS (WITH RECURSIVE path(start, at) AS (
                     SELECT n.id, n.{column} FROM after_rows n {{changed}}
                     UNION SELECT path.start, above.{column} FROM path JOIN {table} above ON above.id = path.at
                            WHERE above.{column} IS NOT NULL AND path.at <> path.start)
                   SELECT 1 FROM path WHERE at = start) THEN
            RAISE EXCEPTION 'nobody stands above themselves ({column})';
        END IF;
        RETURN NULL;
    """
    moved = f"""JOIN before_rows o ON o.id = n.id
                      WHERE n.{column} IS NOT NULL AND n.{column} IS DISTINCT FROM o.{column}"""
    return [
        pgtrigger.Trigger(
            name=f"no_circle_{name}",
            level=pgtrigger.Statement,
            when=pgtrigger.After,
            operation=operation,
            referencing=referencing,
            func=pgtrigger.Func(walk.replace("{changed}", changed)),
        )
        for name, operation, referencing, changed in (
            ("insert", pgtrigger.Insert, pgtrigger.Referencing(new="after_rows"), f"WHERE n.{column} IS NOT NULL"),
            ("update", pgtrigger.Update, pgtrigger.Referencing(old="before_rows", new="after_rows"), moved),
        )
    ]


def _id(**options: Any) -> models.TextField:
    return models.TextField(db_collation="C", **options)


class OrganisationState(models.Model):
    """The attributes of an organisation, on record or proposed."""

    name = models.CharField(max_length=200)
    type = models.CharField(max_length=12, choices=OrganisationType, null=True, blank=True)
    country = models.CharField(max_length=2, null=True, blank=True)
    vetting_status = models.CharField(max_length=10, choices=VettingStatus, null=True, blank=True)
    vetting_expires = models.DateField(null=True, blank=True)

    class Meta:
        abstract = True


ORGANISATION_PERMISSIONS = (("own_organisation", "Owner of the organisation"),)


class Organisation(OrganisationState):
    id = _id(primary_key=True)
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="parts", db_column="parent_org_id"
    )

    class Meta:
        permissions = ORGANISATION_PERMISSIONS
        constraints = [
            models.CheckConstraint(
                name="organisation_not_own_parent", condition=Q(parent__isnull=True) | ~Q(parent=F("id"))
            ),
        ]
        indexes = [models.Index(fields=["name", "id"], name="organisation_name")]
        triggers = _no_circle("people_organisation", "parent_org_id")

    def __str__(self) -> str:
        return self.name

    @property
    def subject(self) -> str:
        """How ledger and outbox name this organisation."""
        return f"organisation:{self.pk}"


class OrganisationUserPermission(object_models.UserObjectPermission):
    """Owners of one organisation, by name: they see its members, and file exceptions for them."""

    content_object = models.ForeignKey(Organisation, on_delete=models.CASCADE)

    class Meta(object_models.UserObjectPermission.Meta):
        triggers = object_models.guards("people.organisation", ORGANISATION_PERMISSIONS)


class OrganisationGroupPermission(object_models.GroupObjectPermission):
    """Roles whose holders are owners of one organisation."""

    content_object = models.ForeignKey(Organisation, on_delete=models.CASCADE)

    class Meta(object_models.GroupObjectPermission.Meta):
        triggers = [
            *object_models.guards("people.organisation", ORGANISATION_PERMISSIONS),
            object_models.NOT_TO_ONES_OWN_ROLE,
        ]


class PersonState(models.Model):
    """The attributes of a person, on record or proposed."""

    kind = models.CharField(max_length=12, choices=PersonKind)
    status = models.CharField(max_length=10, choices=PersonStatus)
    given_name = models.CharField(max_length=100)
    family_name = models.CharField(max_length=100, blank=True)
    email = models.EmailField(max_length=254)
    department = models.CharField(max_length=100, null=True, blank=True)
    title = models.CharField(max_length=150, blank=True)
    citizenships = ArrayField(models.TextField(), null=True, blank=True)
    permanent_residences = ArrayField(models.TextField(), null=True, blank=True)
    protected_status = models.BooleanField(null=True, blank=True)
    residence_country = models.CharField(max_length=2, null=True, blank=True)
    location_country = models.CharField(max_length=2, null=True, blank=True)
    start_date = models.DateField(null=True, blank=True)

    class Meta:
        abstract = True

    @property
    def name(self) -> str:
        return f"{self.given_name} {self.family_name}".strip()


class Person(PersonState):
    """A person whose access is governed. No sensitive attribute ever leaves this table but through a logged reveal."""

    id = _id(primary_key=True)
    organisation = models.ForeignKey(
        Organisation, null=True, blank=True, on_delete=models.PROTECT, related_name="people", db_column="org_id"
    )
    manager = models.ForeignKey("self", null=True, blank=True, on_delete=models.PROTECT, related_name="direct_reports")
    updated_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "people"
        constraints = [
            models.UniqueConstraint(Lower("email"), name="person_email"),
            models.CheckConstraint(name="person_kind", condition=Q(kind__in=PersonKind.values)),
            models.CheckConstraint(name="person_status", condition=Q(status__in=PersonStatus.values)),
            models.CheckConstraint(
                name="person_not_own_manager", condition=Q(manager__isnull=True) | ~Q(manager=F("id"))
            ),
        ]
        indexes = [
            models.Index(fields=["family_name", "given_name", "id"], name="person_name"),
            models.Index(fields=["kind", "id"], name="person_by_kind"),
            models.Index(fields=["department", "id"], name="person_by_department"),
            models.Index(fields=["location_country", "id"], name="person_by_location"),
            models.Index(fields=["status", "id"], name="person_by_status", condition=~Q(status="active")),
        ]
        triggers = _no_circle("people_person", "manager_id")

    def __str__(self) -> str:
        return self.name


class HeldPerson(PersonState):
    """A proposed state of a person that would loosen, waiting for a second person. Decisions take the stricter of both."""

    person = models.OneToOneField(Person, primary_key=True, on_delete=models.PROTECT, related_name="held")
    organisation = models.ForeignKey(
        Organisation, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_column="org_id"
    )
    manager = models.ForeignKey(Person, null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    proposed_by = models.CharField(max_length=150)
    proposed_at = models.DateTimeField(db_default=Now())

    class Meta:
        verbose_name_plural = "held people"

    def __str__(self) -> str:
        return f"held: {self.person_id}"


class HeldOrganisation(OrganisationState):
    """A proposed state of an organisation that would loosen, waiting for a second person."""

    organisation = models.OneToOneField(Organisation, primary_key=True, on_delete=models.PROTECT, related_name="held")
    parent = models.ForeignKey(
        Organisation, null=True, blank=True, on_delete=models.PROTECT, related_name="+", db_column="parent_org_id"
    )
    proposed_by = models.CharField(max_length=150)
    proposed_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"held: {self.organisation_id}"


class HeldWhat(models.TextChoices):
    PERSON = "person", "Person"
    ORGANISATION = "organisation", "Organisation"


class HeldVerdict(models.Model):
    """A second person's answer to a held change: it came into force, or was dropped. Never by whoever proposed it."""

    what = models.CharField(max_length=12, choices=HeldWhat)
    key = _id()
    confirmed = models.BooleanField()
    proposed_by = models.CharField(max_length=150)
    proposed_at = models.DateTimeField()
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["what", "key"], name="held_verdict_of")]
        triggers = [
            pgtrigger.Protect(name="held_verdict_keep", operation=pgtrigger.Update | pgtrigger.Delete),
            pgtrigger.Trigger(
                name="held_verdict_of_a_second_person",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                func="""
                    IF NOT EXISTS (SELECT 1 FROM people_heldperson h
                                    WHERE NEW.what = 'person' AND h.person_id = NEW.key
                                      AND (h.proposed_by, h.proposed_at) = (NEW.proposed_by, NEW.proposed_at)
                                   UNION ALL
                                   SELECT 1 FROM people_heldorganisation h
                                    WHERE NEW.what = 'organisation' AND h.organisation_id = NEW.key
                                      AND (h.proposed_by, h.proposed_at) = (NEW.proposed_by, NEW.proposed_at)) THEN
                        RAISE EXCEPTION 'there is no such change to decide';
                    END IF;
                    IF NOT EXISTS (SELECT 1 FROM accounts_user u WHERE u.id = NEW.decided_by_id AND u.is_active
                                      AND u.username <> NEW.proposed_by) THEN
                        RAISE EXCEPTION 'a second person decides about a held change';
                    END IF;
                    IF EXISTS (SELECT 1 FROM people_person p JOIN accounts_user u ON lower(u.email) = lower(p.email)
                                WHERE u.id = NEW.decided_by_id
                                  AND CASE NEW.what WHEN 'person' THEN p.id ELSE p.org_id END = NEW.key) THEN
                        RAISE EXCEPTION 'nobody decides about a held change of their own';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.what} {self.key}"
