"""Look up: who can use what, one decision explained, the legal history."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from governance.enforcement import overview
from governance.enforcement import policy as policies
from governance.enforcement.decision import Decision, decide
from governance.enforcement.explanation import Step, explain_now
from governance.enforcement.permissions import STATES
from governance.enforcement.remarks import value_in_words
from governance.enforcement.services import looks
from governance.ledger.models import Entry, TreeHead
from governance.people import queries
from governance.people.models import Person
from governance.rules import explain as explaining
from governance.rules.attributes import SENSITIVE, SLOTS
from governance.web.http import Visit
from governance.web.listing import Listing, contains, equals

HISTORY = Listing(
    sorts={"at": "pk", "action": "action"},
    default="-at",
    filters={"action": contains("action"), "actor": equals("actor"), "subject": contains("subject")},
)
ENTRY_VIEWS = (
    ("Everything", ""), ("Versions", "directive."), ("Approvals", "approval."), ("Exceptions", "exception."),
    ("Runs", "run."), ("Looks", "look."), ("Reveals", "person.revealed"),
)  # fmt: skip


def matrix(request: Visit) -> HttpResponse:
    request.actor.require("view_directives")
    found, exact = overview.matrix(), request.actor.has("view_covered")
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in found.rows:
        cells = [
            _cell(count, total, exact=exact) | {"kind": kind}
            for count, total, (kind, _) in zip(row.counts, found.totals, found.kinds, strict=True)
        ]
        groups.setdefault(row.item.model_name, []).append({"item": row.item, "cells": cells})
    heads = [{"kind": kind, "total": total} for (kind, _), total in zip(found.kinds, found.totals, strict=True)]
    context = {"matrix": found, "groups": groups.items(), "heads": heads, "exact": exact}
    return render(request, "lookup/matrix.html", context)


def _cell(count: int, total: int, *, exact: bool) -> dict[str, Any]:
    """A figure with its share and one of five steps; a share would give a small count away."""
    share = 100 * count / total if total else 0.0
    step = 0 if not count else 1 if share < 25 else 2 if share < 60 else 3 if share < 85 else 4
    vague = not exact and (count < 5 or total - count < 5)
    return {"count": count, "step": 0 if vague else step, "share": "" if vague or not total else f"{share:.0f}%"}


def explain(request: Visit) -> HttpResponse:
    """The same steps that the gateway's answer followed, for one person and one model capability.

    Each look is logged. A POST with a purpose shows the sensitive values that the rules read, to those who may see them.
    """
    request.actor.require("view_covered")
    policy = policies.load()
    text = request.GET.get("person", "").strip()[:100].replace("\x00", "")
    model, _, capability = request.GET.get("item", "").partition("/")
    context: dict[str, object] = {
        "items": sorted(policy.model_capabilities.values(), key=lambda item: item.name),
        "person_id": text,
        "item": request.GET.get("item", ""),
    }
    found = queries.named(text) if text else []
    person = found[0] if len(found) == 1 else None
    if len(found) > 1:
        context["choices"] = found
    elif text and person is None:
        context["nobody"] = True
    elif person is not None and capability:
        shown = request.method == "POST"
        if shown:
            looks.reveal(actor=request.actor, person_id=person.pk, purpose=request.POST.get("purpose", ""))
        else:
            looks.record_look(actor=request.actor, what="why a decision", subject=f"person:{person.pk}")
        context |= _explained(person, model, capability, shown=shown)
        context |= {"shown": shown, "purposes": looks.PURPOSES}
    return render(request, "lookup/explain.html", context)


def _explained(person: Person, model: str, capability: str, *, shown: bool) -> dict[str, Any]:
    """What the decision API and ``why`` say as well, with the person's values and links beside it."""
    decision = decide(person.pk, model, capability)
    found = explain_now(decision, manager=str(person.manager) if person.manager else None)
    return {
        "decision": decision,
        "explanation": found,
        "traced": _shown(found.trace, decision, shown=shown),
        "steps": [(step, _link(step, person)) for step in found.steps],
        "waiting": any(step.kind == "waiting" for step in found.steps),
        "person": person,
    }


def _shown(traced: dict[str, Any], decision: Decision, *, shown: bool) -> dict[str, Any]:
    """The trace with each rule as rows, and waivers and grants with their dates as times."""
    if not traced:
        return {}
    audience = traced["audience"]
    return traced | {
        "audience": audience and audience | {"tree": _tree(audience["rule"], decision, shown=shown)},
        "grants": [_dated(grant) for grant in traced["grants"]],
        "directives": [
            entry
            | {
                "tree": _tree(entry["rule"], decision, shown=shown),
                "waivers": [_dated(waiver) for waiver in entry["waivers"]],
            }
            for entry in traced["directives"]
        ],
    }


def _dated(permission: dict[str, Any]) -> dict[str, Any]:
    begin, end = (datetime.fromisoformat(permission[key]) for key in ("from", "until"))
    return permission | {"begin": begin, "end": end, "words": STATES[permission["state"]]}


def _tree(root: dict[str, Any] | None, decision: Decision, *, shown: bool) -> dict[str, Any] | None:
    """The rule's nodes with the person's value at each condition; a sensitive one only where it may be shown."""
    if root is None:
        return None
    assert decision.subject is not None
    facts = dict(zip(SLOTS, decision.subject.states[root["state"]], strict=True))
    rows = []
    for depth, node in explaining.flatten(root):
        name, value = node.get("attribute"), ""
        if name is not None:
            value = "hidden" if name in SENSITIVE and not shown else value_in_words(name, facts[name])
        rows.append((depth, node, value, shown and name in SENSITIVE))
    return {"rows": rows, "many": explaining.how_many(root)}


def _link(step: Step, person: Person) -> str:
    """Where a step is taken, if there is a page for it."""
    if step.kind == "waiting":
        return reverse("exception", args=[step.about])
    return reverse("person", args=[person.pk]) if step.kind in ("verify", "record") else ""


def history(request: Visit) -> HttpResponse:
    request.actor.require("view_ledger")
    page = HISTORY.page(request, Entry.objects.select_related("seal"))
    head = TreeHead.objects.order_by("-size").first()
    return render(request, "lookup/history.html", {"page": page, "head": head, "entry_views": ENTRY_VIEWS})
