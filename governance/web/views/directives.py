"""Directives: the list, and one with its tabs and acts."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from governance.approvals import queries as approvals
from governance.approvals.states import RequestState
from governance.communications import queries as communications
from governance.directives import profiles, queries, services
from governance.directives.models import Directive, DirectiveVersion
from governance.directives.states import DirectiveState
from governance.enforcement import candidates, overview, remarks
from governance.enforcement import queries as enforcement
from governance.enforcement.services import lifecycle, looks
from governance.errors import Invalid, NotFound, Refused
from governance.ledger import queries as ledger
from governance.people.models import PersonKind
from governance.rules import english, language
from governance.web import guarded
from governance.web.frames import frame_of
from governance.web.http import Visit, status_of
from governance.web.listing import Listing, Select, contains, equals
from governance.web.stepper import steps
from governance.web.views.lookup import ENTRY_VIEWS

LIST = Listing(
    sorts={"reference": "reference", "received": "received_at", "title": "title", "state": "state"},
    default="-received",
    filters={"q": contains("reference", "title", "authority"), "state": equals("state"), "kind": equals("kind")},
)
PEOPLE = Listing(
    sorts={"name": "family_name", "department": "department", "kind": "kind"},
    default="name",
    filters={
        "q": contains("given_name", "family_name", "email"),
        "kind": equals("kind"),
        "organisation": equals("organisation_id"),
    },
)


def listing(request: Visit) -> HttpResponse:
    request.actor.require("view_directives")
    page = LIST.page(request, overview.directives())
    context = {"page": page, "selects": [Select("state", "state", DirectiveState.choices)]}
    return render(request, "directives/list.html", context)


def find(reference: str) -> Directive:
    directive = overview.directives().filter(reference=reference).first()
    if directive is None:
        raise NotFound(f"There is no directive {reference}.")
    return directive


def head(request: Visit, reference: str, tab: str) -> dict[str, Any]:
    """What every tab of a directive shows above itself."""
    request.actor.require("view_directives")
    return _above(find(reference), tab) | {"frame": frame_of(request)}


def _above(directive: Directive, tab: str) -> dict[str, Any]:
    versions = list(directive.versions.order_by("-number").select_related("author"))
    shown = directive.version_in_force or versions[0]
    pending = next((v for v in versions if v.state in ("draft", "submitted", "approved")), None)
    asked = approvals.requests_about(directive.subject).filter(state=RequestState.OPEN).first()
    return {
        "directive": directive,
        "state": enforcement.state_now(directive),
        "versions": versions,
        "shown": shown,
        "pending": pending,
        "asked": asked,
        "run": directive.runs.first(),
        "tab": tab,
        "steps": steps(directive, versions, directive.runs.first()),
    }


def summary(request: Visit, reference: str) -> HttpResponse:
    return _summary(request, reference)


def _summary(request: Visit, reference: str, refused: Refused | None = None) -> HttpResponse:
    """The summary; after a refusal with its reason, and with what was typed."""
    context = head(request, reference, "summary")
    shown: DirectiveVersion = context["shown"]
    context |= {
        "sentence": english.sentence(language.parse(shown.rule_as_fixed)),
        "scope": list(shown.scope.select_related("model", "capability")),
        "stored": getattr(shown, "stored_preview", None),
        "licences": overview.licences(context["directive"]),
        "questions": overview.open_questions(context["directive"])
        if queries.may_read_case(request.user, context["directive"])
        else [],
        "hold_until": communications.hold_of(context["pending"]) if context["pending"] else None,
        "can_draft": context["state"] in ("active", "suspended", "approved") and context["pending"] is None,
        "errors": [("", refused.reason)] if refused else [],
        "typed": request.POST,
    }
    return render(request, "directives/summary.html", context, status=status_of(refused) if refused else 200)


def version(request: Visit, reference: str, number: int) -> HttpResponse:
    """One version, whatever its state, with its preview now."""
    context = head(request, reference, "summary")
    chosen = candidates.version_of(reference, number)
    question = candidates.of_version(chosen)
    plan = guarded.plan(request.actor, question)
    context |= plan | {
        "chosen": chosen,
        "remarks": remarks.about(question),
        "trials": profiles.run(chosen.directive, candidates.content.expand(chosen.rule_as_fixed)),
        "sentence": plan["preview"]["rule_text"],
        "scope": list(chosen.scope.select_related("model", "capability")),
    }
    return render(request, "directives/version.html", context)


def people(request: Visit, reference: str) -> HttpResponse:
    """The people a directive restricts. Each look is logged."""
    request.actor.require("view_covered")
    context = head(request, reference, "people")
    looks.record_look(actor=request.actor, what="covered people", subject=context["directive"].subject)
    context["page"] = PEOPLE.page(request, overview.covered_people(context["directive"]))
    context["selects"] = [Select("kind", "kind", PersonKind.choices)]
    return render(request, "directives/people.html", context)


def _find_case(request: Visit, reference: str) -> Directive:
    """A directive whose case file the account may read, by its right or by a permission on this one.

    Whoever has a permission on some case learns of no other whether it exists; whoever has none is told which right it needs.
    """
    if not request.actor.has("view_case_file") and not queries.cases_of(request.user).exists():
        request.actor.require("view_case_file")
    directive = overview.directives().filter(reference=reference).first()
    if directive is None or not queries.may_read_case(request.user, directive):
        raise NotFound(f"There is no directive {reference}.")
    return directive


def case(request: Visit, reference: str) -> HttpResponse:
    directive = _find_case(request, reference)
    context = _above(directive, "case") | {"frame": frame_of(request)}
    context |= {
        "items": directive.case_file.select_related("model").defer("content"),
        "comparables": directive.comparables.select_related("model", "capability"),
    }
    return render(request, "directives/case.html", context)


def case_document(request: Visit, reference: str, item_id: int) -> HttpResponse:
    """The bytes of a case document, as plain text and never as a page."""
    item = _find_case(request, reference).case_file.filter(pk=item_id).exclude(content=None).first()
    if item is None:
        raise NotFound("There is no such document.")
    response = HttpResponse(bytes(item.content or b""), content_type="text/plain; charset=utf-8")
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Disposition"] = f'inline; filename="document-{item.pk}.txt"'
    return response


def alternatives(request: Visit, reference: str) -> HttpResponse:
    """The narrower readings, previewed beside the directive as ordered."""
    context = head(request, reference, "alternatives")
    shown: DirectiveVersion = context["shown"]
    readings = [("", "As ordered", candidates.of_version(shown))]
    for alternative in context["directive"].alternatives.all():
        readings.append((alternative.slug, alternative.title, candidates.with_alternative(shown, alternative.slug)))
    rows = [(slug, title, guarded.plan(request.actor, question)["preview"]) for slug, title, question in readings]
    context["rows"] = rows
    return render(request, "directives/alternatives.html", context)


HISTORY = Listing(sorts={"at": "pk"}, default="-at", filters={"action": contains("action")})


def history(request: Visit, reference: str) -> HttpResponse:
    request.actor.require("view_ledger")
    context = head(request, reference, "history")
    context["page"] = HISTORY.page(request, ledger.timeline(context["directive"].subject))
    context["entry_views"] = ENTRY_VIEWS[:-1]
    return render(request, "directives/history.html", context)


@require_POST
def act(request: Visit, reference: str) -> HttpResponse:
    """The acts of a directive's life; each button sends its name."""
    request.actor.require("view_directives")
    name, reason = request.POST.get("act", ""), request.POST.get("reason", "").strip()
    if name not in _ACTS:
        raise Invalid("There is no such act.")
    try:
        words = _ACTS[name](request, reference, reason)
    except Refused as refused:
        if isinstance(refused, NotFound) or name not in _REASONED:
            raise
        return _summary(request, reference, refused)
    messages.success(request, words)
    return redirect("directive-edit" if name == "new-version" else "directive", reference=reference)


