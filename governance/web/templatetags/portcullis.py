"""Template tags for the pages: icons, badges, times with a zone, numbers, addresses that keep their filters."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django import template
from django.templatetags.static import static
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from governance.accounts.rights import RIGHTS
from governance.approvals import relations as named_relations
from governance.moments import clock, local, words
from governance.moments import zone as _zone
from governance.notifications.models import Notification
from governance.rules.countries import COUNTRIES
from governance.waivers import limits as limits_of_days
from governance.web import figures, telling
from governance.web import kinds as kinds_of_request

register = template.Library()

TONES = {
    "draft": "none", "submitted": "info", "approved": "info", "active": "ok", "in_force": "ok", "suspended": "warn",
    "rescinded": "none", "expired": "none", "superseded": "none", "ended": "none", "rejected": "none", "lapsed": "none",
    "withdrawn": "none", "open": "info", "waiting": "none", "closed": "none", "queued": "info", "running": "info",
    "paused": "warn", "finished": "ok", "cancelled": "none", "departed": "none", "declined": "none", "on_leave": "none", "done": "ok",
    "accepting": "warn", "held": "warn", "released": "info", "stopped": "warn", "overtaken": "none",
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


@register.filter
def at(moment: datetime | None) -> SafeString | str:
    """A time with its zone: *Fri 12 June 2026, 5:21 p.m. Eastern*."""
    if moment is None:
        return "–"
    here = local(moment)
    return format_html('<time datetime="{}">{}</time>', moment.isoformat(), words(here))


@register.filter
def exact_at(moment: datetime) -> SafeString:
    """A time to the second with its zone, for the record."""
    here = local(moment)
    text = f"{here:%-d %b %Y, %-I:%M:%S} {'a.m.' if here.hour < 12 else 'p.m.'} {_zone(here)}"
    return format_html('<time class="nowrap" datetime="{}">{}</time>', moment.isoformat(), text)


@register.filter
def short_at(moment: datetime | None) -> SafeString | str:
    """A time for tables: the clock alone today, the day otherwise."""
    return _short(moment, "Today")


@register.filter
def when(moment: datetime | None) -> SafeString | str:
    """The same within a sentence: *asked today, 5:21 p.m.* It may end with a full stop of its own."""
    return _short(moment, "today")


def _short(moment: datetime | None, today: str) -> SafeString | str:
    if moment is None:
        return "–"
    here, now = local(moment), local(timezone.now())
    if here.date() == now.date():
        text = f"{today}, {clock(here)}"
    elif here.year == now.year:
        text = f"{here:%-d %b}, {clock(here)}"
    else:
        text = f"{here:%-d %b %Y}"
    return format_html('<time datetime="{}" title="{}">{}</time>', moment.isoformat(), words(here), text)


@register.filter
def number(value: Any) -> str:
    """A figure; one that is told in words stays as it is (``web/guarded.py``)."""
    if isinstance(value, str):
        return value
    return "–" if value is None else f"{int(value):,}"


@register.filter
def country(code: str | None) -> str:
    return COUNTRIES.get(code or "", code or "not on record")


_KINDS = {
    "employee": "employee,employees", "contractor": "contractor,contractors", "partner": "partner user,partner users",
    "government": "government user,government users", "customer": "customer,customers",
}  # fmt: skip


@register.simple_tag
def kinds(counts: dict[str, int] | None, *, exact: bool) -> str:
    """Counts by kind of person in words: *11 employees, 2 contractors*."""
    told: list[str] = []
    hidden: dict[str, list[str]] = {}
    for bar in figures.breakdown(counts, exact=exact):
        if bar.width is not None:
            told.append(f"{bar.text} {kind(bar.name, bar.count)}")
        else:
            hidden.setdefault(bar.text, []).append(kind(bar.name))  # always of several: one would tell the count
    told += [f"{text} each of {', '.join(names)}" for text, names in sorted(hidden.items())]
    return "; ".join(told) if hidden else ", ".join(told)


@register.filter
def kind(name: str, count: int = 2) -> str:
    """A kind of person in a word, of several unless it is one."""
    return plural(count, _KINDS.get(name, f"{name},{name}"))


@register.simple_tag
def breakdown(counts: dict[str, int] | None, *, exact: bool) -> list[figures.Bar]:
    return figures.breakdown(counts, exact=exact)


@register.simple_tag
def plan(preview: dict[str, Any], *, exact: bool) -> figures.Plan:
    return figures.plan(preview, exact=exact)


@register.filter
def told(entry: Any) -> str:
    """What a ledger entry tells of, in a sentence."""
    return telling.sentence(entry.action, entry.record)


@register.filter
def told_icon(entry: Any) -> str:
    return telling.icon(entry.action)


@register.filter
def told_tone(entry: Any) -> str:
    return telling.tone(entry.action)


@register.filter
def clause(sentence: str) -> str:
    """A sentence as the end of another: small at the beginning, and without its full stop."""
    return sentence[:1].lower() + sentence[1:].rstrip(".")


@register.filter
def sentence(text: str) -> str:
    """What somebody typed, as a sentence: capital at the beginning, one full stop at the end."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if not text or text[-1] in ".!?" else ".")


