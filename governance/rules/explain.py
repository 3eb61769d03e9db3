"""Tracing a rule for one person: the truth of each node, and which leaves alone force the outcome. Never an attribute's value.

Reasons are computed, not guessed: a *reason* is a smallest set of leaves whose truth values fix the rule's, whatever the other
leaves were. Between *false < unknown < true* (Kleene), ``all`` is the minimum, ``any`` the maximum and ``not`` turns the order
round, so what forces *at least x* or *at most x* follows the tree; *unknown* is forced by both bounds together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from governance.rules.closures import Truth, compile_closure
from governance.rules.english import condition
from governance.rules.language import All, Any_, Const, Leaf, Not, Rule

WORDS = {True: "true", False: "false", None: "unknown"}
_RANK = {"false": 0, "unknown": 1, "true": 2}
MOST_REASONS = 12
"""How many reasons are kept at each node, the smallest first: a long rule can have very many."""

Reason = frozenset[int]


def trace(rule: Rule, states: Sequence[Sequence[Any]], *, any_state: bool = True) -> dict[str, Any]:
    """The rule as nested nodes ``{"op", "text", "truth", "decided", "children"}`` for a person's states.

    With several states (a held change) a directive counts where any is true, an audience (``any_state=False``) where all
    are; the state that settles it is traced. ``decided``: the node's leaves stand in a reason; ``reasons``, at the
    root, lists them by the numbers of leaves in reading order, and ``state`` says which state was traced.
    """
    evaluate = compile_closure(rule)
    truths = [evaluate(state) for state in states]
    settled = combine(truths, any_state=any_state)
    which = truths.index(settled)
    node = _node(rule, states[which])
    leaves = [found for _, found in flatten(node) if not found["children"]]
    for number, leaf in enumerate(leaves):
        leaf["number"] = number
    reasons = reasons_of(node)
    deciding = frozenset().union(*reasons) if reasons else frozenset()
    _mark(node, deciding)
    node["reasons"], node["state"] = [sorted(reason) for reason in reasons], which
    return node


def combine(truths: Sequence[Truth], *, any_state: bool) -> Truth:
    """Kleene OR (any) or AND (all) of the truths of several states."""
    decisive = any_state
    if decisive in truths:
        return decisive
    return None if None in truths else not decisive


def _node(rule: Rule, facts: Sequence[Any]) -> dict[str, Any]:
    truth = WORDS[compile_closure(rule)(facts)]
    node: dict[str, Any] = {"op": "", "text": "", "truth": truth, "decided": False, "children": []}
    match rule:
        case Leaf():
            return node | {"op": rule.op, "attribute": rule.attr, "text": condition(rule)}
        case Const(value):
            return node | {"op": "const", "text": "everybody" if value else "nobody"}
        case Not(inner):
            return node | {"op": "not", "text": "not", "children": [_node(inner, facts)]}
        case All(rules):
            text, op = "all of these", "all"
        case Any_(rules):
            text, op = "any of these", "any"
    return node | {"op": op, "text": text, "children": [_node(inner, facts) for inner in rules]}


def reasons_of(node: dict[str, Any]) -> list[Reason]:
    """The smallest sets of leaf numbers that force the node's truth, the shortest first."""
    rank = _RANK[node["truth"]]
    at_least = _bound(node, rank, upward=True) if rank > 0 else [frozenset()]
    at_most = _bound(node, rank, upward=False) if rank < 2 else [frozenset()]
    return _smallest(a | b for a in at_least for b in at_most)


def _bound(node: dict[str, Any], rank: int, *, upward: bool) -> list[Reason]:
    """What forces the node's truth to be at least (``upward``) or at most ``rank``; empty if it is not so."""
    holds = _RANK[node["truth"]] >= rank if upward else _RANK[node["truth"]] <= rank
    if not holds:
        return []
    op, children = node["op"], node["children"]
    if op == "not":
        return _bound(children[0], 2 - rank, upward=not upward)
    if op == "const":
        return [frozenset()]
    if op not in ("all", "any"):
        return [frozenset([node["number"]])]
    parts = [_bound(child, rank, upward=upward) for child in children]
    if (op == "all") is upward:  # every child has to be bounded
        found: list[Reason] = [frozenset()]
        for part in parts:
            found = _smallest(one | other for one in found for other in part)
        return found
    # A group without children is a constant: all of nothing is true, any of nothing is false.
    return _smallest(reason for part in parts for reason in part) if children else [frozenset()]


def _smallest(reasons: Iterable[Reason]) -> list[Reason]:
    """Those that contain no other, the shortest first."""
    kept: list[Reason] = []
    for reason in sorted(set(reasons), key=lambda one: (len(one), sorted(one))):
        if not any(smaller <= reason for smaller in kept):
            kept.append(reason)
        if len(kept) == MOST_REASONS:
            break
    return kept


def _mark(node: dict[str, Any], deciding: Reason) -> bool:
    below = [_mark(child, deciding) for child in node["children"]]
    node["decided"] = any(below) if below else node.get("number") in deciding
    return bool(node["decided"])


def flatten(node: dict[str, Any], depth: int = 0) -> list[tuple[int, dict[str, Any]]]:
    """The nodes in reading order with their depth, for text and tables."""
    found = [(depth, node)]
    for child in node["children"]:
        found += flatten(child, depth + 1)
    return found
