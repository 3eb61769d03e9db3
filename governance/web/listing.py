"""One way for every list: filters, sort and keyset paging in SQL, all of it in the address.

Keyset paging compares the sort value and the primary key with those of the last row shown, so a page costs the same wherever it
lies and rows that come or go shift nothing.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.core.exceptions import FieldDoesNotExist, ValidationError
from django.db.models import F, Model, Q, QuerySet
from django.http import HttpRequest

PAGE = 50
_LONGEST = 2_000  # characters of a cursor; a sort value and a key are far shorter
Filter = Callable[[QuerySet[Any], str], QuerySet[Any]]


@dataclass
class Page:
    """One page of a list as templates show it; ``before`` and ``after`` are cursors for the address."""

    rows: list[Any]
    total: int
    sort: str
    filters: dict[str, str] = field(default_factory=dict)
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class View:
    """A saved view above a list: a name for some filters, with how many there are where that is counted."""

    text: str
    filters: Mapping[str, str]
    number: int | str | None = None
    icon: str = ""


@dataclass(frozen=True)
class Select:
    """A filter of a list with its choices: values with their labels. ``label`` is what is chosen among, such as *state*."""

    name: str
    label: str
    options: Iterable[tuple[Any, Any]]

    @classmethod
    def of(cls, name: str, label: str, values: Iterable[Any]) -> Select:
        """Where each value is its own label."""
        return cls(name, label, [(value, value) for value in values])


@dataclass(frozen=True)
class Listing:
    """A list's whitelist: ``sorts`` maps names in the address to fields, ``filters`` to functions on the queryset."""

    sorts: Mapping[str, str]
    default: str
    filters: Mapping[str, Filter] = field(default_factory=dict)

    def page(self, request: HttpRequest, queryset: QuerySet[Any], *, total: int | None = None) -> Page:
        """``total`` is how many there are without a filter, where the caller has counted them."""
        chosen = {name: request.GET.get(name, "").replace("\x00", "").strip()[:200] for name in self.filters}
        for name, apply in self.filters.items():
            if chosen[name]:
                queryset = apply(queryset, chosen[name])
        sort = request.GET.get("sort", self.default)
        if sort.removeprefix("-") not in self.sorts:
            sort = self.default
        if total is None or any(chosen.values()):
            total = queryset.count()
        rows, before, after = self._window(request, queryset, sort)
        return Page(rows, total, sort, chosen, before, after)

    def _window(self, request: HttpRequest, queryset: QuerySet[Any], sort: str) -> tuple[list[Any], str, str]:
        name, descending = self.sorts[sort.removeprefix("-")], sort.startswith("-")
        backwards = "before" in request.GET
        cursor = _decode(request.GET.get("before" if backwards else "after", ""))
        reverse = descending is not backwards
        if cursor is not None:
            try:
                queryset = queryset.filter(_beyond(name, cursor, reverse, _nullable(queryset.model, name)))
            except (ValueError, TypeError, ValidationError):
                cursor = None  # not a cursor of this list: begin at the first page
        # PostgreSQL's own place for NULL, after every value: an index on the field then serves both directions.
        order: list[Any] = [F(name).desc(), "-pk"] if reverse else [F(name).asc(), "pk"]
        rows = list(queryset.order_by(*order)[: PAGE + 1])
        more = len(rows) > PAGE
        rows = rows[:PAGE]
        if backwards:
            rows.reverse()
        if not rows:
            return rows, "", ""
        earlier = more if backwards else cursor is not None
        later = True if backwards else more
        return rows, _encode(rows[0], name) if earlier else "", _encode(rows[-1], name) if later else ""


def _beyond(name: str, cursor: Sequence[Any], reverse: bool, nullable: bool) -> Q:
    """Rows after the cursor. NULL sorts after every value, and so before them when the order is reversed."""
    value, key = cursor
    step = "lt" if reverse else "gt"
    if name == "pk":
        return Q(**{f"pk__{step}": key})
    further = Q(**{f"pk__{step}": key})
    if value is None:
        same = Q(**{f"{name}__isnull": True}) & further
        return same | Q(**{f"{name}__isnull": False}) if reverse else same
    # The first condition alone bounds the range, so that an index begins there and not at the list's end.
    beyond = Q(**{f"{name}__{step}e": value}) & (Q(**{f"{name}__{step}": value}) | further)
    return beyond | Q(**{f"{name}__isnull": True}) if nullable and not reverse else beyond


def _nullable(model: type[Model], name: str) -> bool:
    """Whether a sort may meet NULL on its way; an annotation may."""
    for part in name.split("__"):
        try:
            found = model._meta.get_field(part)
        except FieldDoesNotExist:
            return name != "pk"
        if getattr(found, "null", True):
            return True
        model = found.related_model if isinstance(found.related_model, type) else model
    return False


def _encode(row: Model, name: str) -> str:
    value: Any = row
    for part in name.split("__"):
        value = getattr(value, part, None)
    text = value.isoformat() if hasattr(value, "isoformat") else value
    return base64.urlsafe_b64encode(json.dumps([text, row.pk]).encode()).decode().rstrip("=")


def _decode(text: str) -> Sequence[Any] | None:
    """A cursor from the address; anything that is none begins at the first page."""
    try:
        found = json.loads(base64.urlsafe_b64decode(text[:_LONGEST] + "=" * (-len(text[:_LONGEST]) % 4)))
    except (ValueError, RecursionError):
        return None
    if not (isinstance(found, list) and len(found) == 2):
        return None
    value, key = found
    parts = key if isinstance(key, list) else [key]  # a composite key has several
    if not all(map(_storable, [value, *parts])) or None in parts:
        return None
    return value, tuple(parts) if isinstance(key, list) else key


def _storable(value: Any) -> bool:
    """Whether the database could hold it: no NUL, no half of a surrogate pair."""
    if isinstance(value, str):
        return "\x00" not in value and value == value.encode("utf-8", "ignore").decode()
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def equals(name: str) -> Filter:
    return lambda queryset, value: queryset.filter(**{name: value})


def contains(*names: str) -> Filter:
    def apply(queryset: QuerySet[Any], value: str) -> QuerySet[Any]:
        wanted = Q()
        for name in names:
            wanted |= Q(**{f"{name}__icontains": value})
        return queryset.filter(wanted)

    return apply
