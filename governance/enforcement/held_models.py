"""Changes of the catalog and of roles that wait for a second person, and the answers they got.

Changes of people and organisations wait beside their own rows (``people.models``), since every statement over everybody joins
them there; these few are read with the policy.
"""

from __future__ import annotations

import pgtrigger
from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from governance.catalog.changes import What as CatalogWhat

ROLES = "roles"
WHAT = [*CatalogWhat.choices, (ROLES, "Roles of an account")]


def kind_in_words(what: str) -> str:
    return str(dict(WHAT)[what])


class HeldChange(models.Model):
    """A proposed state of one thing (``key``) that would loosen. Decisions take the stricter of it and what is on record.

    ``before`` is what was on record when it was proposed. ``parties`` are the accounts it was to give access to, as far as that
    keeps them from deciding (docs/decisions/0015). It never changes, and goes with the answer that it gets.
    """

    what = models.CharField(max_length=20, choices=WHAT)
    key = models.CharField(max_length=160)
    before = models.JSONField()
    proposed = models.JSONField()
    parties = ArrayField(models.BigIntegerField(), default=list, blank=True)
    proposed_by = models.CharField(max_length=150)
    proposed_via = models.CharField(max_length=150, blank=True)
    proposed_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-proposed_at", "-id"]
        constraints = [models.UniqueConstraint(fields=["what", "key"], name="held_change_once")]
        triggers = [
            pgtrigger.Protect(name="held_change_fixed", operation=pgtrigger.Update),
            pgtrigger.Trigger(
                name="held_change_answered",
                when=pgtrigger.Before,
                operation=pgtrigger.Delete,
                func="""
                    IF NOT EXISTS (SELECT 1 FROM enforcement_heldchangeverdict v WHERE v.change = OLD.id) THEN
                        RAISE EXCEPTION 'a held change goes with a second person''s answer only';
                    END IF;
                    RETURN OLD;
                """,
            ),
            pgtrigger.Trigger(
                name="held_change_no_truncate",
                level=pgtrigger.Statement,
                when=pgtrigger.Before,
                operation=pgtrigger.Truncate,
                func="RAISE EXCEPTION 'a held change goes with a second person''s answer only';",
            ),
        ]

    def __str__(self) -> str:
        return f"held: {self.what} {self.key}"

    @property
    def subject(self) -> str:
        return f"{'account' if self.what == ROLES else self.what}:{self.key}"


class HeldChangeVerdict(models.Model):
    """A second person's answer: the change came into force, or was dropped. Never by whoever proposed it or gains by it."""

    change = models.BigIntegerField(unique=True)
    what = models.CharField(max_length=20, choices=WHAT)
    key = models.CharField(max_length=160)
    confirmed = models.BooleanField()
    proposed_by = models.CharField(max_length=150)
    proposed_at = models.DateTimeField()
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    via = models.CharField(max_length=150, blank=True)
    at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["what", "key"], name="held_change_verdict_of")]
        triggers = [
            pgtrigger.Protect(name="held_change_verdict_keep", operation=pgtrigger.Update | pgtrigger.Delete),
            pgtrigger.Trigger(
                name="held_change_second_person",
                when=pgtrigger.Before,
                operation=pgtrigger.Insert,
                declare=[("held", "enforcement_heldchange%ROWTYPE"), ("decider", "accounts_user%ROWTYPE")],
                func="""
                    SELECT * INTO held FROM enforcement_heldchange h WHERE h.id = NEW.change FOR UPDATE;
                    SELECT * INTO decider FROM accounts_user u WHERE u.id = NEW.decided_by_id;
                    IF held.id IS NULL OR (held.what, held.key, held.proposed_by, held.proposed_at)
                       IS DISTINCT FROM (NEW.what, NEW.key, NEW.proposed_by, NEW.proposed_at) THEN
                        RAISE EXCEPTION 'there is no such change to decide';
                    END IF;
                    IF NOT (waivers_has_right(decider.id, 'confirm_held')
                            OR held.what = 'roles' AND waivers_has_right(decider.id, 'administer')) THEN
                        RAISE EXCEPTION 'a held change is decided by an active account with the right to';
                    END IF;
                    IF decider.username = held.proposed_by OR (NOT decider.is_demo AND NEW.via <> ''
                           AND NEW.via IN (held.proposed_by, held.proposed_via)) THEN
                        RAISE EXCEPTION 'a second person decides about a held change';
                    END IF;
                    IF decider.id = ANY(held.parties) OR (held.what = 'roles' AND held.key = decider.username) THEN
                        RAISE EXCEPTION 'nobody decides about a held change that they gain by';
                    END IF;
                    RETURN NEW;
                """,
            ),
        ]

    def __str__(self) -> str:
        return f"{self.what} {self.key}"
