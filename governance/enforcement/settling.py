"""What would change a denial: which facts that are not on record could settle it, and who can ask for an exception.

Whether a fact could is computed over the rule itself (``rules.analysis``), for the person as on record with that fact free.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from governance.enforcement.decision import Decision, Subject
from governance.enforcement.sources import DJANGO, CannotDecide, Source
from governance.rules.analysis import Budget, Verdict, possible
from governance.rules.attributes import ATTRIBUTES, SLOTS
from governance.rules.language import Rule, attributes_of

LIMIT = 0.1
"""Seconds for one question about one rule; one that takes longer is left out, never guessed."""


@dataclass(frozen=True)
class Settling:
    """Verifying ``attributes`` together would release the person from ``by``: surely a truth (``certain``), or perhaps.

    ``certain`` means that the rule is known either way afterwards, not that the answer will be the one hoped for.
    """

    by: str
    attributes: tuple[str, ...]
    certain: bool

    @property
    def text(self) -> str:
        labels = [ATTRIBUTES[name].label for name in self.attributes]
        named = labels[0] if len(labels) == 1 else f"{', '.join(labels[:-1])} and {labels[-1]} together"
        return f"Verifying {named} {'would' if self.certain else 'could'} settle this for {self.by}."


def settling(decision: Decision) -> list[Settling]:
    """The facts not on record that could turn a denial for want of them; empty where nothing of the kind would."""
    item, subject = decision.model_capability, decision.subject
    if item is None or subject is None or decision.permit or len(subject.states) != 1:
        return []
    if decision.code == "outside_audience" and item.audience is not None and decision.audience_truth is None:
        return _for_rule("the audience", item.audience.rule.tree, subject, wanted=True)
    found: list[Settling] = []
    for entry in decision.covering:
        if entry.denies and not entry.waived and entry.truth is None:
            found += _for_rule(entry.directive.reference, entry.directive.rule.tree, subject, wanted=False)
    return found


def _for_rule(by: str, rule: Rule, subject: Subject, *, wanted: bool) -> list[Settling]:
    facts = dict(zip(SLOTS, subject.states[0], strict=True))
    missing = [
        name for name in SLOTS if name in attributes_of(rule) and facts[name] is None and _verifiable(name, facts)
    ]
    found = [one for name in missing if (one := _try(by, rule, facts, (name,), wanted=wanted))]
    if not any(one.certain for one in found) and len(missing) > 1:
        together = _try(by, rule, facts, tuple(missing), wanted=wanted)
        if together:
            found.append(together)
    return found


def _verifiable(name: str, facts: Mapping[str, Any]) -> bool:
    """What belongs to an organisation can be known only of somebody who has one."""
    return not name.startswith("org.") or facts["org.id"] is not None


def _try(by: str, rule: Rule, facts: Mapping[str, Any], names: tuple[str, ...], *, wanted: bool) -> Settling | None:
    free = frozenset(names)
    if possible((rule, [wanted]), facts=facts, free=free, budget=Budget(LIMIT)).verdict is not Verdict.YES:
        return None
    still_unknown = possible((rule, [None]), facts=facts, free=free, budget=Budget(LIMIT))
    return Settling(by, names, certain=still_unknown.verdict is Verdict.NO)


_MANAGERS = "SELECT id, manager_id FROM people_person WHERE id = ANY(%s)"


def managers_of(person_ids: Iterable[str], source: Source = DJANGO) -> dict[str, str | None]:
    """Each person's manager by id; one statement for however many people."""
    return {row[0]: row[1] for row in source.rows(_MANAGERS, (list(set(person_ids)),))}


def manager_for(decision: Decision, person_id: str) -> str | None:
    """The manager who could file an exception from what denies; None where none is on record or it cannot be read."""
    if decision.permit or decision.subject is None:
        return None
    try:
        return managers_of([person_id]).get(person_id)
    except CannotDecide:
        return None
