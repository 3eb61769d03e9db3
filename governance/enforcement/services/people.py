"""Importing people: stage, judge what would loosen, merge, re-evaluate; one transaction, all or nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.db import IntegrityError, connection, transaction

from governance.accounts.actor import Actor
from governance.enforcement import locks, restrictions, vetting
from governance.enforcement import policy as policies
from governance.enforcement.loosening import hold_what_loosens
from governance.enforcement.policy import Policy
from governance.errors import Invalid
from governance.ledger import services as ledger
from governance.people import imports, population
from governance.people import services as people
from governance.people.imports import RowError
from governance.people.services import Counts


@dataclass(frozen=True)
class ImportReport:
    """What an import did, or (``errors``, or a dry run) would have done."""

    counts: Counts
    errors: list[RowError] = field(default_factory=list)
    dry_run: bool = False

    def as_json(self) -> dict[str, Any]:
        return self.counts.as_json() | {"errors": [error.as_json() for error in self.errors]}


class _DryRun(Exception):
    pass


def import_people(
    *, actor: Actor, people_file: Path | None, organisations_file: Path | None, dry_run: bool = False
) -> ImportReport:
    """Upsert people and organisations by id. Any bad row refuses the whole import; rows absent from the files stay.

    While a directive is in force, rows whose change would turn a decision from deny to permit are *held*: the present
    state stays, the proposed one lies beside it, and decisions take the stricter of both.
    """
    actor.require("manage_people")
    if people_file is None and organisations_file is None:
        raise Invalid("Name a file of people, of organisations, or both.")
    parsed = imports.read_files(people=people_file, organisations=organisations_file)
    if parsed.errors:
        return ImportReport(Counts(), parsed.errors, dry_run)
    counts = Counts()
    try:
        with transaction.atomic():
            people.stage(parsed)
            locks.change_people()
            policy = policies.load()
            if policy.directives:
                hold_what_loosens(policy)
            errors = people.check(parsed)
            if errors:
                return ImportReport(Counts(), errors, dry_run)
            counts = people.merge(actor=actor)
            reevaluate_changed(policy)
            if dry_run:
                raise _DryRun
            ledger.append(
                action="people.imported", actor=actor.name, via=actor.via, subject="people:all",
                data=counts.as_json() | {"files": parsed.digests},
            )  # fmt: skip
            ledger.publish(topic="people.imported", key="people:all", payload=counts.as_json() | {"by": actor.name})
    except _DryRun:
        pass
    except IntegrityError:
        raise Invalid("The same people were changed in another way at that moment. Load the files again.") from None
    return ImportReport(counts, [], dry_run)


def reevaluate_changed(policy: Policy) -> int:
    """Adjust the restrictions of the people in ``stage_changed_person`` to every directive in force."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE stage_changed_person")
    return restrictions.reevaluate(policy, "stage_changed_person")


@transaction.atomic
def generate_population(*, actor: Actor, number: int, seed: int) -> int:
    """Invent ``number`` people in bulk, with the restrictions that directives in force ask for; returns how many."""
    actor.require("manage_people")
    if not 1 <= number <= 10_000_000:
        raise Invalid("The number must lie between 1 and 10,000,000.")
    locks.change_people()
    created, first = population.generate(number, seed)
    with connection.cursor() as cursor:
        cursor.execute(
            "DROP TABLE IF EXISTS stage_changed_person;"
            " CREATE TEMPORARY TABLE stage_changed_person ON COMMIT DROP AS SELECT id FROM people_person WHERE id >= %s "
            "AND id ~ '^g[0-9]{9}$'",
            [first],
        )
    reevaluate_changed(policies.load())
    ledger.append(
        action="people.generated", actor=actor.name, via=actor.via, subject="people:all",
        data={"created": created, "seed": seed},
    )  # fmt: skip
    return created


@transaction.atomic
def follow_expired_vetting(*, actor: Actor) -> int:
    """Let restrictions follow vetting that ended by its date; returns how many rows changed. Runs again without effect."""
    if not vetting.is_due(policies.refreshed()):
        return 0
    locks.change_people()
    with connection.cursor() as cursor:
        cursor.execute(
            "DROP TABLE IF EXISTS stage_expired, stage_changed_person;"
            f" CREATE TEMPORARY TABLE stage_expired ON COMMIT DROP AS SELECT * FROM {vetting.DUE} due;"
            " CREATE TEMPORARY TABLE stage_changed_person ON COMMIT DROP AS"
            f" SELECT * FROM {vetting.people_of('stage_expired')} people"
        )
        changed = reevaluate_changed(policies.load())
        cursor.execute(
            "INSERT INTO enforcement_followedexpiry (organisation_id, expires) SELECT id, expires FROM stage_expired"
        )
        ledger.append(
            action="vetting.expired", actor=actor.name, via=actor.via, subject="people:all",
            data={"organisations": cursor.rowcount, "restrictions": changed},
        )  # fmt: skip
    return changed
