"""The rule builder: a rule as rows of a form, what its buttons do, and back, exactly.

Everything is done on the server, so that the builder works without a script; HTMX only saves the reload.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from governance.directives import content
from governance.errors import Invalid
from governance.rules import language, templates
from governance.rules.attributes import ATTRIBUTES, LIST_OPERATORS, Type
from governance.rules.language import GROUP, RuleError
from governance.values import typed_number
from governance.web import rows as tree
from governance.web import value_text
from governance.web.rows import BACK, GROUPS, Row
from governance.web.value_text import COUNTRY_TYPES

GROUP_WORDS = {"all": "All of these", "any": "Any of these", "not": "Not all of these"}
MAX_ROWS = 200
MOST_PAST = 20
_LONGEST_QUOTE = 40


@dataclass
class Builder:
    """``past`` and ``future`` hold the rules before and after each change, the nearest last: what *undo* and *redo* go to.

    ``shown`` is the rule that the page showed last, if the form says; where the rows state another, somebody typed. ``focus``
    names the control that the keyboard goes to after a button (``up:2``, or ``row:2`` for the first of a row).
    """

    rows: list[Row] = field(default_factory=list)
    past: list[Any] = field(default_factory=list)
    future: list[Any] = field(default_factory=list)
    shown: Any = None
    focus: str = ""
    json_untouched: bool = True

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
            row = Row(depth, "leaf", node["attr"], node["op"])
            row.value = value_text.write(row.attribute, node.get("value"))
            self.rows.append(row)

    @classmethod
    def from_post(cls, post: Mapping[str, str], *, picked: bool = True) -> Builder:
        """Read the rows of a form. Whatever is odd is made even; the language judges the rule itself.

        ``picked``: whether what stands in the pickers of countries counts; not while somebody is still typing there.
        """
        builder, index = cls(), 0
        while f"k{index}" in post and index < MAX_ROWS:
            builder._read_row(post, index, picked=picked)
            index += 1
        builder.past, builder.future = _rules(post.get("past", "")), _rules(post.get("future", ""))
        builder.shown = next(iter(_rules(f"[{post.get('shown', '')}]")), None)
        builder.json_untouched = _mark(post.get("json", "")) == post.get("json-shown", "")
        return builder

    def _read_row(self, post: Mapping[str, str], index: int, *, picked: bool) -> None:
        depth = typed_number(post.get(f"d{index}", "")) or 0
        row = Row(
            max(depth, 1) if self.rows else 0,
            post[f"k{index}"],
            post.get(f"a{index}", "person.citizenships"),
            post.get(f"o{index}", "includes_any"),
            post.get(f"v{index}", ""),
        )
        if row.kind == "leaf" and row.op not in row.attribute.operators:
            row.op = row.attribute.operators[0]
        pick = post.get(f"p{index}", "").strip()
        if pick and picked and row.grows:
            row.value = value_text.with_country(row.attribute, row.value, pick, self.groups)
        parent = next((above for above in reversed(self.rows) if above.depth < row.depth), None)
        if parent is None or parent.kind in GROUPS:  # a group that became a constant takes what stood under it along
            self.rows.append(row)

    @cached_property
    def groups(self) -> dict[str, list[str]]:
        """The groups of countries there are, asked for once."""
        return content.country_groups()

    @property
    def past_json(self) -> str:
        return json.dumps(self.past)

    @property
    def future_json(self) -> str:
        return json.dumps(self.future)

    @property
    def shown_json(self) -> str:
        return json.dumps(self.rule())

    @property
    def as_json(self) -> str:
        """The rule as it would be exported."""
        return json.dumps(self.rule(), indent=2, ensure_ascii=False)

    @property
    def json_mark(self) -> str:
        """What tells whether somebody has changed the exported rule in its field."""
        return _mark(self.as_json)

    # -- what the buttons do -------------------------------------------------------------------------------------------

    def act(self, action: str, *, typed: str = "") -> None:
        """Carry out a button: ``add:N`` and ``group:N`` (under row N), ``remove:N``, ``up:N``, ``down:N``, ``in:N``, ``out:N``,
        ``place:N:M:above|below`` (row N beside row M), ``template:SLUG``, ``import`` (of ``typed``, a rule as JSON), ``pick:N``
        (what stands in its picker was read with the rows), ``undo`` and ``redo``.

        Raises ``Invalid`` for JSON that is no rule. Whatever changes the rows can be undone, what was typed before as well.
        """
        verb, _, name = action.partition(":")
        before = self.rule()
        if self.shown is not None and self.shown != before:
            self._remember(self.shown)
        if verb in ("undo", "redo"):
            self._go(verb)
            return
        if verb == "template":
            self.rows, self.focus = Builder.of(templates.rule_of(name)).rows, "row:0"
        elif verb == "import":
            self.focus = "json"
            self.rows, self.focus = Builder.of(_from_json(typed)).rows, "row:0"
        else:
            self._change(verb, name)
            self._write_out()
        if self.rule() != before:
            self._remember(before)

    def _remember(self, rule: Any) -> None:
        self.past, self.future = [*self.past, rule][-MOST_PAST:], []

    def _go(self, verb: str) -> None:
        source, other = (self.past, self.future) if verb == "undo" else (self.future, self.past)
        if source:
            other.append(self.rule())
            self.rows = Builder.of(source.pop()).rows
        back = "redo" if verb == "undo" else "undo"
        self.focus = verb if source else back

    def _change(self, verb: str, name: str) -> None:
        numbers = [typed_number(part) for part in name.split(":")[:2]]
        at = -1 if numbers[0] is None else numbers[0]
        there = 0 <= at < len(self.rows)
        if verb in ("add", "group"):
            if (there or not self.rows) and len(self.rows) < MAX_ROWS:
                where = tree.add(self.rows, max(at, 0), Row(0, "leaf" if verb == "add" else "any"))
                self.focus = f"row:{where}"
        elif verb == "pick":
            self.focus = f"pick:{at}"
        elif there and verb == "remove":
            del self.rows[at : tree.end(self.rows, at)]
            self.focus = f"remove:{min(at, len(self.rows) - 1)}" if self.rows else "add"
        elif there and verb in BACK:
            self._follow(tree.move(self.rows, at, verb), verb)
        elif there and verb == "place" and numbers[-1] is not None and 0 <= numbers[-1] < len(self.rows):
            self._follow(tree.place(self.rows, at, numbers[-1], below=name.endswith(":below")), "up")

    def _follow(self, at: int, verb: str) -> None:
        """The keyboard goes with the row that moved: to the same button, or to the way back where there is none."""
        possible = tree.moves(self.rows, at)
        button = next((one for one in (verb, BACK[verb]) if one in possible), "row")
        self.focus = f"{button}:{at}"

    def _write_out(self) -> None:
        """Values as they were understood, countries by their names."""
        for row in self.rows:
            if row.kind == "leaf" and row.op != "known":
                row.value = value_text.write(row.attribute, self._leaf(row)["value"])

    # -- the rule ------------------------------------------------------------------------------------------------------

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
            return self._leaf(row), at + 1
        children, index = [], at + 1
        while index < len(self.rows) and self.rows[index].depth > row.depth:
            child, index = self._node(index)
            children.append(child)
        if row.kind != "not":
            return {row.kind: children}, index
        return {"not": children[0] if len(children) == 1 else {"all": children}}, index

    def _leaf(self, row: Row) -> Any:
        if row.kind in ("true", "false"):
            return row.kind == "true"
        leaf: dict[str, Any] = {"attr": row.attr, "op": row.op}
        if row.op == "known":
            return leaf
        groups = self.groups if row.attribute.type in COUNTRY_TYPES else ()
        return leaf | {"value": value_text.read(row.attribute, row.op, row.value, groups)}

    # -- what is unfinished about it -----------------------------------------------------------------------------------

    def examine(self) -> None:
        """Note at each row where it can go, whether the keyboard goes there, and what keeps its condition from being one."""
        control, _, place = self.focus.partition(":")
        for at, row in enumerate(self.rows):
            row.moves = tree.moves(self.rows, at)
            row.focus = control if place == str(at) else ""
            row.wrong = self._wrong(self._leaf(row)) if row.kind not in GROUPS else ""

    @property
    def unfinished(self) -> bool:
        return any(row.wrong for row in self.rows)

    def finished_part(self) -> Any:
        """The rule without the conditions that are unfinished; None where nothing is left of it."""
        return self._finished(self.rule())

    def _finished(self, node: Any) -> Any:
        if isinstance(node, dict) and "not" in node:
            inner = self._finished(node["not"])
            return None if inner is None else {"not": inner}
        kind = next((kind for kind in ("all", "any") if isinstance(node, dict) and kind in node), None)
        if kind is None:
            return None if self._wrong(node) else node
        children = [child for child in map(self._finished, node[kind]) if child is not None]
        return {kind: children} if children or not node[kind] else None

    def _wrong(self, node: Any) -> str:
        try:
            language.parse(language.expand_groups(node, self.groups))
        except RuleError as error:
            return _in_words(node, *error.errors[0])
        return ""

    def told(self, errors: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """The errors of a form with those of the rule by row, as the page numbers them."""
        rows = [("rule", f"row {number}: {row.wrong}") for number, row in enumerate(self.rows, 1) if row.wrong]
        others = [error for error in errors if not (rows and error[0].startswith("rule"))]
        return [*others, *rows]


def _in_words(leaf: dict[str, Any], path: str, message: str) -> str:
    """What is wrong with a condition, naming the word that is."""
    attribute = ATTRIBUTES.get(leaf["attr"])
    if attribute is None or not path.startswith("$.value"):
        return f"it {message}"
    value = leaf["value"]
    if leaf["op"] in LIST_OPERATORS:
        place = typed_number(path.removeprefix("$.value[").removesuffix("]"))
        if place is None:
            return f"it {message}"
        value = value[place]
    if value == "":
        return "a value is missing"
    word = str(value) if len(str(value)) <= _LONGEST_QUOTE else f"{str(value)[:_LONGEST_QUOTE]}…"
    if attribute.type in COUNTRY_TYPES:
        if word.startswith(GROUP) and leaf["op"] == "is":
            return f"{word} is a group of countries, which goes with “is one of”"
        return f"“{word}” is neither a country nor a group of countries"
    return f"“{word}” {'must be yes or no' if attribute.type is Type.BOOLEAN else message}"


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


def _mark(text: str) -> str:
    return hashlib.sha256("".join(text.split()).encode(errors="replace")).hexdigest()


def _rules(text: str) -> list[Any]:
    """The rules that a form sent back, unfinished ones too; whatever has not the shape of one is forgotten."""
    try:
        found = json.loads(text) if text else []
        return [rule for rule in found if _shaped(rule, 1) and len(Builder.of(rule).rows) <= MAX_ROWS][-MOST_PAST:]
    except (ValueError, RecursionError, TypeError):
        return []


def _shaped(node: Any, depth: int) -> bool:
    """Whether rows can show it, whatever its values are."""
    if isinstance(node, bool):
        return True
    if not isinstance(node, dict) or depth > 2 * language.MAX_DEPTH:
        return False
    if set(node) in ({"all"}, {"any"}):
        children = next(iter(node.values()))
        return isinstance(children, list) and all(_shaped(child, depth + 1) for child in children)
    if set(node) == {"not"}:
        return _shaped(node["not"], depth + 1)
    attribute = ATTRIBUTES.get(node["attr"]) if isinstance(node.get("attr"), str) else None
    if attribute is None or node.get("op") not in attribute.operators:
        return False
    value = node.get("value", "")
    single = isinstance(value, str | bool)
    return all(isinstance(item, str | bool) for item in value) if isinstance(value, list) else single
