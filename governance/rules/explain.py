"""Tracing a rule for one person: the truth of each node, and which leaves alone force the outcome. Never an attribute's value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from governance.rules.attributes import SLOTS
from governance.rules.closures import Truth, compile_closure, leaf_test
from governance.rules.english import condition
from governance.rules.language import All, Any_, Const, Leaf, Not, Rule
from governance.rules.reasons import RANK, Reason, deciding, reasons_of

WORDS = {True: "true", False: "false", None: "unknown"}
_SLOT = {name: index for index, name in enumerate(SLOTS)}


def trace(rule: Rule, states: Sequence[Sequence[Any]], *, any_state: bool = True) -> dict[str, Any]:
    """The rule as nested nodes ``{"op", "text", "truth", "decided", "children"}`` for a person's states.

    With several states (a held change) a directive counts where any is true, an audience (``any_state=False``) where all
    are; the state that settles it is traced. ``decided``: the node's leaves stand in a reason; ``reasons``, at the
    root, lists them by the numbers of leaves in reading order, ``all_reasons`` says whether that is the whole list, and
    ``state`` which state was traced.
    """
    which = 0
    if len(states) > 1:
        evaluate = compile_closure(rule)
        truths = [evaluate(state) for state in states]
        which = truths.index(combine(truths, any_state=any_state))
    node = _node(rule, states[which])
    for number, leaf in enumerate(found for _, found in flatten(node) if not found["children"]):
        leaf["number"] = number
    _mark(node, deciding(node))
    reasons, whole = reasons_of(node)
    node["reasons"], node["all_reasons"] = [sorted(reason) for reason in reasons], whole
    node["state"] = which
    return node


def combine(truths: Sequence[Truth], *, any_state: bool) -> Truth:
    """Kleene OR (any) or AND (all) of the truths of several states."""
    decisive = any_state
    if decisive in truths:
        return decisive
    return None if None in truths else not decisive


def how_many(root: dict[str, Any]) -> str:
    """In how many ways the outcome is forced, in words; empty for one."""
    number = len(root["reasons"])
    if number < 2:
        return ""
    return f"{'' if root['all_reasons'] else 'At least '}{number} sets of conditions each decide this alone."


def _node(rule: Rule, facts: Sequence[Any]) -> dict[str, Any]:
    children: list[dict[str, Any]] = []
    match rule:
        case Leaf():
            op, text, truth = rule.op, condition(rule), _leaf_truth(rule, facts)
        case Const(value):
            op, text, truth = "const", "everybody" if value else "nobody", WORDS[value]
        case Not(inner):
            children = [_node(inner, facts)]
            op, text, truth = "not", "not", _ranked(2 - RANK[children[0]["truth"]])
        case All(rules):
            children = [_node(part, facts) for part in rules]
            op, text, truth = "all", "all of these", _ranked(min((RANK[c["truth"]] for c in children), default=2))
        case Any_(rules):
            children = [_node(part, facts) for part in rules]
            op, text, truth = "any", "any of these", _ranked(max((RANK[c["truth"]] for c in children), default=0))
    node = {"op": op, "text": text, "truth": truth, "decided": False, "children": children}
    return node | {"attribute": rule.attr} if isinstance(rule, Leaf) else node


def _ranked(rank: int) -> str:
    return next(word for word, place in RANK.items() if place == rank)


def _leaf_truth(leaf: Leaf, facts: Sequence[Any]) -> str:
    value = facts[_SLOT[leaf.attr]]
    if value is None and leaf.op != "known":
        return WORDS[None]
    return WORDS[leaf_test(leaf)(value)]


def _mark(node: dict[str, Any], decisive: Reason) -> bool:
    below = [_mark(child, decisive) for child in node["children"]]
    node["decided"] = any(below) if below else node.get("number") in decisive
    return bool(node["decided"])


def flatten(node: dict[str, Any], depth: int = 0) -> list[tuple[int, dict[str, Any]]]:
    """The nodes in reading order with their depth, for text and tables."""
    found = [(depth, node)]
    for child in node["children"]:
        found += flatten(child, depth + 1)
    return found
