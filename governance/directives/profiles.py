"""Test people: invented profiles with the outcome every version must give. They run on each version, and block submission.

An emergency activation does not wait for them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from governance.accounts.actor import Actor
from governance.directives import services
from governance.directives.models import Directive, Expected, TestPerson
from governance.errors import Invalid, NotFound
from governance.ledger.models import Entry
from governance.rules import language
from governance.rules.attributes import SLOTS
from governance.rules.closures import compile_closure
from governance.rules.language import RuleError
from governance.values import Unfit, longest, text

_OUTCOMES = {True: Expected.COVERED, False: Expected.NOT_COVERED, None: Expected.UNKNOWN}
MOST = 200
"""Test people of one directive."""


@dataclass(frozen=True)
class Trial:
    """One test person put to a rule."""

    person: TestPerson
    outcome: Expected

    @property
    def passes(self) -> bool:
        return self.outcome == self.person.expected


def run(directive: Directive, rule: object) -> list[Trial]:
    """Every test person of a directive against a rule (a document whose country groups are expanded)."""
    evaluate = compile_closure(language.parse(rule))
    found = []
    for person in directive.test_people.all():
        facts = {name: language.read_fact(name, value) for name, value in person.facts.items()}
        found.append(Trial(person, _OUTCOMES[evaluate([facts.get(name) for name in SLOTS])]))
    return found


@dataclass(frozen=True)
class Weakened:
    """A test person who stopped guarding the rule as before: removed, or given other facts or another outcome."""

    name: str
    removed: bool
    actor: str
    at: datetime


def weakened_since(directive: Directive, moment: datetime | None) -> list[Weakened]:
    """The test people removed or changed since ``moment`` (None: ever), from the record; for whoever approves a version.

    Whoever is stopped by a test person may take them away, so the approver has to see it. One that was put back as it was
    is not named.
    """
    entries = Entry.objects.filter(subject=directive.subject, action__in=_CHANGES).order_by("id")
    before: dict[str, Any] = {}
    last: dict[str, tuple[Any, Entry]] = {}
    for entry in entries:
        data = json.loads(entry.record)["data"]
        stated = None if entry.action == _REMOVED else (data["expected"], data["digest"])
        if moment is None or entry.at > moment:
            before.setdefault(data["name"], stated)
            last[data["name"]] = (stated, entry)
        else:
            before[data["name"]] = stated
    return [
        Weakened(name, stated is None, entry.actor, entry.at)
        for name, (stated, entry) in last.items()
        if before[name] is not None and stated != before[name]
    ]


_REMOVED = "directive.test_person_removed"
_CHANGES = ("directive.test_person_saved", _REMOVED)


def refuse_failing(directive: Directive, rule: object) -> None:
    """Raise ``Invalid`` naming each test person for whom the rule does not give the outcome expected."""
    errors = [
        (
            trial.person.name,
            f"is {trial.outcome.label.lower()}, and should be {trial.person.get_expected_display().lower()}",
        )
        for trial in run(directive, rule)
        if not trial.passes
    ]
    if errors:
        raise Invalid("The rule does not give what its test people expect.", errors)


@transaction.atomic
def save_test_person(*, actor: Actor, reference: str, name: str, facts: Mapping[str, Any], expected: str) -> TestPerson:
    """Add a test person, or replace the one of that name. ``facts`` maps attributes to values; unknown ones are left out.

    Raises ``Invalid`` naming each value that the attribute cannot have.
    """
    actor.require("draft_directives")
    directive, name = services.lock(reference), name.strip()
    errors = [] if name else [("name", "is required")]
    try:
        text(name, longest(TestPerson, "name"))
    except Unfit as unfit:
        errors.append(("name", unfit.reason))
    if expected not in Expected.values:
        errors.append(("expected", f"must be one of {', '.join(Expected.values)}"))
    for attribute, value in facts.items():
        try:
            language.read_fact(attribute, value)
        except RuleError as error:
            errors += error.errors
    others = directive.test_people.exclude(name=name)
    if others.count() >= MOST:
        errors.append(("name", f"a directive has at most {MOST} test people"))
    if errors:
        raise Invalid("The test person was not saved.", errors)
    person, _ = TestPerson.objects.update_or_create(
        directive=directive,
        name=name,
        defaults={"facts": dict(facts), "expected": expected, "added_by": actor.name},
    )
    digest = hashlib.sha256(language.canonical(dict(facts))).hexdigest()
    services.record(actor, directive, "test_person_saved", name=person.name, expected=expected, digest=digest)
    return person


@transaction.atomic
def remove_test_person(*, actor: Actor, reference: str, person_id: int) -> None:
    actor.require("draft_directives")
    directive = services.lock(reference)
    person = directive.test_people.filter(pk=person_id).first()
    if person is None:
        raise NotFound("There is no such test person.")
    person.delete()
    services.record(actor, directive, "test_person_removed", name=person.name)