@register.filter
def left(moment: datetime | None) -> str:
    """How long there is until a time: *3 h 12 min left*, or *12 min late*."""
    if moment is None:
        return ""
    seconds = (moment - timezone.now()).total_seconds()
    return f"{span(abs(seconds))} {'left' if seconds >= 0 else 'late'}"


@register.filter
def is_past(moment: datetime | None) -> bool:
    return moment is not None and moment < timezone.now()


def span(seconds: float) -> str:
    """A length of time in its two largest units."""
    minutes = int(seconds // 60)
    days, hours, minutes = minutes // 1440, minutes // 60 % 24, minutes % 60
    if days:
        return f"{days} d {hours} h" if hours else f"{days} d"
    if hours:
        return f"{hours} h {minutes} min" if minutes else f"{hours} h"
    return f"{minutes} min"


@register.filter
def lasting(length: timedelta) -> str:
    """A length of time in words: *2 h 5 min*, *less than a minute*."""
    return span(length.total_seconds()) if length.total_seconds() >= 60 else "less than a minute"


@register.filter
def clock_at(moment: datetime) -> str:
    """The clock alone, for the marks of a chart."""
    return clock(local(moment))


@register.filter
def right_name(right: str) -> str:
    return RIGHTS.get(right, right)


@register.filter
def request_kind(kind: str) -> str:
    """A kind of request as pages call it."""
    return kinds_of_request.name_of(kind)


@register.filter
def plural(count: Any, forms: str) -> str:
    """``{{ n|plural:"person,people" }}``"""
    one, many = forms.split(",")
    return one if int(count or 0) == 1 else many


@register.simple_tag
def few(value: int | str, *, exact: bool) -> str:
    """A count in a breakdown; small ones stay vague for roles without the permission."""
    return number(value) if exact or isinstance(value, str) or value == 0 or value >= _SMALL else f"fewer than {_SMALL}"


@register.filter
def since_at(moment: datetime) -> str:
    here = local(moment)
    return f"Since {here:%a %-d %B}, {clock(here)} {_zone(here)}"


@register.filter
def field_name(field: str) -> str:
    """A field's name as the form shows it: *legal_basis* is *Legal basis*."""
    return field.replace("_", " ").capitalize()


@register.filter
def fault(words: str, field: str) -> str:
    """What is wrong with a field, as a sentence: services say *is required* of it, forms may say the whole."""
    return f"{field_name(field)} {words}" if words[:1].islower() else words


@register.filter
def version_fixed(version: int) -> str:
    return f"Version {version}, cannot be changed"


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


@register.filter
def relations(names: list[str]) -> str:
    """The relations that a stage names, in words."""
    known = named_relations.RELATIONS
    labels = [known[name].label if name in known else name for name in names]
    return " or ".join(label[:1].lower() + label[1:] for label in labels)


@register.filter
def limits(terms: dict[str, Any]) -> str:
    """For how long requests may ask under a version of a policy."""
    found = limits_of_days.read(terms)
    return f"For how many days: {found.in_words.lower()} {found.default_days} are proposed."


_LEADS_TO = {
    "approval": "approval", "waiver": "waiver", "break-glass": "break-glass-one", "exception": "exception",
    "ask": "my-access", "held": "held", "announcement": "announcement", "delegation": "delegations",
}  # fmt: skip
_OF_ONE = {"approval", "waiver", "break-glass", "exception", "announcement"}


@register.filter
def leads_to(told: Notification) -> str:
    """The address of the page where somebody sees what they were told of; empty where there is none."""
    what, _, key = told.subject.partition(":")
    if what == "exception-draft":
        return f"{reverse('exception-new')}?{urlencode({'draft': key})}"
    if what == "waivers-of":
        return f"{reverse('waivers')}?{urlencode({'directive': key})}"
    if what == "ask" and key.endswith(":over"):
        return ""
    if what not in _LEADS_TO:
        return ""
    return reverse(_LEADS_TO[what], args=[key] if what in _OF_ONE else None)
