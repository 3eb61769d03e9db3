"""Odd values, and documents with one of them somewhere: what a hand-written file may hold."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

from hypothesis import strategies as st

ODD_TEXT = [
    "", " ", "²", "9" * 5_000, "a" * 301, "\ud800", "\x00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00",
    "2026-13-45T00:00:00Z", "none", "../letter.txt", "group:\udfff", "immediately", "p/q", "<b>",
]  # fmt: skip
ODD = [
    *ODD_TEXT, None, True, False, 0, -1, 2**31, 2**53, 99999999999999999999, 10**5_000, 1.5, float("nan"), float("inf"),
    date(2026, 1, 1), date(1, 1, 1), datetime(2026, 1, 1), datetime(9999, 12, 31, tzinfo=UTC), b"bytes", {1, 2},
    [], {}, [[]], ["use"], [["use"]], [{}], {"then": ["verify"]}, {1: 2}, {None: "x"}, {"\ud800": 1}, {"a": float("nan")},
]  # fmt: skip
Path = tuple[Any, ...]


def places(node: Any, path: Path = ()) -> Iterator[Path]:
    """The path of everything in a document, the document itself left out."""
    steps = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, held in steps:
        yield (*path, step)
        yield from places(held, (*path, step))


def values() -> st.SearchStrategy[Any]:
    """An odd value, or something random that YAML could bring."""
    leaf = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.dates()
    names = st.text(max_size=5) | st.integers()
    nested = st.recursive(
        leaf, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=3), max_leaves=5
    )
    odd = st.sampled_from(ODD).map(copy.deepcopy)
    return odd | odd | nested


@st.composite
def changed(draw: st.DrawFn, document: dict[str, Any]) -> dict[str, Any]:
    """The document with one place or two replaced, removed or given a neighbour: one refusal must not hide a breakdown."""
    found = copy.deepcopy(document)
    for _ in range(draw(st.sampled_from([1, 1, 1, 2]))):
        everywhere = list(places(found))
        if not everywhere:
            break
        *way, last = draw(st.sampled_from(everywhere))
        holder: Any = found
        for step in way:
            holder = holder[step]
        _change(holder, last, draw(st.sampled_from(["replace"] * 4 + ["remove", "insert", "twice"])), draw(values()))
    return found


def _change(holder: Any, last: Any, how: str, value: Any) -> None:
    if how == "remove":
        del holder[last]
    elif how == "replace":
        holder[last] = value
    elif isinstance(holder, list):
        holder.insert(last, copy.deepcopy(holder[last]) if how == "twice" else value)
    else:
        holder[value if isinstance(value, str | int | float | None) else "odd"] = value
