"""Audiences: who may use what when no directive says otherwise, edited by the stewards of the models."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from governance.catalog.changes import What
from governance.catalog.models import Audience
from governance.enforcement import audiences, change_words
from governance.enforcement import policy as policies
from governance.enforcement.models import HeldChange
from governance.enforcement.services import audiences as services
from governance.enforcement.services.catalog import what_loosens
from governance.errors import Invalid, NotFound, PermissionRefused, Refused, WrongState
from governance.rules import english, language
from governance.rules.attributes import ATTRIBUTES
from governance.rules.countries import COUNTRIES
from governance.web import guarded
from governance.web.builder import GROUP_WORDS, Builder
from governance.web.http import Visit
from governance.web.templatetags.portcullis import field_name


def listing(request: Visit) -> HttpResponse:
    """Every audience that the account may see, with the models that use it."""
    slugs = list(Audience.objects.order_by("slug").values_list("slug", flat=True))
    standing = audiences.standing(request.actor, slugs)
    seen = [slug for slug in slugs if standing[slug].sees]
    if not seen and not request.actor.has("view_directives"):
        raise PermissionRefused("Audiences are seen by stewards of models, and by those who view directives.")
    rules = dict(Audience.objects.values_list("slug", "rule"))
    used = audiences.using(seen)
    held = set(HeldChange.objects.filter(what=What.AUDIENCE).values_list("key", flat=True))
    rows = [
        {
            "slug": slug, "sentence": english.sentence(language.parse(rules[slug])), "models": used[slug],
            "edits": standing[slug].edits, "held": slug in held,
        }
        for slug in seen
    ]  # fmt: skip
    return render(request, "audiences/list.html", {"rows": rows})


def _find(request: Visit, slug: str) -> tuple[Audience, audiences.Standing]:
    audience = Audience.objects.filter(slug=slug).first()
    standing = audiences.standing(request.actor, [slug])[slug]
    if audience is None or not standing.sees:
        raise NotFound(f"There is no audience {slug}.")
    return audience, standing


def detail(request: Visit, slug: str) -> HttpResponse:
    """One audience; for its editors with a form, and what the rule in it would open and close."""
    audience, standing = _find(request, slug)
    if request.method != "POST":
        return render(
            request, "audiences/detail.html", _context(request, audience, standing, Builder.of(audience.rule))
        )
    services.require_editor(slug, standing)
    builder = Builder.from_post(request.POST)
    try:
        if "do" in request.POST:
            builder.act(request.POST["do"], typed=request.POST.get("json", ""))
            return _again(request, audience, standing, builder)
        held = services.change_audience(
            actor=request.actor, slug=slug, rule=builder.rule(), seen=request.POST.get("seen", "")
        )
    except (Invalid, WrongState) as refusal:
        return _again(request, audience, standing, builder, refusal)
    messages.success(
        request,
        "Held for a second person. What it restricts is restricted now." if held else "Saved. It is in force.",
    )
    return redirect("audience", slug=slug)


@require_POST
def preview(request: Visit, slug: str) -> HttpResponse:
    """What stands beside the form, for what is typed now; stores nothing."""
    audience, standing = _find(request, slug)
    services.require_editor(slug, standing)
    builder = Builder.from_post(request.POST, picked=False)
    return render(request, "audiences/_live.html", _context(request, audience, standing, builder))


def _again(
    request: Visit, audience: Audience, standing: audiences.Standing, builder: Builder, refusal: Refused | None = None
) -> HttpResponse:
    context = _context(request, audience, standing, builder) | {"values": request.POST}
    if refusal is not None:
        errors = list(refusal.errors) if isinstance(refusal, Invalid) else []
        told = builder.told(errors) if "do" not in request.POST else errors
        context["errors"] = told or [("", refusal.reason)]
        context["wrong"] = {field: f"{field_name(field)} {words}" for field, words in errors}
    if request.headers.get("HX-Target") == "builder":
        return render(request, "audiences/_builder_answer.html", context)
    status = 200 if refusal is None else 409 if isinstance(refusal, WrongState) else 422
    return render(request, "audiences/detail.html", context, status=status)


def _context(request: Visit, audience: Audience, standing: audiences.Standing, builder: Builder) -> dict[str, Any]:
    held = HeldChange.objects.filter(what=What.AUDIENCE, key=audience.slug).first()
    context: dict[str, Any] = {
        "audience": audience,
        "sentence": english.sentence(language.parse(audience.rule)),
        "models": audiences.using([audience.slug])[audience.slug],
        "standing": standing,
        "held": held,
        "held_as": change_words.sides(held)[1] if held else "",
    }
    if not standing.edits:
        return context
    builder.examine()
    for row, count in zip(builder.rows, guarded.counts(request.actor, builder.parts()), strict=True):
        row.count = count
    return context | {
        "builder": builder,
        "seen": request.POST.get("seen") or audiences.digest_of(audience),
        "attributes": list(ATTRIBUTES.values()),
        "group_words": GROUP_WORDS.items(),
        "countries": sorted(COUNTRIES.items(), key=lambda pair: pair[1]),
        "anchors": ["rule"],
        "values": {},
        "action": reverse("audience", args=[audience.slug]),
        "live": reverse("audience-preview", args=[audience.slug]),
        "told": _told(request, audience, builder),
    }


def _told(request: Visit, audience: Audience, builder: Builder) -> dict[str, Any] | None:
    """What the rule in the form would do; None while it is none. Sensitive values are not asked out by figures (decision 0012)."""
    try:
        rule = services.read_rule(builder.rule())
    except Invalid:
        return None
    told = {"sentence": english.sentence(language.parse(rule)), "same": rule == audience.rule}
    change = audiences.change_of(audience, rule)
    told["waits"] = bool(list(what_loosens([change], policies.read(), after={audience.slug: rule})))
    asks = any(language.uses_sensitive(language.parse(each)) for each in (rule, audience.rule))
    told["hidden"] = asks and not request.actor.has("reveal_sensitive")
    return told if told["hidden"] or told["same"] else told | {"effect": audiences.effect(audience, rule)}
