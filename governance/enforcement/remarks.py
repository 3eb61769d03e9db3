"""What can be proved about a version before anybody is counted: is it narrower, does it add anything, is a branch dead?

The questions are answered exactly over every possible person (``rules.analysis``), each *no* with an invented person who
shows it. Where the time is not enough the remark says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from governance.directives.models import Directive, OnUnknown, Waivable
from governance.directives.states import DirectiveState, VersionState
from governance.enforcement import candidates, terms
from governance.enforcement import policy as policies
from governance.enforcement.candidates import Question
from governance.enforcement.policy import DirectiveRule
from governance.moments import now
from governance.rules import analysis
from governance.rules.analysis import Budget, Comparison, Relation, Verdict
from governance.rules.attributes import ATTRIBUTES, SLOTS, Type
from governance.rules.countries import COUNTRIES
from governance.rules.language import Const


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


def about(question: Question) -> list[Remark]:
    """Everything worth saying of a version: its rule alone, against what gives way to it, against the other directives."""
    rule, budget, moment = candidates.candidate(question).rule, Budget(), now()
    found = _of_rule(rule, budget)
    gone = _gives_way(question)
    found += [against(rule, former, name, moment, budget) for former, name in gone]
    if question.version.state not in _DONE:
        passed = {rule.directive_id, *(former.directive_id for former, _ in gone)}
        others = [other for other in policies.refreshed().directives if other.directive_id not in passed]
        found += [remark for other in others if (remark := _beside(rule, other, moment, budget)) is not None]
    return found


_IN_FORCE = (DirectiveState.ACTIVE, DirectiveState.SUSPENDED)
_DONE = (VersionState.SUPERSEDED, VersionState.ENDED, VersionState.REJECTED, VersionState.WITHDRAWN)


def _gives_way(question: Question) -> list[tuple[DirectiveRule, str]]:
    """The versions to compare with, and what to call each: the one in force, and that of the directive it replaces.

    A version that was rejected or withdrawn counts for nothing, whatever its number.
    """
    directive, found = question.directive, []
    if directive.state in _IN_FORCE and directive.version_in_force_id != question.version.pk:
        state = "in force" if directive.state == DirectiveState.ACTIVE else "that is suspended"
        found.append((directive, f"the version {state}"))
    replaced_id = question.statement.replaces_id
    if replaced_id and question.version.state not in (*_DONE, VersionState.IN_FORCE):
        replaced = Directive.objects.filter(pk=replaced_id, state__in=_IN_FORCE).first()
        if replaced is not None:
            found.append((replaced, f"{replaced.reference}, which it replaces"))
    return [
        (candidates.candidate(candidates.of_version(each.version_in_force)).rule, name)
        for each, name in found
        if each.version_in_force is not None
    ]


def _of_rule(rule: DirectiveRule, budget: Budget) -> list[Remark]:
    tree, covers = rule.rule.tree, terms.in_the_end(rule)
    if isinstance(tree, Const):
        return []  # everybody or nobody on purpose: the sentence says it
    nobody = analysis.covers_nobody(covers, budget=budget.share(terms.SHARE))
    if nobody:
        return [Remark("warn", "No possible person is covered by this rule. Its conditions contradict one another.")]
    everybody = analysis.covers_everybody(covers, budget=budget.share(terms.SHARE))
    if everybody:
        later = " once the time to verify is over" if rule.on_unknown == OnUnknown.VERIFY else ""
        return [Remark("warn", f"Every possible person is covered by this rule{later}, whatever their record says.")]
    dead, whole = analysis.dead_branches(tree, budget=budget.share(terms.SHARE))
    found = [
        Remark("warn", f"This part changes nothing and can be left out: {branch.text} ({branch.path}).")
        for branch in dead
    ]
    if not whole or Verdict.UNDETERMINED in (nobody.verdict, everybody.verdict):
        found.append(Remark("none", "Whether every part of the rule matters could not be determined in time."))
    return found


def against(new: DirectiveRule, old: DirectiveRule, name: str, now: datetime, budget: Budget) -> Remark:
    """How a version stands to one that gives way to it; *the same* is said only where nothing differs."""
    compared = terms.at_every_moment(new, old, now, budget)
    more, fewer = len(new.scope - old.scope), len(old.scope - new.scope)
    relation = _with_scope(compared.relation, more=bool(more), fewer=bool(fewer))
    differ = terms.differences(new, old, name.partition(",")[0], now)
    tone = _TONES.get(relation, "none")
    if not differ:
        parts = [_ON_THE_SAME_TERMS[relation].format(name=name), _scope_words(more, fewer)]
    else:
        covered = terms.people(new, old, budget)
        in_all = _with_scope(covered.relation, more=bool(more), fewer=bool(fewer))
        compared = covered if in_all is not Relation.UNDETERMINED else compared
        tone = "none" if tone == "ok" else tone  # fewer are covered, and the terms may be stricter
        parts = [_on_other_terms(relation, in_all, name), _scope_words(more, fewer), differ]
    return Remark(tone, " ".join(part for part in parts if part), _examples(compared))


_TONES = {Relation.NARROWER: "ok", Relation.SAME: "none", Relation.WIDER: "warn", Relation.NEITHER: "warn"}
_ON_THE_SAME_TERMS = {
    Relation.SAME: "The same people, capabilities and terms as {name}.",
    Relation.NARROWER: "Strictly narrower than {name}: nobody is added.",
    Relation.WIDER: "Strictly wider than {name}: nobody is released.",
    Relation.NEITHER: "Neither narrower nor wider than {name}.",
    Relation.UNDETERMINED: "How it stands to {name} could not be determined in time.",
}
_COVERED = {
    Relation.SAME: "Covers the same people and capabilities as {name}, on other terms",
    Relation.NARROWER: "Covers less than {name}, on other terms",
    Relation.WIDER: "Covers more than {name}, on other terms",
    Relation.NEITHER: "Covers neither less nor more than {name}, on other terms",
}
_WHAT_FOLLOWS = {
    Relation.SAME: "whom it denies, and when, is the same",
    Relation.NARROWER: "nobody is added",
    Relation.WIDER: "nobody is released",
}


def _on_other_terms(relation: Relation, covered: Relation, name: str) -> str:
    """Who is covered, and what is certain of whom it denies at every moment, terms and all."""
    if covered is Relation.UNDETERMINED:
        return _ON_THE_SAME_TERMS[covered].format(name=name)
    follows = _WHAT_FOLLOWS.get(relation)
    return (
        f"{_COVERED[covered].format(name=name)}: {follows}." if follows else f"{_COVERED[covered].format(name=name)}."
    )


def _scope_words(more: int, fewer: int) -> str:
    parts = [f"{count} model {'capability' if count == 1 else 'capabilities'} {word}" for count, word in
             ((more, "more"), (fewer, "fewer")) if count]  # fmt: skip
    return f"Its scope has {' and '.join(parts)}." if parts else ""


def _with_scope(relation: Relation, *, more: bool, fewer: bool) -> Relation:
    """The relation of people and capabilities together."""
    if relation is Relation.UNDETERMINED:
        return relation
    return terms.joined(
        added=more or relation in (Relation.WIDER, Relation.NEITHER),
        taken=fewer or relation in (Relation.NARROWER, Relation.NEITHER),
    )


def _examples(compared: Comparison) -> tuple[Example, ...]:
    found = []
    if compared.released.person is not None:
        found.append(example("Released, for example", compared.released.person))
    if compared.added.person is not None:
        found.append(example("Added, for example", compared.added.person))
    return tuple(found)


def _beside(rule: DirectiveRule, other: DirectiveRule, now: datetime, budget: Budget) -> Remark | None:
    """What the version is beside another directive in force; None when they have no capability in common."""
    if not rule.scope & other.scope:
        return None
    name, whole = other.reference, rule.scope <= other.scope
    always = terms.at_every_moment(rule, other, now, budget).added
    if whole and always.verdict is Verdict.NO and rule.effect == other.effect:
        return _dominated(other)
    mine, theirs = terms.in_the_end(rule), terms.in_the_end(other)
    within = analysis.implies(mine, theirs, budget=budget.share(terms.SHARE))
    if whole and within:
        differ = terms.differences(rule, other, name, now) or "Some are denied sooner by this one."
        return Remark("none", f"Covers only people whom {name} covers, on other terms. {differ}")
    together = analysis.overlap(mine, theirs, budget=budget.share(terms.SHARE))
    if together.verdict is Verdict.NO:
        return Remark("none", f"Covers nobody whom {name} covers.")
    if Verdict.UNDETERMINED in (together.verdict, within.verdict):
        return Remark("none", f"How it stands to {name} could not be determined in time.")
    shown = (example("Covered by this one alone, for example", within.person),) if within.person is not None else ()
    return Remark("none", f"Overlaps with {name}: some people are covered by both.", shown)


def _dominated(other: DirectiveRule) -> Remark:
    """Whoever it denies is denied already; it adds something only where a waiver answers the other one."""
    name = other.reference
    if other.waivable == Waivable.NEVER:
        return Remark("info", f"Adds nothing to {name} while that is in force: it covers everybody already.")
    return Remark(
        "info",
        f"Covers only people whom {name} covers already. It adds something for whoever has a waiver from {name}: that "
        "does not answer this one.",
    )
