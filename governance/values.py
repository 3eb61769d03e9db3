"""Reading single values that people wrote: text, whole numbers, times, JSON values.

Files, forms and commands all bring values that no column can hold. Each is judged here, before it meets a set, a digest or
the database, and the refusal says what would be right. Whoever reads adds the path.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from datetime import date, datetime
from typing import Any

from django.db.models import Model
from django.utils.dateparse import parse_datetime

# PostgreSQL and Python both reach further; between these years every zone's local time lies in the calendar of both.
FIRST_YEAR, LAST_YEAR = 1900, 9998
LARGEST_JSON_INTEGER = 2**53 - 1  # RFC 8785 admits no larger: JSON readers disagree about them
LARGEST_INTEGER = 2**31 - 1  # a database integer
MAX_DEPTH = 60
MAX_NODES = 200_000


class Unfit(ValueError):
    """A value is not acceptable. ``path`` leads to the place inside it: empty, or beginning with a dot or a bracket."""

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(reason)
        self.reason = reason
        self.path = path


def longest(model: type[Model], name: str) -> int:
    """How many characters a field holds."""
    limit = getattr(model._meta.get_field(name), "max_length", None)
    assert isinstance(limit, int), f"{model.__name__}.{name} has no limit"
    return limit


def storable(value: str) -> bool:
    """Whether the database could hold it: no NUL, no half of a surrogate pair."""
    return "\x00" not in value and value == value.encode("utf-8", "ignore").decode()


def text(value: object, limit: int | None = None) -> str:
    """Text that can be stored, of ``limit`` characters at most."""
    if not isinstance(value, str):
        raise Unfit("must be text")
    if not storable(value):
        raise Unfit("holds a character that cannot be stored")
    if limit is not None and len(value) > limit:
        raise Unfit(f"is longer than {limit} characters")
    return value


def one_of(value: object, known: Collection[str], what: str) -> str:
    """A name among those known, such as a slug. ``what`` is the kind of thing it names."""
    name = text(value)
    if name not in known:
        raise Unfit(f"there is no {what} {name}")
    return name


def whole_number(value: object, least: int, most: int = LARGEST_INTEGER) -> int:
    """A whole number within bounds; true and false are none."""
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        raise Unfit(f"must be a whole number from {least} to {most}")
    return value


def typed_number(typed: str, digits: int = 9) -> int | None:
    """The whole number that was typed, or ``None``: other characters, or more digits than any number asked for has."""
    return int(typed) if typed.isdecimal() and len(typed) <= digits else None


def moment(value: object) -> datetime:
    """A time with its zone, as text or as YAML reads it, that a calendar can show in every zone."""
    try:
        found = value if isinstance(value, datetime) else parse_datetime(value) if isinstance(value, str) else None
        if found is None or found.utcoffset() is None:
            raise ValueError
    except (ValueError, OverflowError):
        raise Unfit("must be a time with its zone, such as 2026-06-12T17:21:00-04:00") from None
    if not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise Unfit(f"must lie in the years {FIRST_YEAR} to {LAST_YEAR}")
    return found


def plain(value: object) -> Any:
    """The value as JSON values that can be stored and digested. YAML's unquoted dates and times become their text.

    Raises ``Unfit`` with the path of the first place that JSON cannot hold, or not the same everywhere.
    """
    return _Plain().read(value, "", 0)


class _Plain:
    """One walk through a value. YAML's anchors can make a small file endless: depth and nodes are counted."""

    def __init__(self) -> None:
        self.nodes = 0

    def read(self, value: object, path: str, depth: int) -> Any:
        self.nodes += 1
        if depth > MAX_DEPTH or self.nodes > MAX_NODES:
            raise Unfit("is nested too deeply or holds too much", path[:200])
        if isinstance(value, Mapping):
            return {
                self._name(name, path): self.read(held, f"{path}.{name}", depth + 1) for name, held in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.read(held, f"{path}[{index}]", depth + 1) for index, held in enumerate(value)]
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, date):  # a datetime is one
            return value.isoformat()
        try:
            return _scalar(value)
        except Unfit as unfit:
            raise Unfit(unfit.reason, path) from None

    def _name(self, name: object, path: str) -> str:
        try:
            return text(name)
        except Unfit:
            raise Unfit("has a name that is not text", path) from None


def _scalar(value: object) -> str | int | float:
    if isinstance(value, str):
        return text(value)
    if isinstance(value, int):
        if abs(value) > LARGEST_JSON_INTEGER:
            raise Unfit("is a number too large for JSON")
        return value
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Unfit("is not a number that JSON knows")
        return value
    raise Unfit("must be text, a number, true, false, a list or a mapping")
