"""The rows of a rule that is being written: a tree as a list with depths, and the ways in which rows move through it.

Every move gives the place where its row stands afterwards, so that the keyboard can follow it.
"""

from __future__ import annotations

from dataclasses import dataclass

from governance.rules.attributes import ATTRIBUTES, LIST_OPERATORS, Attribute, Type
from governance.web.value_text import COUNTRY_TYPES

GROUPS = ("all", "any", "not")
OPERATOR_WORDS = {
    "is": "is", "in": "is one of", "includes_any": "include any of", "includes_all": "include all of",
    "within": "include nothing but", "before": "is before", "on_or_after": "is on or after", "known": "is known",
}  # fmt: skip
BACK = {"up": "down", "down": "up", "in": "out", "out": "in"}
"""The way back from each move."""


@dataclass
class Row:
    """One row: ``kind`` is a group, ``leaf``, ``true`` or ``false``; ``value`` is text as typed."""

    depth: int
    kind: str
    attr: str = "person.citizenships"
    op: str = "includes_any"
    value: str = ""
    count: str = ""  # of how many people it is true, in words, once counted
    wrong: str = ""  # what is unfinished about it, once examined
    moves: tuple[str, ...] = ()  # where it can go, once examined
    focus: str = ""  # which of its controls the keyboard goes to

    @property
    def attribute(self) -> Attribute:
        return ATTRIBUTES.get(self.attr, ATTRIBUTES["person.citizenships"])

    @property
    def operators(self) -> list[tuple[str, str]]:
        return [(op, OPERATOR_WORDS[op]) for op in self.attribute.operators]

    @property
    def grows(self) -> bool:
        """Whether it holds a list of countries, which the picker adds to."""
        return self.kind == "leaf" and self.attribute.type in COUNTRY_TYPES and self.op in LIST_OPERATORS

    @property
    def hint(self) -> str:
        if self.attribute.choices:
            return ", ".join(self.attribute.choices)
        many = "United States, United Kingdom" if self.op in LIST_OPERATORS else "United States"
        return {
            Type.COUNTRY: many, Type.COUNTRIES: many, Type.BOOLEAN: "yes or no", Type.DATE: "2026-06-12",
        }.get(self.attribute.type, "")  # fmt: skip


def end(rows: list[Row], at: int) -> int:
    """The index after the last row under ``at``."""
    after = at + 1
    while after < len(rows) and rows[after].depth > rows[at].depth:
        after += 1
    return after


def _before(rows: list[Row], at: int) -> int | None:
    """The row before ``at`` in the same group, if one is."""
    before = at - 1
    while before >= 0 and rows[before].depth > rows[at].depth:
        before -= 1
    return before if before >= 0 and rows[before].depth == rows[at].depth else None


def moves(rows: list[Row], at: int) -> tuple[str, ...]:
    """The moves that change anything for the row."""
    before, after = _before(rows, at), end(rows, at)
    found = {
        "up": before is not None,
        "down": after < len(rows) and rows[after].depth == rows[at].depth,
        "out": rows[at].depth > 1,
        "in": before is not None and rows[before].kind in GROUPS,
    }
    return tuple(verb for verb, possible in found.items() if possible)


def move(rows: list[Row], at: int, verb: str) -> int:
    """Move a row with all under it one step up, down, out of its group or into the group before it."""
    if verb not in moves(rows, at):
        return at
    after = end(rows, at)
    if verb == "down":
        following = end(rows, after)
        rows[at:following] = rows[after:following] + rows[at:after]
        return at + following - after
    if verb == "up":
        before = _before(rows, at)
        assert before is not None
        rows[before:after] = rows[at:after] + rows[before:at]
        return before
    if verb == "in":
        for row in rows[at:after]:
            row.depth += 1
        return at
    parent = at - 1
    while rows[parent].depth >= rows[at].depth:
        parent -= 1
    return place(rows, at, parent, below=True, inside=False)


def place(rows: list[Row], at: int, to: int, *, below: bool, inside: bool = True) -> int:
    """Put a row with all under it before or after another; ``inside``: below a group means as the first in it.

    Nothing leaves the outermost group, and nothing goes into itself.
    """
    after = end(rows, at)
    if at == 0 or at <= to < after:
        return at
    into = to == 0 or (below and inside and rows[to].kind in GROUPS)
    where = to + 1 if into else end(rows, to) if below else to
    moved = rows[at:after]
    deeper = rows[to].depth + into - rows[at].depth
    for row in moved:
        row.depth += deeper
    del rows[at:after]
    where -= len(moved) if where > at else 0
    rows[where:where] = moved
    return where


def add(rows: list[Row], under: int, row: Row) -> int:
    """Put a new row at the end of a group, which is made where none is."""
    if not rows or (len(rows) == 1 and rows[0].kind in ("true", "false")):
        rows[:], under = [Row(0, "all")], 0  # whoever adds a condition no longer means everybody, or nobody
    if rows[under].kind not in GROUPS:
        for inner in rows[under : end(rows, under)]:
            inner.depth += 1
        rows.insert(under, Row(rows[under].depth - 1, "all"))
    row.depth = rows[under].depth + 1
    where = end(rows, under)
    rows.insert(where, row)
    return where
