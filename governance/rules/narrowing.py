"""Proving that one rule lies within another: sound, not complete.

``implies(a, b)``: whoever makes ``a`` true makes ``b`` true. It answers True only with a proof; False means *not proved*. Used
where a change may loosen: an audience may be replaced at once only by one that implies it.
"""

from __future__ import annotations

from typing import Any

from governance.rules.language import All, Any_, Const, Leaf, Not, Rule

# Each pair in the proof halves the work left; a rule has at most 200 nodes, so the product stays small. The limit
# keeps a hostile pair of rules from costing more than a moment; beyond it nothing is proved.
_STEPS = 20_000


class _Prover:
    def __init__(self) -> None:
        self.steps = 0

    def implies(self, a: Rule, b: Rule) -> bool:
        self.steps += 1
        if self.steps > _STEPS:
            return False
        if a == b or a == Const(False) or b == Const(True):
            return True
        if isinstance(a, Any_):
            return all(self.implies(part, b) for part in a.rules)
        if isinstance(b, All):
            return all(self.implies(a, part) for part in b.rules)
        if isinstance(a, All) and any(self.implies(part, b) for part in a.rules):
            return True
        if isinstance(b, Any_) and any(self.implies(a, part) for part in b.rules):
            return True
        if isinstance(a, Leaf) and isinstance(b, Leaf):
            return _leaf_implies(a, b)
        if isinstance(a, Not) and isinstance(b, Not):
            # not x true ⇔ x false; x false ⇒ y false is the contrapositive of y not-false ⇒ x not-false, which for two leaves of
            # one attribute (both known or both unknown together) is y ⇒ x.
            return (
                isinstance(a.rule, Leaf)
                and isinstance(b.rule, Leaf)
                and a.rule.attr == b.rule.attr
                and a.rule.op != "known"  # *not known* says nothing of another condition but that it is unknown
                and _leaf_implies(b.rule, a.rule)
            )
        return False


def implies(a: Rule, b: Rule) -> bool:
    """Whether it is proved that ``a`` true means ``b`` true, for every person."""
    return _Prover().implies(_normal(a, negated=False), _normal(b, negated=False))


def _normal(rule: Rule, *, negated: bool) -> Rule:
    """Negation normal form (De Morgan holds in Kleene's logic), so that Not stands before leaves only."""
    match rule:
        case Const(value):
            return Const(value is not negated)
        case Not(inner):
            return _normal(inner, negated=not negated)
        case All(rules) | Any_(rules):
            parts = tuple(_normal(inner, negated=negated) for inner in rules)
            return All(parts) if isinstance(rule, All) is not negated else Any_(parts)
        case Leaf():
            return Not(rule) if negated else rule
    raise AssertionError(rule)


def _as_set(leaf: Leaf) -> frozenset[Any]:
    return frozenset(leaf.value) if isinstance(leaf.value, tuple) else frozenset([leaf.value])


def _leaf_implies(a: Leaf, b: Leaf) -> bool:
    if a.attr != b.attr:
        return False
    if b.op == "known":
        return True  # a true leaf has a known value
    if a.op in ("is", "in") and b.op in ("is", "in"):
        return _as_set(a) <= _as_set(b)
    if a.op in ("is", "in") and b.op in ("before", "on_or_after"):
        return all(value < b.value if b.op == "before" else value >= b.value for value in _as_set(a))
    match a.op, b.op:
        case ("before", "before"):
            return bool(a.value <= b.value)
        case ("on_or_after", "on_or_after"):
            return bool(a.value >= b.value)
        case ("includes_any", "includes_any"):
            return _as_set(a) <= _as_set(b)
        case ("includes_all", "includes_all"):
            return _as_set(b) <= _as_set(a)
        case ("within", "within"):
            return _as_set(a) <= _as_set(b)
        case ("includes_all", "includes_any"):
            return bool(_as_set(a) & _as_set(b))
    return False
