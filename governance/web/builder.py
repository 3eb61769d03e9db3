"""The rule builder: a rule as a list of rows with depths, as a form sends it, and back.

Each row is a group (``all``, ``any``, ``not``), a condition, or a constant. Everything is done on the server, so that the builder works
without a script; HTMX only saves the reload.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from governance.directives import content
from governance.errors import Invalid
from governance.rules import language, templates
from governance.rules.attributes import ATTRIBUTES, LIST_OPERATORS, Attribute, Type
from governance.rules.language import RuleError
from governance.values import typed_number

GROUPS = ("all", "any", "not")
GROUP_WORDS = {"all": "All of these", "any": "Any of these", "not": "Not"}
OPERATOR_WORDS = {
    "is": "is", "in": "is one of", "includes_any": "include any of", "includes_all": "include all of",
    "within": "include nothing but", "before": "is before", "on_or_after": "is on or after", "known": "is known",
}  # fmt: skip
MAX_ROWS = 200
MOST_PAST = 20


@dataclass
class Row:
    """One row: ``kind`` is a group, ``leaf``, ``true`` or ``false``; ``value`` is text as typed."""

    depth: int
    kind: str
    attr: str = "person.citizenships"
    op: str = "includes_any"
    value: str = ""
    count: Any = None  # how many people it is true of, once counted

    @property
    def attribute(self) -> Attribute:
        return ATTRIBUTES.get(self.attr, ATTRIBUTES["person.citizenships"])

    @property
    def operators(self) -> list[tuple[str, str]]:
        return [(op, OPERATOR_WORDS[op]) for op in self.attribute.operators]

    @property
    def hint(self) -> str:
        if self.attribute.choices:
            return ", ".join(self.attribute.choices)
        return {
            Type.COUNTRY: "US", Type.COUNTRIES: "US, GB", Type.BOOLEAN: "yes or no", Type.DATE: "2026-06-12",
        }.get(self.attribute.type, "")  # fmt: skip


@dataclass
class Builder:
    """``past`` holds the rules before each change, the last one last: what *undo* goes back to."""

    rows: list[Row] = field(default_factory=list)
    past: list[Any] = field(default_factory=list)

    @classmethod
    def of(cls, rule: Any) -> Builder:
        builder = cls()
        builder._flatten(rule, 0)
        return builder

    def _flatten(self, node: Any, depth: int) -> None:
        if isinstance(node, bool):
            self.rows.append(Row(depth, "true" if node else "false"))
        elif "not" in node:
            self.rows.append(Row(depth, "not"))
            self._flatten(node["not"], depth + 1)
        elif "all" in node or "any" in node:
            kind = "all" if "all" in node else "any"
            self.rows.append(Row(depth, kind))
            for child in node[kind]:
                self._flatten(child, depth + 1)
        else:
            self.rows.append(Row(depth, "leaf", node["attr"], node["op"], _as_text(node.get("value"))))

    @classmethod
    def from_post(cls, post: Mapping[str, str]) -> Builder:
        """Read the rows of a form. Whatever is odd is made even; the language judges the rule itself."""
        builder, index = cls(), 0
        while f"k{index}" in post and index < MAX_ROWS:
            depth = post.get(f"d{index}", "0")
            row = Row(
                typed_number(depth) or 0,
                post[f"k{index}"],
                post.get(f"a{index}", "person.citizenships"),
                post.get(f"o{index}", "includes_any"),
                post.get(f"v{index}", ""),
            )
            if row.kind == "leaf" and row.op not in row.attribute.operators:
                row.op = row.attribute.operators[0]
            builder.rows.append(row)
            index += 1
        builder.past = _past(post.get("past", ""))
        return builder

    @property
    def past_json(self) -> str:
        return json.dumps(self.past)

    @property
    def as_json(self) -> str:
        """The rule as it would be exported."""
        return json.dumps(self.rule(), indent=2, ensure_ascii=False)

    def act(self, action: str, *, typed: str = "") -> None:
        """Carry out a button: ``add:N`` and ``group:N`` (under row N), ``remove:N``, ``up:N``, ``down:N``, ``in:N``, ``out:N``,
        ``template:SLUG``, ``import`` (of ``typed``, a rule as JSON) and ``undo``.

        Raises ``Invalid`` for JSON that is no rule. Whatever changes the rows can be undone.
        """
        verb, _, name = action.partition(":")
        if verb == "undo":
            if self.past:
                self.rows = Builder.of(self.past.pop()).rows
            return
        before = self.rule()
        if verb == "template":
            self.rows = Builder.of(templates.rule_of(name)).rows
        elif verb == "import":
            self.rows = Builder.of(_from_json(typed)).rows
        else:
            at = typed_number(name)
            self._change(verb, -1 if at is None else at)
        if self.rule() != before:
            self.past = [*self.past, before][-MOST_PAST:]

    def _change(self, verb: str, at: int) -> None:
        if verb in ("add", "group") and (at < len(self.rows)) and len(self.rows) < MAX_ROWS:
            self._insert(at, Row(0, "leaf" if verb == "add" else "any"))
        elif 0 <= at < len(self.rows) and verb == "remove":
            del self.rows[at : self._end(at)]
        elif 0 <= at < len(self.rows) and verb in ("up", "down"):
            self._swap(at, verb)
        elif 0 < at < len(self.rows) and verb == "in":
            self._move_in(at)
        elif 0 < at < len(self.rows) and verb == "out":
            self._move_out(at)

    def _insert(self, at: int, row: Row) -> None:
        if not self.rows:
            self.rows = [Row(0, "all")]
        at = max(at, 0)
        if self.rows[at].kind not in GROUPS:  # a lone condition: put it and the new one under a group
            end = self._end(at)
            for inner in self.rows[at:end]:
                inner.depth += 1
            self.rows.insert(at, Row(self.rows[at].depth - 1, "all"))
        row.depth = self.rows[at].depth + 1
        self.rows.insert(self._end(at), row)

    def _end(self, at: int) -> int:
        """The index after the last row under ``at``."""
        end = at + 1
        while end < len(self.rows) and self.rows[end].depth > self.rows[at].depth:
            end += 1
        return end

    def _swap(self, at: int, verb: str) -> None:
        depth, end = self.rows[at].depth, self._end(at)
        if verb == "down":
            if end < len(self.rows) and self.rows[end].depth == depth:
                following = self._end(end)
                self.rows[at:following] = self.rows[end:following] + self.rows[at:end]
            return
        before = at - 1
        while before >= 0 and self.rows[before].depth > depth:
            before -= 1
        if before >= 0 and self.rows[before].depth == depth:
            self.rows[before:end] = self.rows[at:end] + self.rows[before:at]

    def _move_in(self, at: int) -> None:
        """Make the row the last of the group that stands just before it, if one does."""
        before = at - 1
        while self.rows[before].depth > self.rows[at].depth:
            before -= 1
        if self.rows[before].depth == self.rows[at].depth and self.rows[before].kind in GROUPS:
            for row in self.rows[at : self._end(at)]:
                row.depth += 1

    def _move_out(self, at: int) -> None:
        """Make the row the next after the group that it is in; the outermost group is never left."""
        parent = at - 1
        while self.rows[parent].depth >= self.rows[at].depth:
            parent -= 1
        if self.rows[parent].depth == 0:
            return
        end = self._end(at)
        moved = self.rows[at:end]
        after = self._end(parent)
        for row in moved:
            row.depth -= 1
        self.rows[at:after] = [*self.rows[end:after], *moved]

    def parts(self) -> list[Any]:
        """The rule of each row by itself, in the order of the rows."""
        return [self._node(at)[0] for at in range(len(self.rows))]

    def rule(self) -> Any:
        """The rows as a rule document; no rows are nobody."""
        if not self.rows:
            return False
        node, _ = self._node(0)
        return node

    def _node(self, at: int) -> tuple[Any, int]:
        row = self.rows[at]
        if row.kind not in GROUPS:
            return _leaf(row), at + 1
        children, index = [], at + 1
        while index < len(self.rows) and self.rows[index].depth > row.depth:
            child, index = self._node(index)
            children.append(child)
        if row.kind != "not":
            return {row.kind: children}, index
        return {"not": children[0] if len(children) == 1 else {"all": children}}, index


def _from_json(text: str) -> Any:
    """A rule typed or pasted as JSON, in the language as it stands. Raises ``Invalid``."""
    try:
        document = json.loads(text)
        language.parse(content.expand(document))
    except RuleError as error:
        raise Invalid("The JSON is not a rule.", error.errors) from None
    except (ValueError, RecursionError) as error:
        raise Invalid("That is not JSON.", [("json", str(error)[:200])]) from None
    return document


def _past(text: str) -> list[Any]:
    """The rules before, as the form sent them back; whatever is odd is forgotten."""
    try:
        found = json.loads(text) if text else []
        for rule in found:
            language.parse(content.expand(rule))
    except (ValueError, RecursionError, TypeError):
        return []
    return list(found)[-MOST_PAST:]


def _leaf(row: Row) -> Any:
    if row.kind in ("true", "false"):
        return row.kind == "true"
    leaf: dict[str, Any] = {"attr": row.attr, "op": row.op}
    if row.op == "known":
        return leaf
    words = [word.strip() for word in row.value.replace(";", ",").split(",") if word.strip()]
    values = [_typed(row.attribute, word) for word in words]
    if row.op in LIST_OPERATORS:
        return leaf | {"value": values}
    return leaf | {"value": values[0] if len(values) == 1 else row.value}


def read_value(attribute: Attribute, text: str) -> Any:
    """One value of an attribute as typed; a list is separated by commas, and ``none`` is an empty one."""
    words = [word.strip() for word in text.replace(";", ",").split(",") if word.strip()]
    if attribute.type is Type.COUNTRIES:
        return [] if words == ["none"] else words
    return _typed(attribute, text)


def _typed(attribute: Attribute, word: str) -> Any:
    if attribute.type is Type.BOOLEAN:
        return {"yes": True, "true": True, "no": False, "false": False}.get(word.lower(), word)
    return word


def _as_text(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(_as_text(item) for item in value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)
