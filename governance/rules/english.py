"""A rule as one English sentence, shown wherever the rule is. Exact first, pleasant second."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from governance.rules.attributes import Type
from governance.rules.countries import COUNTRIES
from governance.rules.language import All, Any_, Const, Leaf, Not, Rule

_WORDS = {"on_leave": "on leave", "none": "not vetted"}


def sentence(rule: Rule) -> str:
    """Who the rule is true of, for example *People whose citizenships do not include United States.*"""
    match rule:
        case Const(True):
            return "Everybody."
        case Const(False):
            return "Nobody."
    return f"People {_clause(rule, negated=False)}."


def condition(leaf: Leaf) -> str:
    """One condition in words, for lists and traces."""
    return _condition(leaf, negated=False).removeprefix("whose ").removeprefix("who ")


def branch(rule: Rule) -> str:
    """A part of a rule in words, for example *whose status is departed*."""
    return _clause(rule, negated=False)


def _clause(rule: Rule, *, negated: bool) -> str:
    match rule:
        case Leaf():
            return _condition(rule, negated=negated)
        case Not(inner):
            return _clause(inner, negated=not negated)
        case Const(value):
            return "of whom there is no condition" if value is not negated else "who do not exist"
        case All(rules):
            word = "or" if negated else "and"
            return _join(rules, word, negated=negated) or _clause(Const(True), negated=negated)
        case Any_(rules):
            word = "and" if negated else "or"
            return _join(rules, word, negated=negated) or _clause(Const(False), negated=negated)
    raise AssertionError(rule)


def _join(rules: Sequence[Rule], word: str, *, negated: bool) -> str:
    parts = []
    for inner in rules:
        text = _clause(inner, negated=negated)
        parts.append(f"({text})" if _compound(inner) and len(rules) > 1 else text)
    if len(parts) < 2:
        return "".join(parts)
    return f", {word} ".join(parts) if len(parts) > 2 else f" {word} ".join(parts)


def _compound(rule: Rule) -> bool:
    match rule:
        case Not(inner):
            return _compound(inner)
        case All(rules) | Any_(rules):
            return len(rules) > 1
    return False


def _condition(leaf: Leaf, *, negated: bool) -> str:
    label, many = leaf.attribute.label, leaf.attribute.type is Type.COUNTRIES
    no = " not" if negated else ""
    if leaf.op == "known":
        return f"whose {label} {'are' if many else 'is'}{no} known"
    if leaf.attribute.type is Type.BOOLEAN:
        return _boolean(leaf, label, negated=negated)
    match leaf.op:
        case "is":
            return f"whose {label} is{no} {_value(leaf, leaf.value)}"
        case "in":
            if not leaf.value:
                return f"whose {label} is{no} one of an empty list"
            one = len(leaf.value) == 1
            return f"whose {label} is{no} {'' if one else 'one of '}{_values(leaf, 'or')}"
        case "includes_any":
            verb = "do not include" if negated else "include"
            some = "" if len(leaf.value) == 1 else "any of "
            return f"whose {label} {verb} {some}{_values(leaf, 'or')}"
        case "includes_all":
            verb = "do not include" if negated else "include"
            every = "" if len(leaf.value) == 1 else "all of "
            return f"whose {label} {verb} {every}{_values(leaf, 'and')}"
        case "within":
            if negated:
                return f"whose {label} include one other than {_values(leaf, 'and')}"
            return f"whose {label} include none other than {_values(leaf, 'and')}"
        case "before":
            return f"whose {label} is{no} before {leaf.value:%-d %B %Y}"
    return f"whose {label} is{no} on or after {leaf.value:%-d %B %Y}"


def _boolean(leaf: Leaf, label: str, *, negated: bool) -> str:
    values = leaf.value if isinstance(leaf.value, tuple) else (leaf.value,)
    if len(values) != 1:
        return f"whose {label} is{' not' if negated else ''} {'either' if values else 'one of an empty list'}"
    return f"who {'have' if values[0] is not negated else 'do not have'} {label}"


def _values(leaf: Leaf, word: str) -> str:
    words = [_value(leaf, value) for value in leaf.value]
    if not words:
        return "nothing"
    if len(words) == 1:
        return words[0]
    return f"{', '.join(words[:-1])} {word} {words[-1]}"


def _value(leaf: Leaf, value: Any) -> str:
    if isinstance(value, date):
        return f"{value:%-d %B %Y}"
    if leaf.attribute.type in (Type.COUNTRY, Type.COUNTRIES):
        return COUNTRIES.get(value, value)
    return _WORDS.get(value, value) if leaf.attribute.choices else str(value)
