"""Reading the directive form: the same shapes, and the same reader, as a scenario file."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.http import QueryDict
from django.utils.dateparse import parse_datetime

from governance import values
from governance.directives.content import DirectiveStatement, Reader, VersionStatement
from governance.directives.files import REFERENCE
from governance.directives.models import Directive, DirectiveKind
from governance.rules.attributes import ATTRIBUTES
from governance.web import value_text
from governance.web.builder import Builder


def version_source(post: QueryDict, builder: Builder | None = None) -> dict[str, Any]:
    """The form's version as a mapping, as a file would state it; ``builder``: its rule after a button was pressed."""
    unknown: dict[str, Any] = {"then": post.get("unknown", "deny")}
    if unknown["then"] == "verify":
        hours = post.get("hours", "")
        number = values.typed_number(hours)
        unknown["hours"] = hours if number is None else number
    scope = []
    for slug in post.getlist("model"):
        chosen = post.getlist(f"cap-{slug}")
        scope.append({"model": slug, "capabilities": "all" if post.get(f"caps-{slug}", "all") == "all" else chosen})
    return {
        "rule": (builder or Builder.from_post(post)).rule(),
        "scope": scope,
        "include_derived": post.get("include_derived") == "on",
        "on_unknown": unknown,
        "effect": post.get("effect", "deny"),
        "waivable": post.get("waivable") or None,
        "legal_basis": post.get("legal_basis", ""),
        "effective_at": typed_time(post.get("effective_at", "")),
        "expires_at": typed_time(post.get("expires_at", "")),
        "replaces": post.get("replaces") or None,
        "waivers": post.get("waivers", "keep"),
        "restart_verify": post.get("restart_verify") == "on",
        "definitions": post.get("definitions", ""),
    }


def typed_time(value: str) -> str:
    """A ``datetime-local`` value in the zone the pages show, with that zone."""
    try:
        moment = parse_datetime(value) if value else None
    except ValueError:
        moment = None
    if moment is None:
        return value
    return (moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(settings.DISPLAY_TIME_ZONE))).isoformat()


def _by_field(errors: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """Errors under the names that the form's fields have."""
    return [(path.lstrip(".").removeprefix("on_unknown."), message) for path, message in errors]


def read_title(post: QueryDict) -> str | None:
    """The title the form of a draft states, if any. Raises ``Invalid`` if it is none."""
    reader = Reader(models={}, capabilities={})
    title = reader.text(dict(post.items()), "title", "", limit=values.longest(Directive, "title"))
    reader.errors = _by_field(reader.errors)
    reader.finish("The title")
    return title or None


def read_version(post: QueryDict, builder: Builder | None = None) -> VersionStatement:
    """The version the form states. Raises ``Invalid`` with every error's path."""
    reader = Reader.of_catalog()
    statement = reader.version(version_source(post, builder), "")
    reader.errors = _by_field(reader.errors)
    reader.finish("The version")
    return statement


def read_directive(post: QueryDict) -> DirectiveStatement:
    """The new directive the form states. Raises ``Invalid`` with every error's path."""
    reader = Reader.of_catalog()
    version = reader.version(version_source(post), "")
    reference = reader.text(
        dict(post.items()), "reference", "", required=True, limit=values.longest(Directive, "reference")
    )
    if reference and not REFERENCE.fullmatch(reference):
        reader.error("reference", "may hold letters, digits, dots, dashes and underscores")
    if reference and Directive.objects.filter(reference=reference).exists():
        reader.error("reference", "is taken")
    source = dict(post.items()) | {
        "received_at": typed_time(post.get("received_at", "")),
        "comply_by": typed_time(post.get("comply_by", "")),
    }
    statement = DirectiveStatement(
        reference=reference,
        title=reader.text(source, "title", "", required=True, limit=values.longest(Directive, "title")),
        version=version,
        kind=reader.choice(source, "kind", "", DirectiveKind, DirectiveKind.ORDER),
        authority=reader.text(source, "authority", "", limit=values.longest(Directive, "authority")),
        received_at=reader.time(source, "received_at", ""),
        comply_by=reader.time(source, "comply_by", ""),
        comply_immediately=post.get("comply_immediately") == "on",
        position=reader.text(source, "position", ""),
    )
    reader.errors = _by_field(reader.errors)
    reader.finish("The directive")
    return statement


def read_facts(post: QueryDict) -> dict[str, Any]:
    """The facts of a test person: a field for each attribute, blank where it is unknown, ``none`` for an empty list."""
    facts: dict[str, Any] = {}
    for name, attribute in ATTRIBUTES.items():
        text = post.get(f"fact-{name}", "").strip()
        if text:
            facts[name] = value_text.read_fact(attribute, text)
    return facts
