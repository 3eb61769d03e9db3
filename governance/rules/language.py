"""Reading and checking rules: JSON in, an immutable tree out, every error with the path of its node.

A rule is ``{"all": […]}``, ``{"any": […]}``, ``{"not": …}``, ``true``, ``false`` or a leaf ``{"attr", "op", "value"}``. Three truth
values follow Kleene's strong logic (S. C. Kleene, *Introduction to Metamathematics*, §64), which is also SQL's.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import rfc8785

from governance.rules.attributes import ATTRIBUTES, LIST_OPERATORS, SENSITIVE, Attribute, Type
from governance.rules.countries import COUNTRIES

MAX_DEPTH = 12
MAX_NODES = 200
MAX_VALUES = 500
MAX_TEXT = 200
GROUP = "group:"


@dataclass(frozen=True, slots=True)
class Const:
    value: bool


@dataclass(frozen=True, slots=True)
class Leaf:
    """``value`` is a str, bool or date; for list operators a tuple of them; None for ``known``."""

    attr: str
    op: str
    value: Any = None

    @property
    def attribute(self) -> Attribute:
        return ATTRIBUTES[self.attr]


@dataclass(frozen=True, slots=True)
class Not:
    rule: Rule


@dataclass(frozen=True, slots=True)
class All:
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Any_:
    rules: tuple[Rule, ...]


Rule = Const | Leaf | Not | All | Any_


class RuleError(ValueError):
    """A rule outside the language; ``errors`` holds each place as ``(path, message)``."""

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__("; ".join(f"{path}: {message}" for path, message in errors))
        self.errors = list(errors)


class _Reader:
    def __init__(self) -> None:
        self.errors: list[tuple[str, str]] = []
        self.nodes = 0

    def fail(self, path: str, message: str) -> Const:
        self.errors.append((path, message))
        return Const(False)

    def rule(self, value: object, path: str, depth: int) -> Rule:
        self.nodes += 1
        if self.nodes > MAX_NODES:
            if self.nodes == MAX_NODES + 1:
                self.fail(path, f"a rule has at most {MAX_NODES} nodes")
            return Const(False)
        if depth > MAX_DEPTH:
            return self.fail(path, f"a rule is at most {MAX_DEPTH} levels deep")
        if isinstance(value, bool):
            return Const(value)
        if not isinstance(value, Mapping):
            return self.fail(path, "must be true, false or an object")
        keys = set(value)
        if keys in ({"all"}, {"any"}):
            name = next(iter(keys))
            return self._branch(name, value[name], f"{path}.{name}", depth)
        if keys == {"not"}:
            return Not(self.rule(value["not"], f"{path}.not", depth + 1))
        if "attr" in keys or "op" in keys:
            return self._leaf(value, path)
        return self.fail(path, 'must be {"all": […]}, {"any": […]}, {"not": …} or a condition with attr and op')

    def _branch(self, name: str, value: object, path: str, depth: int) -> Rule:
        if not isinstance(value, list | tuple):
            return self.fail(path, "must be a list")
        rules = tuple(self.rule(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(value))
        return All(rules) if name == "all" else Any_(rules)

    def _leaf(self, node: Mapping[str, Any], path: str) -> Rule:
        for extra in sorted(str(key) for key in set(node) - {"attr", "op", "value"}):
            self.fail(f"{path}.{extra}", "is not a member of a condition")
        name = node.get("attr")
        attribute = ATTRIBUTES.get(name) if isinstance(name, str) else None
        if attribute is None:
            return self.fail(f"{path}.attr", "is not an attribute that rules may read")
        op = node.get("op")
        if op not in attribute.operators:
            return self.fail(f"{path}.op", f"must be one of {', '.join(attribute.operators)} for {attribute.name}")
        if op == "known":
            if "value" in node:
                return self.fail(f"{path}.value", "known takes no value")
            return Leaf(attribute.name, op)
        if "value" not in node:
            return self.fail(f"{path}.value", "is required")
        if op in LIST_OPERATORS:
            return Leaf(attribute.name, op, self._values(attribute, node["value"], f"{path}.value"))
        return Leaf(attribute.name, op, self._value(attribute, node["value"], f"{path}.value"))

    def _values(self, attribute: Attribute, value: object, path: str) -> tuple[Any, ...]:
        if not isinstance(value, list | tuple):
            self.fail(path, "must be a list")
            return ()
        if len(value) > MAX_VALUES:
            self.fail(path, f"holds at most {MAX_VALUES} values")
            return ()
        values = tuple(self._value(attribute, item, f"{path}[{index}]") for index, item in enumerate(value))
        return tuple(dict.fromkeys(values))

    def _value(self, attribute: Attribute, value: object, path: str) -> Any:
        if attribute.type is Type.BOOLEAN:
            if not isinstance(value, bool):
                self.fail(path, "must be true or false")
            return value is True
        if attribute.type is Type.DATE:
            return self._date(value, path)
        if not isinstance(value, str):
            self.fail(path, "must be text")
            return ""
        if attribute.type in (Type.COUNTRY, Type.COUNTRIES):
            if value not in COUNTRIES:
                self.fail(path, "is not an ISO 3166-1 alpha-2 country code in capitals")
        elif attribute.choices and value not in attribute.choices:
            self.fail(path, f"must be one of {', '.join(attribute.choices)}")
        elif not value or len(value) > MAX_TEXT or "\x00" in value or not _encodable(value):
            self.fail(path, f"must be text of 1 to {MAX_TEXT} characters")
        return value

    def _date(self, value: object, path: str) -> date:
        # YAML reads an unquoted date as one; JSON brings text.
        if type(value) is date:
            return value
        try:
            if isinstance(value, str) and len(value) == 10:
                return date.fromisoformat(value)
        except ValueError:
            pass
        self.fail(path, "must be a date such as 2026-06-12")
        return date.min


def _encodable(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def parse(document: object) -> Rule:
    """Read a rule. Raises ``RuleError`` naming every place that is outside the language."""
    reader = _Reader()
    try:
        tree = reader.rule(document, "$", 1)
    except RecursionError:
        raise RuleError([("$", f"a rule is at most {MAX_DEPTH} levels deep")]) from None
    names = {leaf.attr for leaf in leaves(tree)}
    if "person.id" in names and names & SENSITIVE:
        reader.fail("$", "person.id may not stand in one rule with a sensitive attribute")
    if reader.errors:
        raise RuleError(reader.errors)
    return tree


def read_fact(name: str, value: object) -> Any:
    """A value that an attribute may have, as rules write it (lists as lists). Raises ``RuleError`` for any other."""
    attribute, reader = ATTRIBUTES.get(name), _Reader()
    if attribute is None:
        raise RuleError([(name, "is not an attribute that rules may read")])
    many = attribute.type is Type.COUNTRIES
    found = reader._values(attribute, value, name) if many else reader._value(attribute, value, name)
    if reader.errors:
        raise RuleError(reader.errors)
    return found


def leaves(rule: Rule) -> Iterator[Leaf]:
    """Every leaf, in reading order."""
    match rule:
        case Leaf():
            yield rule
        case Not(inner):
            yield from leaves(inner)
        case All(rules) | Any_(rules):
            for inner in rules:
                yield from leaves(inner)


def attributes_of(rule: Rule) -> frozenset[str]:
    return frozenset(leaf.attr for leaf in leaves(rule))


def uses_sensitive(rule: Rule) -> bool:
    """Whether the rule reads citizenship, residency or protected status."""
    return bool(attributes_of(rule) & SENSITIVE)


def dump(rule: Rule) -> Any:
    """The rule as JSON values; ``parse(dump(rule)) == rule``."""
    match rule:
        case Const(value):
            return value
        case Not(inner):
            return {"not": dump(inner)}
        case All(rules):
            return {"all": [dump(inner) for inner in rules]}
        case Any_(rules):
            return {"any": [dump(inner) for inner in rules]}
        case Leaf(attr, "known", _):
            return {"attr": attr, "op": "known"}
        case Leaf(attr, op, value):
            return {"attr": attr, "op": op, "value": _plain(value)}
    raise AssertionError(rule)


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value.isoformat() if isinstance(value, date) else value


def expand_groups(document: object, groups: Mapping[str, Sequence[str]]) -> Any:
    """The document with each ``group:NAME`` in a list of countries replaced by the group's codes, sorted, each once.

    An unknown group, or a value beside a group that is no text, raises ``RuleError`` with its path. Everything else is left
    for ``parse`` to judge.
    """
    errors: list[tuple[str, str]] = []

    def walk(node: object, path: str, depth: int) -> object:
        if depth > MAX_DEPTH * 2:
            return node
        if isinstance(node, Mapping):
            return {
                key: values(value, f"{path}.{key}")
                if key == "value" and isinstance(value, list | tuple)
                else walk(value, f"{path}.{key}", depth + 1)
                for key, value in node.items()
            }
        if isinstance(node, list | tuple):
            return [walk(item, f"{path}[{index}]", depth + 1) for index, item in enumerate(node)]
        return node.isoformat() if type(node) is date else node

    def values(items: Sequence[object], path: str) -> list[object]:
        if not any(isinstance(item, str) and item.startswith(GROUP) for item in items):
            return [item.isoformat() if type(item) is date else item for item in items]
        found: dict[Any, None] = {}
        for index, item in enumerate(items):
            if isinstance(item, str) and item.startswith(GROUP):
                name = item.removeprefix(GROUP)
                if name not in groups:
                    errors.append((f"{path}[{index}]", f"there is no country group {name}"))
                found.update(dict.fromkeys(groups.get(name, ())))
            elif not isinstance(item, str):
                errors.append((f"{path}[{index}]", "must be a country or a group of countries"))
            else:
                found[item] = None
        return sorted(found, key=str)

    expanded = walk(document, "$", 0)
    if errors:
        raise RuleError(errors)
    return expanded


def canonical(value: Any) -> bytes:
    """Canonical JSON (RFC 8785) of JSON values: what digests are computed over."""
    return rfc8785.dumps(value)
