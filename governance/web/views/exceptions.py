"""Exceptions: the list, the form that takes a minute, one with its stages."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from governance.approvals import queries as approvals
from governance.directives.models import Directive
from governance.enforcement import overview
from governance.enforcement.services.exceptions import file_exception, scope_of
from governance.errors import Invalid, NotFound, PermissionRefused
from governance.people import queries as people
from governance.people.models import Person
from governance.values import typed_number
from governance.waivers import queries, services
from governance.waivers.states import ExceptionState
from governance.web.frames import frame_of
from governance.web.http import Visit
from governance.web.listing import Listing, contains, equals

LIST = Listing(
    sorts={"id": "pk", "person": "person__family_name", "state": "state", "filed": "filed_at"},
    default="-id",
    filters={
        "q": contains("person__given_name", "person__family_name"),
        "state": equals("state"),
        "directive": equals("directive__reference"),
        "waived": lambda queryset, _: queryset.filter(waiver__in=overview.running_waivers()),
    },
)
MITIGATIONS = (
    ("supervised", "Supervised session", "A colleague sits beside each session"),
    ("redacted", "Redacted data", "Nothing sensitive goes in or out"),
    ("read-only", "Read only", "Looks at results, changes nothing"),
    ("escort", "U.S.-person escort", "A U.S. person takes part throughout"),
    ("none", "None of these", "The reason says why none fits"),
)
DAYS = (7, 14, 30)


def mitigation_words(value: str) -> str:
    """A mitigation as the form names it; what another door named stays as it is."""
    return {key: label for key, label, _ in MITIGATIONS}.get(value, value)


def listing(request: Visit) -> HttpResponse:
    page = LIST.page(
        request,
        queries.exceptions_visible_to(request.user).prefetch_related(
            "model_capabilities__model", "model_capabilities__capability"
        ),
    )
    context = {"page": page, "frame": frame_of(request), "states": ExceptionState.choices}
    return render(request, "exceptions/list.html", context)


def new(request: Visit) -> HttpResponse:
    """The form for one person in one's care; what the person lost is chosen already."""
    source = request.POST if request.method == "POST" else request.GET
    person = Person.objects.filter(pk=source.get("person", "").replace("\x00", "")).first()
    directive = (
        Directive.objects.filter(reference=source.get("directive", "")).select_related("version_in_force").first()
    )
    if person is None or not queries.may_file_for(request.user, person):
        raise PermissionRefused(queries.WHO_MAY_FILE)
    if directive is None:
        raise NotFound("There is no such directive.")
    context = _context(request, person, directive)
    if request.method != "POST":
        return render(request, "exceptions/new.html", context)
    chosen = request.POST.getlist("item")
    context["values"] = request.POST.dict() | {"items": chosen}
    try:
        _refuse_unanswered(request, chosen)
        filed = file_exception(
            actor=request.actor,
            reference=directive.reference,
            person_id=person.pk,
            items=[(model, capability) for model, _, capability in (name.partition("/") for name in chosen)],
            days=_days(request),
            reason=request.POST.get("reason", ""),
            mitigation=request.POST.get("mitigation", ""),
            licence=request.POST.get("licence") or None,
        )
    except Invalid as refusal:
        context["errors"] = [(field, _in_a_sentence(field, words)) for field, words in refusal.errors] or [
            ("", refusal.reason)
        ]
        context["wrong"] = dict(context["errors"])
        return render(request, "exceptions/new.html", context, status=422)
    messages.success(request, f"Exception {filed.pk} is filed. You see here how it goes.")
    return redirect("exception", exception_id=filed.pk)


_SENTENCES = {
    "reason": "Say what stops without access: an answer",
    "capabilities": "Choose which access: at least one",
    "days": "The number of days",
    "licence": "The licence does not fit:",
}


def _refuse_unanswered(request: Visit, chosen: list[str]) -> None:
    """Everything that is missing at once, so that nobody mends one answer to be told of the next; the service judges the rest."""
    missing = [("reason", "is required")] if not request.POST.get("reason", "").strip() else []
    if not chosen:
        missing.append(("capabilities", "is required"))
    if not 1 <= _days(request) <= services.MAX_DAYS:
        missing.append(("days", f"must be from 1 to {services.MAX_DAYS}"))
    if missing:
        raise Invalid("Some answers are missing.", missing)


def _in_a_sentence(field: str, words: str) -> str:
    """What is wrong with an answer, read without the field beside it."""
    return f"{_SENTENCES[field]} {words}" if field in _SENTENCES else words


def _days(request: Visit) -> int:
    return typed_number(request.POST.get("days", "")) or 0


def _context(request: Visit, person: Person, directive: Directive) -> dict[str, Any]:
    lost = {
        decision.model_capability.id
        for decision in overview.decisions_of(person.pk)
        if decision.model_capability and directive.reference in decision.directives
    }
    items = [item for item in scope_of(directive) if item.enabled]
    return {
        "frame": frame_of(request),
        "person": person,
        "directive": directive,
        "items": items,
        "licences": overview.licences(directive),
        "mitigations": MITIGATIONS,
        "durations": DAYS,
        "max_days": services.MAX_DAYS,
        "max_days_tier_4": services.MAX_DAYS_TIER_4,
        "stages": approvals.stages_of("exception"),
        "anchors": ["reason", "days", "licence", "capabilities"],
        "values": {
            "items": [item.name for item in items if item.id in lost],
            "days": str(services.DEFAULT_DAYS),
            "mitigation": "supervised",
            "reason": "",
        },
    }


def detail(request: Visit, exception_id: int) -> HttpResponse:
    found = queries.exceptions_visible_to(request.user).filter(pk=exception_id).first()
    if found is None:
        raise NotFound(f"There is no exception {exception_id} that you may see.")
    asked = approvals.requests_about(found.subject).first()
    me = people.person_of(request.user)
    context = {
        "frame": frame_of(request),
        "exception": found,
        "items": found.model_capabilities.select_related("model", "capability").order_by(
            "model__name", "capability__name"
        ),
        "asked": asked,
        "mitigation": mitigation_words(found.mitigation),
        "mine": found.filer_id == request.user.pk,
        "about_me": me is not None and me.pk == found.person_id,
        "waiver": getattr(found, "waiver", None),
    }
    return render(request, "exceptions/detail.html", context)


@require_POST
def withdraw(request: Visit, exception_id: int) -> HttpResponse:
    services.withdraw_exception(actor=request.actor, exception_id=exception_id)
    messages.success(request, f"Exception {exception_id} is withdrawn.")
    return redirect("exception", exception_id=exception_id)
