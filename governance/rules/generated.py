"""Rules as one Python function: the quick reading for decisions, where everything a rule asks about is known.

With every attribute known, Kleene's logic is the ordinary one, and the rule is one expression of ``and``, ``or`` and ``not``. A
person with something unknown goes to the tree of closures, which says the same more slowly (property tests hold them equal).
The text that is compiled holds names of ours and nothing written in a rule: values are bound as constants.
"""

from __future__ import annotations

from typing import Any

from governance.rules.attributes import SLOTS
from governance.rules.closures import Compiled, compile_closure
from governance.rules.language import All, Any_, Const, Leaf, Not, Rule, leaves

_SLOT = {name: index for index, name in enumerate(SLOTS)}
_TESTS = {
    "is": "{fact} == {value}",
    "in": "{fact} in {value}",
    "includes_any": "not {value}({fact})",
    "includes_all": "{value}({fact})",
    "within": "{value}({fact})",
    "before": "{fact} < {value}",
    "on_or_after": "{fact} >= {value}",
}


def compile_function(rule: Rule) -> Compiled:
    """A function from facts (in the order of ``SLOTS``) to True, False or None (unknown)."""
    constants: dict[str, Any] = {"slowly": compile_closure(rule)}
    read = sorted({_SLOT[leaf.attr] for leaf in leaves(rule)})
    asked = sorted({_SLOT[leaf.attr] for leaf in leaves(rule) if leaf.op != "known"})
    lines = ["def rule(facts):"]
    lines += [f"    f{slot} = facts[{slot}]" for slot in read]
    if asked:
        lines.append(f"    if {' or '.join(f'f{slot} is None' for slot in asked)}:")
        lines.append("        return slowly(facts)")
    lines.append(f"    return {_expression(rule, constants)}")
    namespace = dict(constants)
    exec(compile("\n".join(lines), "<rule>", "exec"), namespace)  # noqa: S102  # see above: no text of a rule is in it
    function: Compiled = namespace["rule"]
    return function


def _expression(rule: Rule, constants: dict[str, Any]) -> str:
    match rule:
        case Const(value):
            return str(value)
        case Not(inner):
            return f"(not {_expression(inner, constants)})"
        case All(rules):
            return f"({' and '.join(_expression(inner, constants) for inner in rules) or 'True'})"
        case Any_(rules):
            return f"({' or '.join(_expression(inner, constants) for inner in rules) or 'False'})"
        case Leaf():
            return f"({_leaf(rule, constants)})"
    raise AssertionError(rule)


def _leaf(leaf: Leaf, constants: dict[str, Any]) -> str:
    fact = f"f{_SLOT[leaf.attr]}"
    if leaf.op == "known":
        return f"{fact} is not None"
    name = f"v{len(constants)}"
    constants[name] = _bound(leaf)
    return _TESTS[leaf.op].format(fact=fact, value=name)


def _bound(leaf: Leaf) -> Any:
    match leaf.op:
        case "in":
            return frozenset(leaf.value)
        case "includes_any":
            return frozenset(leaf.value).isdisjoint
        case "includes_all":
            return frozenset(leaf.value).issubset
        case "within":
            return frozenset(leaf.value).issuperset
    return leaf.value
