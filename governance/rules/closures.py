"""Rules as Python functions over a person's facts: a tree of closures, compiled once per version.

Facts are a tuple in the order of ``SLOTS``; lists are any iterable of codes; what is not known is None. Nothing written in a
rule can become code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from governance.rules.attributes import SLOTS
from governance.rules.language import All, Any_, Const, Leaf, Not, Rule

Truth = bool | None
Compiled = Callable[[Sequence[Any]], Truth]
_SLOT = {name: index for index, name in enumerate(SLOTS)}

__all__ = ["SLOTS", "Compiled", "compile_closure", "leaf_test"]


def compile_closure(rule: Rule) -> Compiled:
    """A function from facts to True, False or None (unknown)."""
    return _compile(rule)


def _compile(rule: Rule) -> Compiled:
    match rule:
        case Const(value):
            return lambda facts: value
        case Not(inner):
            return _not(_compile(inner))
        case All(rules):
            return _all(tuple(_compile(inner) for inner in rules))
        case Any_(rules):
            return _any(tuple(_compile(inner) for inner in rules))
        case Leaf():
            return _leaf(rule)
    raise AssertionError(rule)


def _not(inner: Compiled) -> Compiled:
    def negation(facts: Sequence[Any]) -> Truth:
        truth = inner(facts)
        return None if truth is None else not truth

    return negation


def _all(parts: tuple[Compiled, ...]) -> Compiled:
    def conjunction(facts: Sequence[Any]) -> Truth:
        result: Truth = True
        for part in parts:
            truth = part(facts)
            if truth is False:
                return False
            if truth is None:
                result = None
        return result

    return conjunction


def _any(parts: tuple[Compiled, ...]) -> Compiled:
    def disjunction(facts: Sequence[Any]) -> Truth:
        result: Truth = False
        for part in parts:
            truth = part(facts)
            if truth is True:
                return True
            if truth is None:
                result = None
        return result

    return disjunction


def _leaf(leaf: Leaf) -> Compiled:
    slot, test = _SLOT[leaf.attr], leaf_test(leaf)
    if leaf.op == "known":
        return lambda facts: facts[slot] is not None

    def condition(facts: Sequence[Any]) -> Truth:
        value = facts[slot]
        return None if value is None else test(value)

    return condition


def _is(wanted: Any) -> Callable[[Any], bool]:
    return lambda value: bool(value == wanted)


def _in(wanted: tuple[Any, ...]) -> Callable[[Any], bool]:
    return frozenset(wanted).__contains__


def _includes_any(wanted: tuple[Any, ...]) -> Callable[[Any], bool]:
    disjoint = frozenset(wanted).isdisjoint
    return lambda value: not disjoint(value)


def _includes_all(wanted: tuple[Any, ...]) -> Callable[[Any], bool]:
    return frozenset(wanted).issubset


def _within(wanted: tuple[Any, ...]) -> Callable[[Any], bool]:
    return frozenset(wanted).issuperset


def leaf_test(leaf: Leaf) -> Callable[[Any], bool]:
    """The leaf's condition on a known value."""
    return _TESTS[leaf.op](leaf.value)


_TESTS: dict[str, Callable[[Any], Callable[[Any], bool]]] = {
    "known": lambda _: lambda value: value is not None,
    "is": _is,
    "in": _in,
    "includes_any": _includes_any,
    "includes_all": _includes_all,
    "within": _within,
    "before": lambda wanted: lambda value: value < wanted,
    "on_or_after": lambda wanted: lambda value: value >= wanted,
}
