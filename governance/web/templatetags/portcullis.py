"""Template tags for the pages: icons, badges, times with a zone, numbers, addresses that keep their filters."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from governance.rules.countries import COUNTRIES

register = template.Library()

TONES = {
    "draft": "none", "submitted": "info", "approved": "info", "active": "ok", "in_force": "ok", "suspended": "warn",
    "rescinded": "none", "expired": "none", "superseded": "none", "ended": "none", "rejected": "none",
    "withdrawn": "none", "open": "info", "waiting": "none", "closed": "none", "queued": "info", "running": "info",
    "paused": "warn", "finished": "ok", "cancelled": "none", "departed": "none", "on_leave": "none", "done": "ok",
}  # fmt: skip
_SMALL = 5


@register.simple_tag
def icon(name: str) -> SafeString:
    """An icon of the sprite; decorative, so words always stand beside it."""
    return format_html('<svg class="i" aria-hidden="true"><use href="{}#{}"></use></svg>', static("icons.svg"), name)


@register.simple_tag
def badge(text: Any, tone: str = "none", name: str = "") -> SafeString:
    """A word with a tone, and an icon if it helps."""
    picture = icon(name) if name else ""
    return format_html('<span class="badge tone-{}">{}{}</span>', tone, picture, text)


@register.filter
def tone(state: str) -> str:
    return TONES.get(str(state), "none")


def local(moment: datetime) -> datetime:
    return moment.astimezone(ZoneInfo(settings.DISPLAY_TIME_ZONE))


def _zone(moment: datetime) -> str:
    name = moment.tzname() or ""
    return {"EST": "Eastern", "EDT": "Eastern"}.get(name, name)


def clock(moment: datetime) -> str:
    return f"{moment:%-I:%M} {'a.m.' if moment.hour < 12 else 'p.m.'}"


@register.filter
def at(moment: datetime | None) -> SafeString | str:
    """A time with its zone: *Fri 12 June 2026, 5:21 p.m. Eastern*."""
    if moment is None:
        return "–"
    here = local(moment)
    return format_html('<time datetime="{}">{}</time>', moment.isoformat(), words(here))


def words(here: datetime) -> str:
    return f"{here:%a %-d %B %Y}, {clock(here)} {_zone(here)}"


@register.filter
def exact_at(moment: datetime) -> SafeString:
    """A time to the second with its zone, for the record."""
    here = local(moment)
    text = f"{here:%-d %b %Y, %-I:%M:%S} {'a.m.' if here.hour < 12 else 'p.m.'} {_zone(here)}"
    return format_html('<time class="nowrap" datetime="{}">{}</time>', moment.isoformat(), text)


@register.filter
def short_at(moment: datetime | None) -> SafeString | str:
    """A time for tables: the clock alone today, the day otherwise."""
    if moment is None:
        return "–"
    here, now = local(moment), local(timezone.now())
    if here.date() == now.date():
        text = f"Today, {clock(here)}"
    elif here.year == now.year:
        text = f"{here:%-d %b}, {clock(here)}"
    else:
        text = f"{here:%-d %b %Y}"
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), words(here), text)


@register.filter
def number(value: Any) -> str:
    return "–" if value is None else f"{int(value):,}"


@register.filter
def country(code: str | None) -> str:
    return COUNTRIES.get(code or "", code or "not on record")


_KINDS = {
    "employee": "employee,employees", "contractor": "contractor,contractors", "partner": "partner user,partner users",
    "government": "government user,government users", "customer": "customer,customers",
}  # fmt: skip


@register.filter
def kinds(counts: dict[str, int] | None) -> str:
    """Counts by kind of person in words: *11 employees, 2 contractors*."""
    found = sorted((counts or {}).items(), key=lambda pair: -pair[1])
    return ", ".join(f"{number(count)} {plural(count, _KINDS[kind])}" for kind, count in found if count)


@register.filter
def act(action: str) -> str:
    """What an entry tells of, in words: *run.chunk_done* is *Run: chunk done*."""
    subject, _, what = action.partition(".")
    return f"{subject.capitalize()}: {what.replace('_', ' ')}"


@register.filter
def plural(count: Any, forms: str) -> str:
    """``{{ n|plural:"person,people" }}``"""
    one, many = forms.split(",")
    return one if int(count or 0) == 1 else many


@register.simple_tag
def few(value: int, *, exact: bool) -> str:
    """A count in a breakdown; small ones stay vague for roles without the permission."""
    return number(value) if exact or value == 0 or value >= _SMALL else f"fewer than {_SMALL}"


@register.filter
def item(mapping: Any, key: Any) -> Any:
    return mapping.get(key) if mapping else None


@register.simple_tag(takes_context=True)
def query(context: template.Context, **changes: Any) -> str:
    """The address' query with changes; ``None`` or an empty value takes a name out. Paging starts anew unless it is set."""
    params = context["request"].GET.copy()
    params.pop("after", None)
    params.pop("before", None)
    for name, value in changes.items():
        if value in (None, ""):
            params.pop(name, None)
        else:
            params[name] = str(value)
    return f"?{params.urlencode()}"
