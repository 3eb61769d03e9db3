"""What can be proved about a version before anybody is counted: is it narrower, does it add anything, is a branch dead?

The questions are answered exactly over every possible person (``rules.analysis``), each *no* with an invented person who
shows it. Where the time is not enough the remark says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from governance.directives.models import DirectiveVersion
from governance.enforcement import candidates
from governance.enforcement import policy as policies
from governance.enforcement.candidates import Question
from governance.enforcement.policy import DirectiveRule
from governance.rules import analysis
from governance.rules.analysis import Budget, Comparison, Coverage, Relation, Verdict
from governance.rules.attributes import ATTRIBUTES, SLOTS, Type
from governance.rules.countries import COUNTRIES
from governance.rules.language import Const

SHARE = 0.5
"""Seconds for one question of the two that everything a page asks may take: a hard one leaves time for the others."""


@dataclass(frozen=True)
class Example:
    """An invented person who shows a remark: what matters of them, in words."""

    caption: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Remark:
    """One thing that was proved, or could not be. ``tone`` is that of the pages' notices."""

    tone: str
    text: str
    examples: tuple[Example, ...] = ()


def example(caption: str, person: Mapping[str, Any]) -> Example:
    named = [(ATTRIBUTES[name].label, value_in_words(name, person[name])) for name in SLOTS if name in person]
    return Example(caption, tuple((label[:1].upper() + label[1:], value) for label, value in named))


def value_in_words(name: str, value: Any) -> str:
    """An attribute's value for a page."""
    if value is None:
        return "not on record"
    kind = ATTRIBUTES[name].type
    if kind is Type.COUNTRIES:
        return ", ".join(COUNTRIES.get(code, code) for code in value) or "none"
    if kind is Type.COUNTRY:
        return COUNTRIES.get(value, value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:%-d %B %Y}" if isinstance(value, date) else str(value).replace("_", " ")


def coverage(rule: DirectiveRule) -> Coverage:
    """Whom the directive denies in the end: those not known too, unless it allows them."""
    return Coverage(rule.rule.tree, unknown=rule.on_unknown != "allow")


def about(question: Question) -> list[Remark]:
    """Everything worth saying of a version: its rule alone, against the version in force, against the other directives."""
    rule = candidates.candidate(question).rule
    policy, budget = policies.refreshed(), Budget()
    found = _of_rule(rule, budget)
    former = policy.directive(rule.directive_id)
    if former is not None:
        found.append(against_former(rule, former, budget))
    found += [
        remark
        for other in policy.directives
        if other.directive_id != rule.directive_id and (remark := _beside(rule, other, budget)) is not None
    ]
    return found


def of_version(version: DirectiveVersion) -> list[Remark]:
    """What is proved of a version on its own page: its rule, and how it stands to the version before it."""
    rule = candidates.candidate(candidates.of_version(version)).rule
    budget = Budget()
    found = _of_rule(rule, budget)
    before = version.directive.versions.filter(number__lt=version.number).order_by("-number").first()
    if before is not None:
        old = candidates.candidate(candidates.of_version(before)).rule
        found.append(against_former(rule, old, budget, name=f"version {before.number}"))
    return found


def _of_rule(rule: DirectiveRule, budget: Budget) -> list[Remark]:
    tree, covers = rule.rule.tree, coverage(rule)
    if isinstance(tree, Const):
        return []  # everybody or nobody on purpose: the sentence says it
    nobody = analysis.covers_nobody(covers, budget=budget.share(SHARE))
    if nobody:
        return [Remark("warn", "No possible person is covered by this rule. Its conditions contradict one another.")]
    if analysis.covers_everybody(covers, budget=budget.share(SHARE)):
        return [Remark("warn", "Every possible person is covered by this rule, whatever their record says.")]
    dead, whole = analysis.dead_branches(tree, budget=budget.share(SHARE))
    found = [
        Remark("warn", f"This part changes nothing and can be left out: {branch.text} ({branch.path}).")
        for branch in dead
    ]
    if not whole or nobody.verdict is Verdict.UNDETERMINED:
        found.append(Remark("none", "Whether every part of the rule matters could not be determined in time."))
    return found


def against_former(
    new: DirectiveRule, old: DirectiveRule, budget: Budget, name: str = "the version in force"
) -> Remark:
    """How a new version stands to the one it would supersede."""
    compared = analysis.compare(coverage(new), coverage(old), budget=budget.share(SHARE))
    more, fewer = len(new.scope - old.scope), len(old.scope - new.scope)
    scope = _scope_words(more, fewer)
    relation = _with_scope(compared.relation, more=bool(more), fewer=bool(fewer))
    text = {
        Relation.SAME: f"Covers the same people and capabilities as {name}.",
        Relation.NARROWER: f"Strictly narrower than {name}: nobody is added.",
        Relation.WIDER: f"Strictly wider than {name}: nobody is released.",
        Relation.NEITHER: f"Neither narrower nor wider than {name}.",
        Relation.UNDETERMINED: f"How it stands to {name} could not be determined in time.",
    }[relation]
    tone = {Relation.NARROWER: "ok", Relation.SAME: "none", Relation.WIDER: "warn", Relation.NEITHER: "warn"}
    return Remark(tone.get(relation, "none"), f"{text}{scope}", _examples(compared))


def _scope_words(more: int, fewer: int) -> str:
    parts = [f"{count} model {'capability' if count == 1 else 'capabilities'} {word}" for count, word in
             ((more, "more"), (fewer, "fewer")) if count]  # fmt: skip
    return f" Its scope has {' and '.join(parts)}." if parts else ""


def _with_scope(relation: Relation, *, more: bool, fewer: bool) -> Relation:
    """The relation of people and capabilities together."""
    if relation is Relation.UNDETERMINED:
        return relation
    adds = more or relation in (Relation.WIDER, Relation.NEITHER)
    takes = fewer or relation in (Relation.NARROWER, Relation.NEITHER)
    if adds:
        return Relation.NEITHER if takes else Relation.WIDER
    return Relation.NARROWER if takes else Relation.SAME


def _examples(compared: Comparison) -> tuple[Example, ...]:
    found = []
    if compared.released.person is not None:
        found.append(example("Released, for example", compared.released.person))
    if compared.added.person is not None:
        found.append(example("Added, for example", compared.added.person))
    return tuple(found)


def _beside(rule: DirectiveRule, other: DirectiveRule, budget: Budget) -> Remark | None:
    """What the version is beside another directive in force; None when they have no capability in common."""
    if not rule.scope & other.scope:
        return None
    within = analysis.implies(coverage(rule), coverage(other), budget=budget.share(SHARE))
    if within and rule.scope <= other.scope and other.effect == "deny":
        return Remark("info", f"Adds nothing to {other.reference} while that is in force: it covers everybody already.")
    together = analysis.overlap(coverage(rule), coverage(other), budget=budget.share(SHARE))
    if together.verdict is Verdict.NO:
        return Remark("none", f"Covers nobody whom {other.reference} covers.")
    if together.verdict is Verdict.UNDETERMINED or within.verdict is Verdict.UNDETERMINED:
        return Remark("none", f"How it stands to {other.reference} could not be determined in time.")
    shown = (example("Covered by this one alone, for example", within.person),) if within.person is not None else ()
    return Remark("none", f"Overlaps with {other.reference}: some people are covered by both.", shown)
