"""Tracing a rule for one person: the truth of each node, and which leaves decided. Never an attribute's value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from governance.rules.closures import Truth, compile_closure
from governance.rules.english import condition
from governance.rules.language import All, Any_, Const, Leaf, Not, Rule

WORDS = {True: "true", False: "false", None: "unknown"}


def trace(rule: Rule, states: Sequence[Sequence[Any]], *, any_state: bool = True) -> dict[str, Any]:
    """The rule as nested nodes ``{"op", "text", "truth", "decided", "children"}`` for a person's states.

    With several states (a held change) a directive counts where any is true, an audience (``any_state=False``) where all
    are; leaves show the same combination. ``decided``: this node's truth alone fixes its parent's, up to the root.
    """
    node = _node(rule, states, any_state)
    _mark(node, decided=True)
    return node


def combine(truths: Sequence[Truth], *, any_state: bool) -> Truth:
    """Kleene OR (any) or AND (all) of the truths of several states."""
    decisive = any_state
    if decisive in truths:
        return decisive
    return None if None in truths else not decisive


def _node(rule: Rule, states: Sequence[Sequence[Any]], any_state: bool) -> dict[str, Any]:
    truth = combine([compile_closure(rule)(state) for state in states], any_state=any_state)
    node: dict[str, Any] = {"op": "", "text": "", "truth": WORDS[truth], "decided": False, "children": []}
    match rule:
        case Leaf():
            return node | {"op": rule.op, "attribute": rule.attr, "text": condition(rule)}
        case Const(value):
            return node | {"op": "const", "text": "everybody" if value else "nobody"}
        case Not(inner):
            # Under a negation the stricter state is the other one.
            return node | {"op": "not", "text": "not", "children": [_node(inner, states, not any_state)]}
        case All(rules):
            text, op = "all of these", "all"
        case Any_(rules):
            text, op = "any of these", "any"
    return node | {"op": op, "text": text, "children": [_node(inner, states, any_state) for inner in rules]}


def _mark(node: dict[str, Any], *, decided: bool) -> None:
    node["decided"] = decided
    for child in node["children"]:
        same = node["op"] == "not" or child["truth"] == node["truth"]
        _mark(child, decided=decided and same)


def flatten(node: dict[str, Any], depth: int = 0) -> list[tuple[int, dict[str, Any]]]:
    """The nodes in reading order with their depth, for text and tables."""
    found = [(depth, node)]
    for child in node["children"]:
        found += flatten(child, depth + 1)
    return found