def _submit(request: Visit, reference: str, reason: str) -> str:
    request.actor.require("activate_directives")  # before the figure is told
    _confirm_count(request, reference)
    asked = lifecycle.submit(actor=request.actor, reference=reference)
    return f"Submitted. It waits for: {', '.join(stage.name for stage in asked.stages.all())}."


def _confirm_count(request: Visit, reference: str) -> None:
    """The number typed must be the number of people who lose access now, as the plan says it."""
    draft = services.draft_of(find(reference))
    lose = guarded.loses(request.actor, candidates.of_version(draft))
    typed = " ".join(request.POST.get("count", "").lower().split())
    if typed.replace(",", "") != lose.replace(",", ""):
        raise Invalid(f"The number does not match the plan of the draft as it was saved last: losing access, {lose}.")


def _withdraw(request: Visit, reference: str, reason: str) -> str:
    lifecycle.withdraw(actor=request.actor, reference=reference)
    return "Withdrawn."


def _activate(request: Visit, reference: str, reason: str) -> str:
    done = lifecycle.activate(actor=request.actor, reference=reference)
    return f"{reference} version {done.version.number} is in force. Everybody covered is denied from now on."


def _emergency(request: Visit, reference: str, reason: str) -> str:
    done = lifecycle.activate(actor=request.actor, reference=reference, emergency=True, reason=reason)
    return f"{reference} version {done.version.number} is in force. A second person has 24 hours to confirm it."


def _ask(kind: str, words: str) -> Any:
    def asking(request: Visit, reference: str, reason: str) -> str:
        if not reason:
            raise Invalid("Say why: the reason goes to whoever decides, and into the record.")
        lifecycle.ask(actor=request.actor, reference=reference, act=kind, reason=reason)
        return f"Asked to {words}. Another person decides; until then nothing changes."

    return asking


def _new_version(request: Visit, reference: str, reason: str) -> str:
    version = services.draft_new_version(actor=request.actor, reference=reference)
    return f"Version {version.number} is a draft. The version in force stays as it is."


_ACTS: dict[str, Any] = {
    "submit": _submit,
    "withdraw": _withdraw,
    "activate": _activate,
    "emergency": _emergency,
    "suspend": _ask("suspension", "suspend it"),
    "resume": _ask("resumption", "resume it"),
    "rescind": _ask("rescission", "rescind it"),
    "confirm": _ask("confirmation", "confirm the emergency"),
    "new-version": _new_version,
}
_REASONED = ("emergency", "suspend", "resume", "rescind", "confirm")  # their forms have something typed in them
