"""Which leaves alone force a rule's truth: computed over the nodes of a trace, not guessed.

A *reason* is a smallest set of leaves whose truth values fix the rule's, whatever the other leaves were. Between *false < unknown
< true* (Kleene), ``all`` is the minimum, ``any`` the maximum and ``not`` turns the order round, so what forces *at least x* or
*at most x* follows the tree; *unknown* is forced by both bounds together.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from itertools import product
from typing import Any

RANK = {"false": 0, "unknown": 1, "true": 2}
MOST_REASONS = 12
"""How many reasons are listed, the shortest first: a long rule can have very many."""

Reason = frozenset[int]
Node = dict[str, Any]
Bounds = tuple[bool, bool]
"""Whether a set of leaves forces *at least* and *at most* the truth asked about."""
_Sets = frozenset[Bounds]
_Turns = frozenset[tuple[Bounds, Bounds]]  # of a set without a leaf, and with it


def reasons_of(node: Node) -> tuple[list[Reason], bool]:
    """The first reasons for a node's truth, the shortest first, and whether they are all there are."""
    rank = RANK[node["truth"]]
    listed = _Listed()
    at_least = listed.bound(node, rank, upward=True) if rank > 0 else [frozenset()]
    at_most = listed.bound(node, rank, upward=False) if rank < 2 else [frozenset()]
    found = listed.smallest(one | other for one in at_least for other in at_most)
    if not listed.whole:  # a smaller set may have been left out, so that one of these is not the smallest
        found = listed.smallest(_shrunk(node, rank, reason) for reason in found)
    return found[:MOST_REASONS], listed.whole and len(found) <= MOST_REASONS


class _Listed:
    """Listing sets of leaves, a few more than are shown; ``whole`` is false once some were left out."""

    def __init__(self) -> None:
        self.whole = True

    def bound(self, node: Node, rank: int, *, upward: bool) -> list[Reason]:
        """What forces the node's truth to be at least (``upward``) or at most ``rank``; empty if it is not so."""
        holds = RANK[node["truth"]] >= rank if upward else RANK[node["truth"]] <= rank
        if not holds:
            return []
        op, children = node["op"], node["children"]
        if op == "not":
            return self.bound(children[0], 2 - rank, upward=not upward)
        if op == "const" or _empty_group(node):
            return [frozenset()]
        if not children:
            return [frozenset([node["number"]])]
        parts = [self.bound(child, rank, upward=upward) for child in children]
        if (op == "all") is not upward:
            return self.smallest(reason for part in parts for reason in part)
        found: list[Reason] = [frozenset()]  # every child has to be bounded
        for part in parts:
            found = self.smallest(one | other for one in found for other in part)
        return found

    def smallest(self, reasons: Iterable[Reason]) -> list[Reason]:
        """Those that contain no other, the shortest first."""
        kept: list[Reason] = []
        for reason in sorted(set(reasons), key=lambda one: (len(one), sorted(one))):
            if any(smaller <= reason for smaller in kept):
                continue
            if len(kept) > MOST_REASONS:
                self.whole = False
                break
            kept.append(reason)
        return kept


def _shrunk(node: Node, rank: int, reason: Reason) -> Reason:
    """A smallest forcing set within one that forces the truth."""
    while True:
        needed = frozenset().union(*(leaves for _, leaves in _needed(node, rank, reason)))
        if not (spare := reason - needed):
            return reason
        reason -= {min(spare)}


Need = tuple[bool, Reason]
"""Whether a bound is forced, and the leaves without any one of which it is not."""


def _needed(node: Node, rank: int, known: Reason) -> tuple[Need, Need]:
    """What the leaves in ``known`` force, if the others could be anything: at least, and at most, the rank."""
    op, children = node["op"], node["children"]
    if op == "not":
        low, high = _needed(children[0], 2 - rank, known)
        return high, low
    if not children:
        own = frozenset([node["number"]] if "number" in node else ()) & known
        without, with_it = (_of_end(node, rank, known=given) for given in (False, bool(own)))
        low, high = (
            (after, own if after and not before else _NOTHING) for before, after in zip(without, with_it, strict=True)
        )
        return low, high
    below = [_needed(child, rank, known) for child in children]
    every, some = (0, 1) if op == "all" else (1, 0)
    needs = {every: _every([both[every] for both in below]), some: _some([both[some] for both in below])}
    return needs[0], needs[1]


