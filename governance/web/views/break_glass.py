"""Break-glass: asked for by one of a few, confirmed by a second, reviewed by somebody else."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from governance.catalog.models import ModelCapability
from governance.directives.models import Directive, Waivable
from governance.directives.states import DirectiveState
from governance.enforcement import overview
from governance.enforcement.services.waivers import break_glass
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.people import queries as people
from governance.people.models import Person
from governance.values import typed_number
from governance.waivers import queries, services
from governance.waivers.models import BreakGlass, Verdict
from governance.web.frames import frame_of
from governance.web.http import Visit, status_of
from governance.web.listing import Listing, View, equals

LIST = Listing(
    sorts={"id": "pk", "opened": "opened_at"},
    default="-id",
    filters={
        "directive": equals("directive__reference"),
        "state": lambda queryset, name: queryset.filter(queries.of_break_glass(name)),
    },
)
HOURS = (1, 2, 4)
_SENTENCES = {
    ("reason", "is required"): "Say what cannot wait for approval",
    ("capabilities", "is required"): "Choose at least one",
}


def _may(request: Visit) -> None:
    if not (request.actor.has("break_glass") or request.actor.has("view_exceptions")):
        raise PermissionRefused("This page is for those who may break the glass, and for those who view exceptions.")


def listing(request: Visit) -> HttpResponse:
    _may(request)
    found = BreakGlass.objects.select_related(
        "person", "directive", "opened_by", "confirmed_by", "reviewed_by", "waiver"
    )
    context = {
        "page": LIST.page(request, found),
        "frame": frame_of(request),
        "views": [
            View("All", {}),
            View("Waiting for a second person", {"state": "asked"}),
            View("To be reviewed", {"state": "unreviewed"}),
            View("Review overdue", {"state": "overdue"}),
        ],
    }
    return render(request, "break_glass/list.html", context)


def new(request: Visit) -> HttpResponse:
    """First whom and from which directive, then what for; both work without script."""
    request.actor.require("break_glass")
    source = request.POST if request.method == "POST" else request.GET
    context = _context(source)
    person, directive = context["person"], context["directive"]
    if request.method != "POST" or person is None or directive is None:
        return render(request, "break_glass/new.html", context | {"frame": frame_of(request)})
    chosen = request.POST.getlist("item")
    try:
        asked = break_glass(
            actor=request.actor,
            reference=directive.reference,
            person_id=person.pk,
            items=[(model, capability) for model, _, capability in (name.partition("/") for name in chosen)],
            hours=typed_number(request.POST.get("hours", "")) or 0,
            reason=request.POST.get("reason", ""),
        )
    except (Invalid, PermissionRefused, WrongState) as refusal:
        found = refusal.errors if isinstance(refusal, Invalid) else []
        errors = [(field, _SENTENCES.get((field, words), words)) for field, words in found]
        context |= {"errors": errors or [("", refusal.reason)], "wrong": dict(errors)}
        context |= {"values": request.POST.dict() | {"items": chosen}, "frame": frame_of(request)}
        return render(request, "break_glass/new.html", context, status=status_of(refusal))
    messages.success(request, "Asked for. Nothing is open until a second person confirms it, within 15 minutes.")
    return redirect("break-glass-one", break_glass_id=asked.pk)


def _context(source: Any) -> dict[str, Any]:
    typed = source.get("person", "").replace("\x00", "").strip()[:200]
    found: list[Person] = people.named(typed) if typed else []
    directives = Directive.objects.filter(state=DirectiveState.ACTIVE, version_in_force__waivable=Waivable.COMPANY)
    directive = directives.filter(reference=source.get("directive", "").replace("\x00", "")).first()
    person = found[0] if len(found) == 1 else None
    return {
        "typed": typed,
        "found": found,
        "person": person,
        "directives": directives.order_by("reference"),
        "directive": directive,
        "items": _denied(person, directive) if person and directive else [],
        "hours": HOURS,
        "anchors": ["reason", "hours", "capabilities"],
        "values": {"items": [], "hours": "1", "reason": ""},
    }


def _denied(person: Person, directive: Directive) -> list[Any]:
    """The model capabilities that this directive denies the person now."""
    return [
        decision.model_capability
        for decision in overview.decisions_of(person.pk)
        if decision.model_capability and not decision.permit and directive.reference in decision.directives
    ]


def _find(request: Visit, break_glass_id: int) -> BreakGlass:
    _may(request)
    found = BreakGlass.objects.select_related(
        "person", "directive", "version", "opened_by", "confirmed_by", "reviewed_by", "waiver"
    )
    one = found.filter(pk=break_glass_id).first()
    if one is None:
        raise NotFound(f"There is no break-glass {break_glass_id}.")
    return one


def detail(request: Visit, break_glass_id: int) -> HttpResponse:
    return _detail(request, _find(request, break_glass_id))


def _detail(request: Visit, one: BreakGlass, refusal: Invalid | None = None) -> HttpResponse:
    items = ModelCapability.objects.filter(pk__in=one.model_capability_ids).select_related("model", "capability")
    of_the_two = request.user.pk in (one.opened_by_id, one.confirmed_by_id)
    context = {
        "frame": frame_of(request),
        "one": one,
        "items": items.order_by("model__name", "capability__name"),
        "confirm_by": one.confirm_by,
        "may_confirm": one.confirmed_at is None and request.actor.has("break_glass") and not of_the_two,
        "may_review": queries.reviews_owed_by(request.user).filter(pk=one.pk).exists(),
        "of_the_two": of_the_two,
        "verdicts": Verdict.choices,
        "errors": refusal.errors if refusal else [],
        "wrong": dict(refusal.errors) if refusal else {},
        "anchors": ["review", "verdict"],
        "typed": request.POST.dict(),
    }
    return render(request, "break_glass/detail.html", context, status=422 if refusal else 200)


@require_POST
def confirm(request: Visit, break_glass_id: int) -> HttpResponse:
    one = _find(request, break_glass_id)
    waiver = services.confirm_break_glass(
        actor=request.actor, break_glass_id=one.pk, digest=request.POST.get("digest", "")
    )
    messages.success(request, "Open. Those who would have approved it are told, and one of them reviews it.")
    return redirect("waiver", waiver_id=waiver.pk)


@require_POST
def review(request: Visit, break_glass_id: int) -> HttpResponse:
    one = _find(request, break_glass_id)
    try:
        services.review_break_glass(
            actor=request.actor, break_glass_id=one.pk, verdict=request.POST.get("verdict", ""),
            words=request.POST.get("review", ""),
        )  # fmt: skip
    except Invalid as refusal:
        return _detail(request, one, refusal)
    messages.success(request, "The review is recorded.")
    return redirect("break-glass-one", break_glass_id=one.pk)
