"""What enforcement keeps: the policy epoch, stored previews, runs with their chunks, and restrictions.

Restrictions are a materialised view of what the rules already say (DESIGN.md, *The one idea*); decisions never read them.
"""

from __future__ import annotations

import pgtrigger
from django.db import models
from django.db.models import Q

from governance.enforcement.held_models import HeldChange, HeldChangeVerdict
from governance.enforcement.states import (
    CHUNK_TRANSITIONS,
    RUN_TRANSITIONS,
    UNFINISHED,
    ChunkState,
    RunState,
)

__all__ = [
    "Chunk", "ChunkState", "ClientSighting", "DecisionBatch", "DecisionGap", "FollowedExpiry", "HeldChange",
    "HeldChangeVerdict", "PolicyEpoch", "PreviewMember", "Restriction", "Run", "RunKind", "RunState", "StoredPreview",
]  # fmt: skip


class PolicyEpoch(models.Model):
    """The one row with the policy epoch. Triggers on every table that shapes policy move it (migration 0002)."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    value = models.BigIntegerField()

    class Meta:
        constraints = [models.CheckConstraint(name="policy_epoch_one_row", condition=Q(id=1))]
        triggers = [
            pgtrigger.Protect(name="policy_epoch_keep", operation=pgtrigger.Delete),
            # A process takes one number for one policy: a number that came again would keep an old policy in use.
            pgtrigger.Trigger(
                name="policy_epoch_grows",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition("NEW.value <= OLD.value"),
                func="RAISE EXCEPTION 'the policy epoch only grows';",
            ),
        ]

    def __str__(self) -> str:
        return str(self.value)


class StoredPreview(models.Model):
    """The preview a submission stored: what the approval of the version approves."""

    version = models.OneToOneField(
        "directives.DirectiveVersion", primary_key=True, on_delete=models.PROTECT, related_name="stored_preview"
    )
    fingerprint = models.CharField(max_length=64)
    figures = models.JSONField()
    released = models.PositiveBigIntegerField(default=0)
    at = models.DateTimeField()

    class Meta:
        triggers = [pgtrigger.Protect(name="stored_preview_keep", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return self.fingerprint


class PreviewMember(models.Model):
    """One person covered or unknown in a stored preview; kept only until the version took force or ended."""

    # No database foreign keys: half a million rows come in one statement, and the rows are a working set.
    pk = models.CompositePrimaryKey("version_id", "person_id")
    version_id = models.BigIntegerField()
    person_id = models.TextField(db_collation="C")

    def __str__(self) -> str:
        return f"{self.version_id}/{self.person_id}"


class RunKind(models.TextChoices):
    APPLY = "apply", "Apply"
    RELEASE = "release", "Release"


class Run(models.Model):
    """One bulk operation over many people for one directive, with progress; resumable at any moment."""

    kind = models.CharField(max_length=10, choices=RunKind)
    directive = models.ForeignKey("directives.Directive", on_delete=models.PROTECT, related_name="runs")
    version = models.ForeignKey("directives.DirectiveVersion", on_delete=models.PROTECT, related_name="runs")
    # What the clock said when the run was planned (see clock.phase): a later phase calls for another run.
    phase = models.CharField(max_length=20)
    state = models.CharField(max_length=10, choices=RunState, default=RunState.QUEUED)
    started_by = models.CharField(max_length=150)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    drift = models.PositiveBigIntegerField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["state", "-id"], name="run_state"),
            models.Index(fields=["directive", "-id"], name="run_directive"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["directive"],
                condition=Q(state__in=[str(state) for state in UNFINISHED]),
                name="run_one_unfinished",
            ),
        ]
        triggers = [
            pgtrigger.FSM(
                name="run_states",
                field="state",
                transitions=sorted((str(old), str(new)) for old, new in RUN_TRANSITIONS),
            ),
            pgtrigger.Protect(name="run_keep", operation=pgtrigger.Delete),
        ]

    def __str__(self) -> str:
        return f"run {self.pk}"

    @property
    def subject(self) -> str:
        return f"run:{self.pk}"

    @property
    def unfinished(self) -> bool:
        return self.state in UNFINISHED


class Chunk(models.Model):
    """A range of person ids of a run, half open: ``key_from`` (NULL: from the first) up to ``key_to`` (NULL: the last)."""

    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="chunks")
    number = models.PositiveIntegerField()
    key_from = models.TextField(null=True, blank=True, db_collation="C")
    key_to = models.TextField(null=True, blank=True, db_collation="C")
    state = models.CharField(max_length=10, choices=ChunkState, default=ChunkState.QUEUED)
    added = models.PositiveIntegerField(default=0)
    released = models.PositiveIntegerField(default=0)
    moved = models.PositiveIntegerField(default=0)
    people = models.PositiveIntegerField(default=0)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["run", "number"]
        constraints = [models.UniqueConstraint(fields=["run", "number"], name="chunk_number")]
        indexes = [
            models.Index(fields=["run", "number"], condition=Q(state="queued"), name="chunk_queued"),
        ]
        triggers = [
            pgtrigger.FSM(
                name="chunk_states",
                field="state",
                transitions=sorted((str(old), str(new)) for old, new in CHUNK_TRANSITIONS),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.run_id}/{self.number}"


class Restriction(models.Model):
    """The materialised fact that one person is covered by one directive, and by which of its versions."""

    # Keyed by person first, so the table can be partitioned or spread by it (DESIGN.md, *Growth*). The foreign keys are
    # not database constraints: people and directives are never deleted, bulk writes are twice as fast without the
    # row triggers, and the drift check compares every row with its rule.
    pk = models.CompositePrimaryKey("person_id", "directive_id")
    person = models.ForeignKey(
        "people.Person", on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="restrictions"
    )
    directive = models.ForeignKey(
        "directives.Directive",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="restrictions",
    )
    version = models.ForeignKey(
        "directives.DirectiveVersion",
        on_delete=models.DO_NOTHING,
        db_constraint=False,
        db_index=False,
        related_name="+",
    )
    since = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["directive", "person"], name="restriction_directive")]

    def __str__(self) -> str:
        return f"{self.person_id}/{self.directive_id}"


class FollowedExpiry(models.Model):
    """An end of an organisation's vetting by date that restrictions have followed (``vetting.py``)."""

    # No foreign key: it also notes what a held state of an organisation said.
    pk = models.CompositePrimaryKey("organisation_id", "expires")
    organisation_id = models.TextField(db_collation="C")
    expires = models.DateField()

    def __str__(self) -> str:
        return f"{self.organisation_id} until {self.expires}"