_NOTHING: Reason = frozenset()


def _every(needs: list[Need]) -> Need:
    if not all(forced for forced, _ in needs):
        return False, _NOTHING
    return True, _NOTHING.union(*(leaves for _, leaves in needs))


def _some(needs: list[Need]) -> Need:
    forcing = [leaves for forced, leaves in needs if forced]
    return bool(forcing), forcing[0] if len(forcing) == 1 else _NOTHING


def _of_end(node: Node, rank: int, *, known: bool) -> Bounds:
    """What a node without children forces; a constant is always known."""
    if not known and node["op"] != "const" and not _empty_group(node):
        return rank == 0, rank == 2
    truth = RANK[node["truth"]]
    return truth >= rank, truth <= rank


def _empty_group(node: Node) -> bool:
    """All of nothing is true and any of nothing false, whatever anybody is: such a group is a constant."""
    return node["op"] in ("all", "any") and not node["children"]


def deciding(node: Node) -> Reason:
    """The leaves that stand in some reason, exactly, however many reasons there are.

    A leaf stands in one if some set of leaves forces the truth with it and not without it: what is smallest in that set
    needs it. The tree reads each leaf once, so its branches can be chosen for independently and their bounds combined.
    """
    _, turns = _turns(node, RANK[node["truth"]])
    return frozenset(
        number
        for number, pairs in turns.items()
        if any(all(with_it) and not all(without) for without, with_it in pairs)
    )


def _turns(node: Node, rank: int) -> tuple[_Sets, dict[int, _Turns]]:
    """The bounds that sets of the node's leaves can force, and how each leaf turns those of the others."""
    op, children = node["op"], node["children"]
    if op == "not":
        sets, turns = _turns(children[0], 2 - rank)
        return frozenset(map(_swapped, sets)), {
            number: frozenset((_swapped(without), _swapped(with_it)) for without, with_it in pairs)
            for number, pairs in turns.items()
        }
    if not children:
        with_it = _of_end(node, rank, known=True)
        if op in ("const", "all", "any"):
            return frozenset([with_it]), {}
        without = _of_end(node, rank, known=False)
        return frozenset([without, with_it]), {node["number"]: frozenset([(without, with_it)])}
    below = [_turns(child, rank) for child in children]
    before, after = _others([sets for sets, _ in below], minimum=op == "all")
    found = {}
    for index, (_, turns) in enumerate(below):
        others = _joined(before[index], after[index], minimum=op == "all")
        for number, pairs in turns.items():
            found[number] = _turned(pairs, others, minimum=op == "all")
    return before[-1], found


def _swapped(bounds: Bounds) -> Bounds:
    return bounds[1], bounds[0]


def _others(parts: list[_Sets], *, minimum: bool) -> tuple[list[_Sets], list[_Sets]]:
    """For each part, what the parts before it and those after it force together; last of all, what all do."""
    nothing = frozenset([(minimum, not minimum)])  # changes no minimum or maximum
    before, after = [nothing], [nothing]
    for part in parts:
        before.append(_joined(before[-1], part, minimum=minimum))
    for part in reversed(parts[1:]):
        after.append(_joined(after[-1], part, minimum=minimum))
    return before, after[::-1]


@lru_cache(maxsize=10_000)
def _joined(some: _Sets, others: _Sets, *, minimum: bool) -> _Sets:
    return frozenset(_join(one, other, minimum=minimum) for one, other in product(some, others))


@lru_cache(maxsize=10_000)
def _turned(pairs: _Turns, others: _Sets, *, minimum: bool) -> _Turns:
    return frozenset(
        (_join(without, other, minimum=minimum), _join(with_it, other, minimum=minimum))
        for (without, with_it), other in product(pairs, others)
    )


def _join(one: Bounds, other: Bounds, *, minimum: bool) -> Bounds:
    """A minimum is at least what all are at least, and at most what any is at most; a maximum the other way round."""
    if minimum:
        return one[0] and other[0], one[1] or other[1]
    return one[0] or other[0], one[1] and other[1]
