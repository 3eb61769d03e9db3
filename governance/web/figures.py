"""Figures for pages: a preview as a plan with its bar, counts broken down, the chart of one directive's first hours.

Everything is computed from what is at hand already; nothing here asks the database. Lengths are whole per mille of the
drawing's width, so that templates need no style.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

FEW = 5
_FULL = 1000


def vague(counts: Mapping[str, int]) -> dict[str, str]:
    """Counts in words for roles without the permission: small ones are hidden, and the total does not give them away.

    Where exactly one group is small, the total less the others would tell it; then the next smallest group is hidden as well.
    """
    small = {name for name, count in counts.items() if 0 < count < FEW}
    hidden = set(small)
    if len(small) == 1:
        others = sorted((count, name) for name, count in counts.items() if count >= FEW)
        hidden |= {name for _, name in others[:1]}
    words = {}
    for name, count in counts.items():
        words[name] = f"fewer than {FEW}" if name in small else f"{FEW} or more" if name in hidden else f"{count:,}"
    return words


@dataclass(frozen=True)
class Bar:
    """One group of a breakdown: the count as it may be shown, and how long its bar is (None where the length would tell)."""

    name: str
    count: int
    text: str
    width: int | None


def breakdown(counts: Mapping[str, int] | None, *, exact: bool) -> list[Bar]:
    """The groups of a breakdown, the largest first; without the permission those that are vague stand last, by name."""
    found = {name: count for name, count in (counts or {}).items() if count}
    words = {name: f"{count:,}" for name, count in found.items()} if exact else vague(found)
    most = max(found.values(), default=0)
    bars = [
        Bar(name, count, words[name], count * _FULL // most if words[name] == f"{count:,}" else None)
        for name, count in found.items()
    ]
    return sorted(bars, key=lambda bar: (bar.width is None, -bar.count if bar.width is not None else 0, bar.name))


@dataclass(frozen=True)
class Part:
    """One part of a bar: its class, where it begins and how long it is."""

    kind: str
    x: int
    width: int


@dataclass(frozen=True)
class Plan:
    """A preview as the plan shows it."""

    unchanged: int
    parts: list[Part]
    summed: str


def plan(figures: Mapping[str, Any], *, exact: bool) -> Plan:
    """The whole population as one bar: who loses access, is asked to verify, keeps it by waiver, sees no change."""
    numbers = [
        ("bar-loss", int(figures["lose_access"])),
        ("bar-unknown", int(figures["to_verify"])),
        ("bar-keep", int(figures["keep_by_waiver"])),
    ]
    others = max(int(figures["population"]) - sum(count for _, count in numbers), 0)
    unchanged = max(others - int(figures["regain_access"]), 0)
    covered, unknown = int(figures["covered"]), int(figures["unknown"])
    both = f"{covered + unknown:,} covered or unknown"
    told = f"{covered:,} covered, {unknown:,} unknown"
    summed = both if not exact and (0 < unknown < FEW or 0 < covered < FEW) else told
    return Plan(unchanged, _parts([*numbers, ("bar-same", others)]), summed)


def _parts(numbers: list[tuple[str, int]]) -> list[Part]:
    total, at, parts = sum(count for _, count in numbers), 0, []
    for kind, count in numbers:
        width = max(count * _FULL // total, 4) if count else 0
        if width:
            parts.append(Part(kind, at, max(min(width, _FULL - at) - 3, 1)))
            at += width
    return parts


# -- the chart of one directive's first hours --------------------------------------------------------------------------

_LEFT, _RIGHT, _TOP, _BOTTOM, _WIDE = 46, 736, 52, 210, 760
_NEAR = 118  # labels nearer than this stand in different rows
_LONGEST = timedelta(days=3)


@dataclass(frozen=True)
class Mark:
    """An event on the time axis: where its line and its label stand."""

    x: int
    y: int
    text_x: int
    anchor: str
    title: str
    at: datetime


@dataclass(frozen=True)
class Exposure:
    """How many people whom the directive covers could still use a model: all until the commit, then nobody."""

    people: int
    half: str
    start: datetime
    end: datetime
    active: datetime
    top: int
    middle: int
    bottom: int
    left: int
    right: int
    drop: int
    marks: list[Mark]


def exposure(
    events: list[tuple[str, datetime | None]], active: datetime | None, people: int, now: datetime
) -> Exposure | None:
    """The chart for a directive in force; ``events`` are what came before the commit, in order.

    It begins with the letter, or, where the letter came days before, with what followed: a flat week says nothing.
    """
    if active is None or not people:
        return None
    known = [(title, at) for title, at in events if at is not None and at <= active]
    shown = [(title, at) for title, at in known if active - at <= _LONGEST]
    if not shown:
        return None
    start = shown[0][1]
    lead = max(active - start, timedelta(minutes=1))
    end = min(now, active + lead / 2) if now - active < lead / 4 else active + lead / 3
    end = max(end, active + lead / 6)
    across = (end - start).total_seconds()

    def x(at: datetime) -> int:
        return _LEFT + round((_RIGHT - _LEFT) * (at - start).total_seconds() / across)

    marks = _marks([*shown, ("In force", active)], x)
    half = people / 2
    return Exposure(
        people, f"{half:,.0f}" if people % 2 == 0 else "", start, end, active,
        _TOP, (_TOP + _BOTTOM) // 2, _BOTTOM, _LEFT, _RIGHT, x(active), marks,
    )  # fmt: skip


def _marks(events: list[tuple[str, datetime]], x: Any) -> list[Mark]:
    """Labels side by side where there is room, else in rows one above the other."""
    marks: list[Mark] = []
    rows: dict[int, int] = {}
    for title, at in events:
        where = x(at)
        row = next((row for row in range(3) if where - rows.get(row, -_NEAR) >= _NEAR), 2)
        rows[row] = where
        last = where > _WIDE - _NEAR
        marks.append(
            Mark(where, 14 + 14 * row, where - 5 if last else where + 5, "end" if last else "start", title, at)
        )
    return marks
