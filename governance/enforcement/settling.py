"""What verifying could settle: which facts that are not on record would turn a denial into a permit.

Verification asks for sensitive facts, so it is offered only where the *whole* decision would become a permit for some value of
them: audience, every directive, waivers, grants and the clock considered. This is computed over the rules themselves
(``rules.analysis``), for the person as on record with those facts free; what takes too long is left out, never guessed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from governance.enforcement.decision import Decision
from governance.rules.analysis import Budget, Verdict, possible
from governance.rules.attributes import ATTRIBUTES, SENSITIVE, SLOTS
from governance.rules.language import Rule, attributes_of, leaves

SHARE = 0.1
"""Seconds for one question."""

Truths = tuple[bool | None, ...]


class Undetermined(Exception):
    """There was not enough time to say whether verifying anything would settle it."""


@dataclass(frozen=True)
class Settling:
    """Verifying ``attributes`` together would settle the decision (``certain``), or perhaps would; ``by``: what denies now.

    ``certain`` means that nothing hangs on what is not known afterwards, not that the answer will be the one hoped for.
    """

    by: str
    attributes: tuple[str, ...]
    certain: bool

    @property
    def text(self) -> str:
        together = " together" if len(self.attributes) > 1 else ""
        named = listed([ATTRIBUTES[name].label for name in self.attributes])
        return f"Verifying {named}{together} {'would' if self.certain else 'could'} settle this for {self.by}."


@dataclass(frozen=True)
class Condition:
    """One rule that the decision hangs on: the truths with which it permits, and the one with which it surely ``denies``."""

    name: str
    rule: Rule
    now: bool | None
    permits: Truths
    denies: bool

    @property
    def blocks(self) -> bool:
        return self.now not in self.permits

    def may_change(self, missing: frozenset[str]) -> bool:
        """Whether knowing more may change its truth: one that is known only changes with what asks whether something is."""
        return any(leaf.attr in missing and (self.now is None or leaf.op == "known") for leaf in leaves(self.rule))


def conditions_of(decision: Decision) -> list[Condition]:
    """What the decision hangs on, if all that blocks it may change with what is not known; else nothing: no fact would help."""
    item, subject = decision.model_capability, decision.subject
    if item is None or subject is None or decision.permit or not item.enabled or len(subject.states) != 1:
        return []
    found = []
    if not decision.granted:
        if item.audience is None:
            return []
        found.append(Condition("the audience", item.audience.rule.tree, decision.audience_truth, (True,), False))
    for entry in decision.covering:
        directive = entry.directive
        if directive.effect == "deny" and (directive.directive_id, item.id) not in subject.waivers:
            passes: Truths = (False,) if directive.unknown_denies_at(subject.now) else (False, None)
            found.append(Condition(directive.reference, directive.rule.tree, entry.truth, passes, True))
    blocking = [condition for condition in found if condition.blocks]
    missing = _missing(blocking, facts_of(decision))
    return found if all(condition.may_change(frozenset(missing)) for condition in blocking) else []


def facts_of(decision: Decision) -> dict[str, Any]:
    assert decision.subject is not None
    return dict(zip(SLOTS, decision.subject.states[0], strict=True))


def settling(conditions: list[Condition], facts: Mapping[str, Any], budget: Budget) -> list[Settling]:
    """The facts not on record that could turn the denial; empty where none would. Raises ``Undetermined``."""
    blocking = [condition for condition in conditions if condition.blocks]
    missing = _missing(blocking, facts)
    by = listed([condition.name for condition in blocking])

    def certainty(names: tuple[str, ...]) -> bool | None:
        return _certainty(conditions, facts, frozenset(names), budget)

    alone = {name: certainty((name,)) for name in missing}
    found = [Settling(by, (name,), certain) for name, certain in alone.items() if certain is not None]
    if not any(one.certain for one in found) and len(missing) > 1:
        certain = certainty(tuple(missing))
        if certain or (certain is not None and not found):
            found.append(Settling(by, _fewest(missing, certain=certain, certainty=certainty), certain))
    return found


def _fewest(missing: list[str], *, certain: bool, certainty: Any) -> tuple[str, ...]:
    """As few of the facts as do the same, sensitive ones left out first."""
    needed = list(missing)
    for name in sorted(missing, key=lambda name: name not in SENSITIVE):
        fewer = tuple(other for other in needed if other != name)
        if len(fewer) > 1 and certainty(fewer) is certain:
            needed.remove(name)
    return tuple(needed)


def _certainty(
    conditions: list[Condition], facts: Mapping[str, Any], free: frozenset[str], budget: Budget
) -> bool | None:
    """Whether knowing ``free`` would surely settle the decision (True), could (False), or never permits (None)."""
    if not _possible([(one.rule, one.permits) for one in conditions], facts, free, budget):
        return None
    for still in conditions:
        if None in still.permits:
            continue
        others = [(one.rule, (not one.denies, None)) for one in conditions if one is not still]
        if _possible([(still.rule, (None,)), *others], facts, free, budget):
            return False
    return True


def _possible(
    wanted: list[tuple[Rule, Truths]], facts: Mapping[str, Any], free: frozenset[str], budget: Budget
) -> bool:
    found = possible(*wanted, facts=facts, free=free, budget=budget.share(SHARE))
    if found.verdict is Verdict.UNDETERMINED:
        raise Undetermined
    return found.verdict is Verdict.YES


def _missing(blocking: list[Condition], facts: Mapping[str, Any]) -> list[str]:
    """The facts not on record that what blocks reads, and that somebody could verify."""
    read = {name for condition in blocking for name in attributes_of(condition.rule)}
    return [name for name in SLOTS if name in read and facts[name] is None and _verifiable(name, facts)]


def _verifiable(name: str, facts: Mapping[str, Any]) -> bool:
    """What belongs to an organisation can be known only of somebody who has one."""
    return not name.startswith("org.") or facts["org.id"] is not None


def listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
