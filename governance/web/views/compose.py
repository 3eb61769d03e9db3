"""Composing: the rule builder with the live preview beside it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from governance.catalog.models import AIModel
from governance.directives import services
from governance.directives.content import VersionStatement
from governance.directives.models import (
    Directive,
    DirectiveKind,
    DirectiveVersion,
    Effect,
    Expected,
    OnUnknown,
    Waivable,
    WaiverPolicy,
)
from governance.directives.states import DirectiveState
from governance.errors import Invalid, NotFound
from governance.rules import templates
from governance.rules.attributes import ATTRIBUTES
from governance.rules.countries import COUNTRIES
from governance.web import forms, impact
from governance.web.builder import GROUP_WORDS, Builder
from governance.web.http import Visit
from governance.web.templatetags.portcullis import field_name, local

ANCHORS = [
    "reference", "title", "legal_basis", "scope", "rule", "hours", "effective_at", "expires_at", "replaces", "waivers",
    "waivers_days", "waivers_until",
]  # fmt: skip


def new(request: Visit) -> HttpResponse:
    """Draft a directive from nothing."""
    request.actor.require("draft_directives")
    if request.method != "POST":
        return render(request, "directives/compose.html", _page(request, None, _blank(), Builder.of(True)))
    builder = Builder.from_post(request.POST)
    if "do" in request.POST:
        return _again(request, None, builder, _done(builder, request.POST))
    try:
        directive = services.create_directive(actor=request.actor, statement=forms.read_directive(request.POST))
    except Invalid as refusal:
        return _again(request, None, builder, refusal)
    messages.success(request, f"{directive.reference} is saved as a draft. Nothing is applied yet.")
    return redirect("directive-edit", reference=directive.reference)


def edit(request: Visit, reference: str) -> HttpResponse:
    """Edit the draft version."""
    request.actor.require("draft_directives")
    version = _draft(reference)
    if request.method != "POST":
        statement = VersionStatement.of(version)
        return render(
            request, "directives/compose.html", _page(request, version, statement, Builder.of(statement.rule))
        )
    builder = Builder.from_post(request.POST)
    if "do" in request.POST:
        return _again(request, version, builder, _done(builder, request.POST))
    try:
        services.edit_draft(
            actor=request.actor,
            reference=reference,
            statement=forms.read_version(request.POST, builder),
            title=forms.read_title(request.POST),
            position=request.POST.get("position"),
        )
    except Invalid as refusal:
        return _again(request, version, builder, refusal)
    messages.success(request, "Saved. Nothing is applied yet.")
    return redirect("directive-edit", reference=reference)


@require_POST
def preview(request: Visit, reference: str) -> HttpResponse:
    """What stands beside the form, for what is typed now; stores nothing."""
    request.actor.require("draft_directives")
    return _live(request, _draft(reference))


@require_POST
def preview_new(request: Visit) -> HttpResponse:
    """The same for a directive that nobody has saved yet."""
    request.actor.require("draft_directives")
    return _live(request, None)


def _live(request: Visit, version: DirectiveVersion | None) -> HttpResponse:
    builder = Builder.from_post(request.POST, picked=False)
    context = {"version": version} | _beside(request, version, builder, request.POST)
    return render(request, "directives/_live.html", context)


def _beside(request: Visit, version: DirectiveVersion | None, builder: Builder, post: QueryDict) -> dict[str, Any]:
    return impact.beside(
        request.actor, version or impact.unsaved(post), builder, lambda: forms.read_version(post, builder)
    )


def _done(builder: Builder, post: QueryDict) -> Invalid | None:
    """Carry out a button of the builder; what it refuses is shown with the form as it was."""
    try:
        builder.act(post.get("do", ""), typed=post.get("json", ""))
    except Invalid as refusal:
        return refusal
    return None


def _draft(reference: str) -> DirectiveVersion:
    directive = Directive.objects.filter(reference=reference).first()
    if directive is None:
        raise NotFound(f"There is no directive {reference}.")
    return services.draft_of(directive)


def _page(
    request: Visit, version: DirectiveVersion | None, statement: VersionStatement, builder: Builder
) -> dict[str, Any]:
    """The form as it is stored, with what stands beside it."""
    about = impact.beside(request.actor, version or impact.unsaved(QueryDict()), builder, lambda: statement)
    return _context(version, builder, _stored(version, statement)) | about


def _again(
    request: Visit, version: DirectiveVersion | None, builder: Builder, refusal: Invalid | None = None
) -> HttpResponse:
    """The form as it was typed, with what is wrong with it."""
    context = _context(version, builder, _typed(request.POST)) | _beside(request, version, builder, request.POST)
    if refusal is not None:
        errors = builder.told(refusal.errors) if "do" not in request.POST else refusal.errors
        context["errors"] = errors or [("", refusal.reason)]
        context["wrong"] = {field: f"{field_name(field)} {words}" for field, words in refusal.errors}
    if request.headers.get("HX-Target") == "builder":
        return render(request, "directives/_builder_answer.html", context)
    return render(request, "directives/compose.html", context, status=422 if refusal else 200)


def _blank() -> VersionStatement:
    return VersionStatement(rule=True)


def _context(version: DirectiveVersion | None, builder: Builder, values: dict[str, Any]) -> dict[str, Any]:
    reference = [version.directive.reference] if version else []
    return {
        "version": version,
        "directive": version.directive if version else None,
        "values": values,
        "builder": builder,
        "models": _models(values),
        "attributes": list(ATTRIBUTES.values()),
        "templates": templates.TEMPLATES,
        "test_people": list(version.directive.test_people.all()) if version else [],
        "outcomes": Expected.choices,
        "group_words": GROUP_WORDS.items(),
        "countries": sorted(COUNTRIES.items(), key=lambda pair: pair[1]),
        "effects": Effect.choices,
        "kinds": DirectiveKind.choices,
        "unknowns": OnUnknown.choices,
        "waivables": Waivable.choices,
        "waiver_policies": WaiverPolicy.choices,
        "replaceable": Directive.objects.filter(state__in=[DirectiveState.ACTIVE, DirectiveState.SUSPENDED]).exclude(
            pk=version.directive_id if version else 0
        ),
        "anchors": ANCHORS,
        "action": reverse("directive-edit", args=reference) if version else reverse("directive-new"),
        "live": reverse("directive-preview", args=reference) if version else reverse("directive-new-preview"),
    }


def _typed(post: QueryDict) -> dict[str, Any]:
    values: dict[str, Any] = dict(post.items())
    values["scope"] = {
        slug: None if post.get(f"caps-{slug}", "all") == "all" else set(post.getlist(f"cap-{slug}"))
        for slug in post.getlist("model")
    }
    return values


def _stored(version: DirectiveVersion | None, statement: VersionStatement) -> dict[str, Any]:
    values: dict[str, Any] = {
        "unknown": statement.on_unknown_then,
        "hours": statement.on_unknown_hours or 72,
        "effect": statement.effect,
        "waivable": statement.waivable or "",
        "include_derived": "on" if statement.include_derived else "",
        "legal_basis": statement.legal_basis,
        "effective_at": _local_input(statement.effective_at),
        "expires_at": _local_input(statement.expires_at),
        "waivers": statement.waivers,
        "waivers_days": statement.waivers_days or "",
        "waivers_until": _local_input(statement.waivers_until),
        "scope": {},
    }
    if version is not None:
        values |= {
            "title": version.directive.title,
            "position": version.directive.position,
            "replaces": version.replaces.reference if version.replaces else "",
        }
        for item in version.scope.select_related("model", "capability"):
            if item.capability is None:
                values["scope"][item.model.slug] = None
            else:
                values["scope"].setdefault(item.model.slug, set()).add(item.capability.slug)
    return values


def _local_input(moment: Any) -> str:
    return local(moment).strftime("%Y-%m-%dT%H:%M") if moment else ""


def _models(values: dict[str, Any]) -> list[dict[str, Any]]:
    found = []
    models = (
        AIModel.objects.filter(provider__own=True).prefetch_related("model_capabilities__capability").order_by("name")
    )
    for model in models:
        chosen = values["scope"].get(model.slug, "none")
        found.append(
            {
                "slug": model.slug,
                "name": model.name,
                "checked": chosen != "none",
                "all": chosen in (None, "none"),
                "capabilities": [
                    {
                        "slug": item.capability.slug,
                        "name": item.capability.name,
                        "tier": item.capability.tier,
                        "checked": isinstance(chosen, set) and item.capability.slug in chosen,
                    }
                    for item in sorted(model.model_capabilities.all(), key=lambda item: item.capability.name)
                ],
            }
        )
    return found
