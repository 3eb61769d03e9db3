"""The classes of people that a set of rules can tell apart, as variables with small domains.

A single-valued attribute is one variable: its representatives are values that the conditions on it treat differently, and
*unknown* where the record allows that. A list of countries is several: whether it is known, and for each class of countries that
the same conditions name, whether none, some or all of them are in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from governance.rules.analysis.budget import Budget
from governance.rules.attributes import ATTRIBUTES, Type
from governance.rules.closures import leaf_test
from governance.rules.countries import COUNTRIES
from governance.rules.language import Leaf

TRUE, FALSE, UNKNOWN = 1, 2, 4
ANY = TRUE | FALSE | UNKNOWN
NEVER_UNKNOWN = frozenset({"person.id", "person.kind", "person.status"})
"""Every person has these; everything else may be unknown."""
ORGANISATION = frozenset(name for name in ATTRIBUTES if name.startswith("org."))

Variable = tuple[str, int]  # (attribute, class of countries); -1: the value of a single one, or whether a list is known
VALUE = -1
NONE, SOME, ALL = "none", "some", "all"


@dataclass(frozen=True)
class Class:
    """Countries that no condition tells apart; ``mentioned`` is false for the one class of all the others."""

    countries: tuple[str, ...]
    mentioned: bool

    @property
    def states(self) -> tuple[str, ...]:
        return (NONE, SOME, ALL) if self.mentioned and len(self.countries) > 1 else (NONE, ALL)

    def members(self, state: str) -> tuple[str, ...]:
        if state == NONE:
            return ()
        return self.countries if state == ALL and self.mentioned else self.countries[:1]


Assignment = dict[Variable, Any]


class Space:
    """The variables that the leaves of some rules speak of. ``pinned``: attributes whose value is given (None: unknown)."""

    def __init__(self, leaves: Iterable[Leaf], pinned: Mapping[str, Any], budget: Budget) -> None:
        self.pinned = dict(pinned)
        by_attribute: dict[str, list[Leaf]] = {}
        for leaf in leaves:
            if leaf.attr not in self.pinned:
                by_attribute.setdefault(leaf.attr, []).append(leaf)
        self.values = {
            name: _representatives(name, found, budget)
            for name, found in by_attribute.items()
            if ATTRIBUTES[name].type is not Type.COUNTRIES
        }
        self.classes = {
            name: _classes(found, budget)
            for name, found in by_attribute.items()
            if ATTRIBUTES[name].type is Type.COUNTRIES
        }
        # Which classes a leaf names, and which not. By identity: a leaf with a long list is slow to compare.
        self._sides = {id(leaf): self._split(leaf) for name in self.classes for leaf in by_attribute[name]}

    def _split(self, leaf: Leaf) -> tuple[list[Variable], list[Variable]]:
        wanted = set(leaf.value or ())
        inside: list[Variable] = []
        outside: list[Variable] = []
        for index, part in enumerate(self.classes[leaf.attr]):
            (inside if part.mentioned and part.countries[0] in wanted else outside).append((leaf.attr, index))
        return inside, outside

    # -- domains -------------------------------------------------------------------------------------------------------

    def domain(self, variable: Variable, assignment: Assignment) -> list[Any]:
        """What the variable may be, given what is settled. Without an organisation everything about it is unknown."""
        name, index = variable
        if index != VALUE:
            return list(self.classes[name][index].states)
        if name in self.classes:
            return [True, False]
        found = self.values[name]
        if name in ORGANISATION:
            settled = {n: assignment.get((n, VALUE), ...) for n in self.values if n in ORGANISATION and n != name}
            settled |= {n: value for n, value in self.pinned.items() if n in ORGANISATION}
            if name != "org.id" and settled.get("org.id", ...) is None:
                return [None]
            if name == "org.id" and any(value is not None and value is not ... for value in settled.values()):
                return [value for value in found if value is not None]
        return found

    def next_variable(self, leaf: Leaf, assignment: Assignment) -> Variable | None:
        """A variable that is open and can change the leaf's truth."""
        if leaf.attr in self.pinned:
            return None
        if (leaf.attr, VALUE) not in assignment:
            return (leaf.attr, VALUE)
        if leaf.attr not in self.classes or assignment[leaf.attr, VALUE] is False:
            return None
        inside, outside = self._sides[id(leaf)]
        matter = outside if leaf.op == "within" else inside
        return next((variable for variable in matter if variable not in assignment), None)

    # -- truth of a leaf -----------------------------------------------------------------------------------------------

    def leaf(self, leaf: Leaf, assignment: Assignment) -> int:
        """Which truth values the leaf can still have, as a set of bits."""
        if leaf.attr in self.pinned:
            return _of_value(leaf, self.pinned[leaf.attr])
        settled = assignment.get((leaf.attr, VALUE), ...)
        if leaf.attr in self.classes:
            if settled is ...:
                return TRUE | FALSE if leaf.op == "known" else ANY
            if settled is False:
                return FALSE if leaf.op == "known" else UNKNOWN
            return TRUE if leaf.op == "known" else self._list(leaf, assignment)
        if settled is ...:
            possible = 0
            for value in self.domain((leaf.attr, VALUE), assignment):
                possible |= _of_value(leaf, value)
            return possible
        return _of_value(leaf, settled)

    def _list(self, leaf: Leaf, assignment: Assignment) -> int:
        inside, outside = self._sides[id(leaf)]
        states = [assignment.get(variable) for variable in (outside if leaf.op == "within" else inside)]
        if leaf.op == "includes_any":
            if any(state in (SOME, ALL) for state in states):
                return TRUE
            return FALSE if all(state == NONE for state in states) else TRUE | FALSE
        if leaf.op == "includes_all":
            if any(state in (NONE, SOME) for state in states):
                return FALSE
            return TRUE if all(state == ALL for state in states) else TRUE | FALSE
        if any(state in (SOME, ALL) for state in states):
            return FALSE
        return TRUE if all(state == NONE for state in states) else TRUE | FALSE

    # -- a person ------------------------------------------------------------------------------------------------------

    def profile(self, assignment: Assignment) -> dict[str, Any]:
        """The attributes that were settled, as a person's record would have them (None: unknown)."""
        found: dict[str, Any] = {}
        for name, index in assignment:
            if name in self.classes:
                found[name] = self._members(name, assignment) if assignment.get((name, VALUE)) else None
            elif index == VALUE:
                found[name] = assignment[name, VALUE]
        return found

    def _members(self, name: str, assignment: Assignment) -> list[str]:
        return sorted(
            country
            for index, part in enumerate(self.classes[name])
            for country in part.members(assignment.get((name, index), NONE))
        )

    def unmentioned(self, name: str) -> int | None:
        """The class of countries that no condition names."""
        return next((index for index, part in enumerate(self.classes[name]) if not part.mentioned), None)


