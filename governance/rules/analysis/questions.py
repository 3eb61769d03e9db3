"""The questions people ask about rules, each with an honest third answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from governance.rules.analysis.budget import Budget, TimeUp
from governance.rules.analysis.search import Goal, find
from governance.rules.analysis.space import FALSE, TRUE, UNKNOWN
from governance.rules.english import branch as in_words
from governance.rules.language import All, Any_, Const, Not, Rule


class Verdict(StrEnum):
    YES = "yes"
    NO = "no"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True)
class Finding:
    """An answer, with a person who shows it where there is one: attribute → value, None for unknown; what is left out is free."""

    verdict: Verdict
    person: Mapping[str, Any] | None = None

    def __bool__(self) -> bool:
        return self.verdict is Verdict.YES


@dataclass(frozen=True)
class Coverage:
    """Whom a rule covers: those for whom it is true and, where ``unknown`` counts, those for whom it is not known."""

    rule: Rule
    unknown: bool = True

    @property
    def inside(self) -> int:
        return TRUE | UNKNOWN if self.unknown else TRUE

    @property
    def outside(self) -> int:
        return FALSE if self.unknown else FALSE | UNKNOWN


class Relation(StrEnum):
    SAME = "same"
    NARROWER = "narrower"
    WIDER = "wider"
    NEITHER = "neither"
    UNDETERMINED = "undetermined"


@dataclass(frozen=True)
class Comparison:
    """How the first coverage stands to the second: who is added by it, who is released."""

    relation: Relation
    added: Finding
    released: Finding


def _exists(*alternatives: Sequence[Goal], budget: Budget, **more: Any) -> Finding:
    """Whether somebody meets one of the lists of goals. ``more``: what is given of that person, as ``search.find`` takes it."""
    try:
        for goals in alternatives:
            budget.check()
            person = find(goals, budget=budget, **more)
            if person is not None:
                return Finding(Verdict.YES, person)
    except TimeUp:
        return Finding(Verdict.UNDETERMINED)
    return Finding(Verdict.NO)


def _nobody(found: Finding) -> Finding:
    """The answer to *is there nobody?*: a person found is the counterexample."""
    opposite = {Verdict.YES: Verdict.NO, Verdict.NO: Verdict.YES, Verdict.UNDETERMINED: Verdict.UNDETERMINED}
    return Finding(opposite[found.verdict], found.person)


def implies(a: Coverage, b: Coverage, *, budget: Budget) -> Finding:
    """Is everybody whom ``a`` covers covered by ``b``? A *no* comes with somebody covered by ``a`` alone."""
    return _nobody(_exists([(a.rule, a.inside), (b.rule, b.outside)], budget=budget))


def compare(new: Coverage, old: Coverage, *, budget: Budget) -> Comparison:
    """Is the new coverage narrower or wider than the old one? ``added`` and ``released`` say whether anybody is, and who."""
    added = _exists([(new.rule, new.inside), (old.rule, old.outside)], budget=budget)
    released = _exists([(old.rule, old.inside), (new.rule, new.outside)], budget=budget)
    if Verdict.UNDETERMINED in (added.verdict, released.verdict):
        relation = Relation.UNDETERMINED
    elif added:
        relation = Relation.NEITHER if released else Relation.WIDER
    else:
        relation = Relation.NARROWER if released else Relation.SAME
    return Comparison(relation, added, released)


def overlap(a: Coverage, b: Coverage, *, budget: Budget) -> Finding:
    """Is there somebody whom both cover?"""
    return _exists([(a.rule, a.inside), (b.rule, b.inside)], budget=budget)


def covers_nobody(a: Coverage, *, budget: Budget) -> Finding:
    """Can the rule cover no person at all? A *no* comes with somebody it covers."""
    return _nobody(_exists([(a.rule, a.inside)], budget=budget))


def covers_everybody(a: Coverage, *, budget: Budget) -> Finding:
    """Does the rule cover every possible person? A *no* comes with somebody it does not."""
    return _nobody(_exists([(a.rule, a.outside)], budget=budget))


def equivalent(a: Rule, b: Rule, *, budget: Budget) -> Finding:
    """Have the rules the same truth value, of three, for everybody?"""
    differ = ([(a, truth), (b, (TRUE | FALSE | UNKNOWN) & ~truth)] for truth in (TRUE, FALSE, UNKNOWN))
    return _nobody(_exists(*differ, budget=budget))


def possible(
    *wanted: tuple[Rule, Iterable[bool | None]], facts: Mapping[str, Any], free: frozenset[str], budget: Budget
) -> Finding:
    """Could each rule have one of the truth values wanted of it, for one person of these facts with ``free`` verified?

    ``facts`` holds every attribute (None: unknown); those in ``free`` may take any known value.
    """
    goals = [(rule, sum(_BITS[truth] for truth in set(truths))) for rule, truths in wanted]
    pinned = {name: value for name, value in facts.items() if name not in free}
    return _exists(goals, budget=budget, pinned=pinned, known=free)


_BITS = {True: TRUE, False: FALSE, None: UNKNOWN}


@dataclass(frozen=True)
class Branch:
    """A part of a rule that changes nothing: leaving it out gives the same rule. ``path`` is that of the rule's JSON."""

    path: str
    text: str
    rule: Rule = field(repr=False)


def dead_branches(rule: Rule, *, budget: Budget) -> tuple[list[Branch], bool]:
    """The outermost branches that change nothing, and whether every branch could be decided in time.

    Each is dead as the rest of the rule stands; of two that say the same, only the later one is named.
    """
    found: list[Branch] = []
    while True:
        dead = None
        for path, part, without in _without_each(rule, "$"):
            answer = equivalent(rule, without, budget=budget)
            if answer.verdict is Verdict.UNDETERMINED:
                return found, False
            if answer:
                dead = (Branch(path, in_words(part), part), without)
                break
        if dead is None:
            return sorted(found, key=lambda branch: branch.path), True
        found.append(dead[0])
        rule = dead[1]


def _without_each(rule: Rule, path: str) -> Iterator[tuple[str, Rule, Rule]]:
    """Each branch of a group with its path, and the whole rule with a constant that changes nothing in its place.

    Later branches come first, so that of two equal ones the later is named.
    """
    match rule:
        case Not(inner):
            for where, part, without in _without_each(inner, f"{path}.not"):
                yield where, part, Not(without)
        case All(rules) | Any_(rules):
            group, neutral = (All, Const(True)) if isinstance(rule, All) else (Any_, Const(False))
            name = "all" if isinstance(rule, All) else "any"
            for index in reversed(range(len(rules))):
                inner = rules[index]
                where = f"{path}.{name}[{index}]"
                if inner != neutral:
                    yield where, inner, group((*rules[:index], neutral, *rules[index + 1 :]))
                for deeper, part, without in _without_each(inner, where):
                    yield deeper, part, group((*rules[:index], without, *rules[index + 1 :]))
