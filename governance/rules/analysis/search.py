"""Finding a person for whom several rules have given truth values, or knowing that there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from governance.rules.analysis.budget import Budget
from governance.rules.analysis.space import (
    ALL,
    ANY,
    FALSE,
    NONE,
    TRUE,
    UNKNOWN,
    VALUE,
    Assignment,
    Space,
    Variable,
)
from governance.rules.language import All, Any_, Const, Leaf, Not, Rule, leaves

Goal = tuple[Rule, int]
"""A rule, and the truth values it shall have, as a set of bits."""


_AND = [[0] * 8 for _ in range(8)]
for _a in range(8):
    for _b in range(8):
        _result = 0
        for _x in (TRUE, FALSE, UNKNOWN):
            for _y in (TRUE, FALSE, UNKNOWN):
                if _a & _x and _b & _y:
                    _result |= FALSE if FALSE in (_x, _y) else UNKNOWN if UNKNOWN in (_x, _y) else TRUE
        _AND[_a][_b] = _result
_NOT = [(bits & UNKNOWN) | (FALSE if bits & TRUE else 0) | (TRUE if bits & FALSE else 0) for bits in range(8)]


class Searcher:
    """A depth-first search with the set of truth values still possible as its bound."""

    def __init__(self, goals: Sequence[Goal], pinned: Mapping[str, Any], known: frozenset[str], budget: Budget) -> None:
        self.goals, self.known, self.budget = goals, known, budget
        self.space = Space((leaf for rule, _ in goals for leaf in leaves(rule)), pinned, budget)

    def find(self) -> dict[str, Any] | None:
        """The attributes of such a person that matter, or None: there is nobody. Raises ``TimeUp``."""
        assignment: Assignment = {}
        if not self._extend(assignment):
            return None
        self._fill_empty_lists(assignment)
        return self.space.profile(assignment)

    def _extend(self, assignment: Assignment) -> bool:
        open_goal = None
        for rule, wanted in self.goals:
            possible = self._truths(rule, assignment)
            if not possible & wanted:
                return False
            if possible & ~wanted and open_goal is None:
                open_goal = rule
        if open_goal is None:
            return True
        variable = self._choose(open_goal, assignment)
        assert variable is not None, "a rule whose leaves are all settled has one truth value"
        for value in self._values(variable, assignment):
            assignment[variable] = value
            if self._extend(assignment):
                return True
            del assignment[variable]
        return False

    def _values(self, variable: Variable, assignment: Assignment) -> list[Any]:
        found = self.space.domain(variable, assignment)
        if variable[0] in self.known and variable[1] == VALUE:
            return [value for value in found if value is not None and not (value is False and self._is_list(variable))]
        return found

    def _is_list(self, variable: Variable) -> bool:
        return variable[0] in self.space.classes

    def _truths(self, rule: Rule, assignment: Assignment) -> int:
        match rule:
            case Leaf():
                self.budget.check()
                return self.space.leaf(rule, assignment)
            case Not(inner):
                return _NOT[self._truths(inner, assignment)]
            case All(rules):
                bits = TRUE
                for inner in rules:
                    bits = _AND[bits][self._truths(inner, assignment)]
                    if bits == FALSE:
                        break
                return bits
            case Any_(rules):
                bits = TRUE  # of the negation: by De Morgan, which holds in Kleene's logic
                for inner in rules:
                    bits = _AND[bits][_NOT[self._truths(inner, assignment)]]
                    if bits == FALSE:
                        break
                return _NOT[bits]
            case Const(value):
                return TRUE if value else FALSE
        raise AssertionError(rule)

    def _choose(self, rule: Rule, assignment: Assignment) -> Variable | None:
        """An open variable of a leaf that can still change the rule's truth."""
        match rule:
            case Leaf():
                return self.space.next_variable(rule, assignment)
            case Not(inner):
                return self._choose(inner, assignment)
            case All(rules) | Any_(rules):
                for inner in rules:
                    bits = self._truths(inner, assignment)
                    if bits & (bits - 1):  # more than one is possible
                        found = self._choose(inner, assignment)
                        if found is not None:
                            return found
        return None

    def _fill_empty_lists(self, assignment: Assignment) -> None:
        """Nearly everybody is a citizen of something: an example that need not be stateless is not."""
        for name in self.space.classes:
            index = self.space.unmentioned(name)
            if index is None or name.endswith("permanent_residences") or not assignment.get((name, VALUE)):
                continue
            if self.space.profile(assignment).get(name) == []:
                before = assignment.get((name, index), NONE)
                assignment[name, index] = ALL
                if not self._holds(assignment):
                    assignment[name, index] = before

    def _holds(self, assignment: Assignment) -> bool:
        return all(not self._truths(rule, assignment) & ~wanted for rule, wanted in self.goals)


def find(
    goals: Sequence[Goal],
    *,
    budget: Budget,
    pinned: Mapping[str, Any] | None = None,
    known: frozenset[str] = frozenset(),
) -> dict[str, Any] | None:
    """A person for whom each rule has one of its wanted truth values; None if nobody can be so.

    ``pinned`` gives attributes their values, ``known`` names those that must not be unknown. Raises ``TimeUp`` when
    the budget is spent.
    """
    if any(not wanted & ANY for _, wanted in goals):
        return None
    return Searcher(goals, pinned or {}, known, budget).find()