def _of_value(leaf: Leaf, value: Any) -> int:
    if leaf.op == "known":
        return FALSE if value is None else TRUE
    if value is None:
        return UNKNOWN
    return TRUE if leaf_test(leaf)(value) else FALSE


def _representatives(name: str, leaves: list[Leaf], budget: Budget) -> list[Any]:
    """One value for each way the conditions can be true and false together, and *unknown* where that is possible."""
    by_signature: dict[tuple[int, ...], Any] = {}
    for value in _candidates(name, leaves):
        budget.check()
        by_signature.setdefault(tuple(_of_value(leaf, value) for leaf in leaves), value)
    found = list(by_signature.values())
    return found if name in NEVER_UNKNOWN else [*found, None]


def _candidates(name: str, leaves: list[Leaf]) -> list[Any]:
    attribute = ATTRIBUTES[name]
    mentioned: list[Any] = []
    for leaf in leaves:
        if leaf.op != "known":
            mentioned += leaf.value if isinstance(leaf.value, tuple) else [leaf.value]
    if attribute.type is Type.BOOLEAN:
        return [True, False]
    if attribute.choices:
        return list(attribute.choices)
    if attribute.type is Type.COUNTRY:
        return [*_usual_first(COUNTRIES)]
    if attribute.type is Type.DATE:
        return [*_around(mentioned), date(2026, 1, 5)]
    return [*mentioned, next(word for word in _words(name) if word not in mentioned)]


def _words(name: str) -> Iterable[str]:
    stem = {"person.department": "another department", "org.id": "another", "person.id": "another"}.get(name, "another")
    yield stem
    yield from (f"{stem} {number}" for number in range(2, 1_000))


def _around(days: list[date]) -> list[date]:
    found = []
    for day in sorted(set(days)):
        if day > date.min:
            found.append(day - timedelta(days=1))
        found.append(day)
        if day < date.max:
            found.append(day + timedelta(days=1))
    return found


_USUAL = ("FR", "US", "GB", "JP", "CN")


def _usual_first(countries: Iterable[str]) -> list[str]:
    """Countries that a reader knows, before the rest of the alphabet: an example should not look exotic."""
    rest = sorted(set(countries) - set(_USUAL))
    return [*(country for country in _USUAL if country in countries), *rest]


def _classes(leaves: list[Leaf], budget: Budget) -> list[Class]:
    """Countries by the set of conditions that name them."""
    named = [frozenset(leaf.value) for leaf in leaves if leaf.op != "known"]
    groups: dict[tuple[bool, ...], list[str]] = {}
    for country in _usual_first(COUNTRIES):
        budget.check()
        groups.setdefault(tuple(country in names for names in named), []).append(country)
    return [Class(tuple(found), any(signature)) for signature, found in groups.items()]