class DecisionBatch(models.Model):
    """Answers that machine clients were given, some hundred in a row of this table, in the order of their ids.

    ``answers`` is a JSON list of lists in the order of ``recording.COLUMNS``; each holds the policy epoch and the database
    snapshot, so that a decision can be taken again exactly. One row for many: a row and its index entries for each answer
    cost more than a third of all decisions (docs/decisions/0008). The view ``enforcement_decision`` has them one by one.
    """

    process = models.TextField()
    first_id = models.UUIDField()
    last_id = models.UUIDField()
    number = models.PositiveIntegerField()
    answers = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["first_id", "last_id"], name="decision_batch_ids")]
        triggers = [pgtrigger.Protect(name="decision_keep", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.number} decisions"


class DecisionGap(models.Model):
    """Answers that were given and could not be recorded, because the log could not keep up: counted, never hidden."""

    process = models.TextField()
    first_at = models.DateTimeField()
    last_at = models.DateTimeField()
    answers = models.PositiveBigIntegerField()

    class Meta:
        triggers = [pgtrigger.Protect(name="decision_gap_keep", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.answers} not recorded"


class ClientSighting(models.Model):
    """The last answer a machine client was given, and the newest policy epoch it has an answer from."""

    token = models.OneToOneField(
        "accounts.ApiToken", primary_key=True, on_delete=models.PROTECT, related_name="sighting"
    )
    last_at = models.DateTimeField()
    last_epoch = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.token_id} at epoch {self.last_epoch}"
