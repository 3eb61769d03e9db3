"""Look up: who can use what, one decision explained, the legal history."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render

from governance.enforcement import overview
from governance.enforcement import policy as policies
from governance.enforcement.answers import next_steps, summary, trace
from governance.enforcement.decision import decide
from governance.ledger.models import Entry, TreeHead
from governance.people.models import Person
from governance.rules import explain as explaining
from governance.web.http import Visit
from governance.web.listing import Listing, contains, equals

HISTORY = Listing(
    sorts={"at": "pk", "action": "action"},
    default="-at",
    filters={"action": contains("action"), "actor": equals("actor"), "subject": contains("subject")},
)


def matrix(request: Visit) -> HttpResponse:
    request.actor.require("view_directives")
    found, exact = overview.matrix(), request.actor.has("view_covered")
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in found.rows:
        cells = [_cell(count, total, exact=exact) for count, total in zip(row.counts, found.totals, strict=True)]
        groups.setdefault(row.item.model_name, []).append({"item": row.item, "cells": cells})
    heads = [{"label": label, "total": total} for (_, label), total in zip(found.kinds, found.totals, strict=True)]
    context = {"matrix": found, "groups": groups.items(), "heads": heads, "exact": exact}
    return render(request, "lookup/matrix.html", context)


def _cell(count: int, total: int, *, exact: bool) -> dict[str, Any]:
    """A figure with its share and one of five steps; a share would give a small count away."""
    share = 100 * count / total if total else 0.0
    step = 0 if not count else 1 if share < 25 else 2 if share < 60 else 3 if share < 85 else 4
    vague = not exact and (count < 5 or total - count < 5)
    return {"count": count, "step": 0 if vague else step, "share": "" if vague or not total else f"{share:.0f}%"}


def explain(request: Visit) -> HttpResponse:
    """The same steps that the gateway's answer followed, for one person and one model capability."""
    request.actor.require("view_covered")
    policy = policies.load()
    person_id = request.GET.get("person", "").strip()[:100].replace("\x00", "")
    model, _, capability = request.GET.get("item", "").partition("/")
    context: dict[str, object] = {
        "items": sorted(item.name for item in policy.model_capabilities.values()),
        "person_id": person_id,
        "item": request.GET.get("item", ""),
    }
    if person_id and capability:
        decision = decide(person_id, model, capability)
        traced = trace(decision)
        context |= {
            "decision": decision,
            "summary": summary(decision),
            "steps": next_steps(decision),
            "traced": traced,
            "audience_tree": explaining.flatten(traced["audience"]["rule"]) if traced.get("audience") else [],
            "directive_trees": [(entry, explaining.flatten(entry["rule"])) for entry in traced.get("directives", [])],
            "person": Person.objects.filter(pk=person_id).first(),
        }
    return render(request, "lookup/explain.html", context)


def history(request: Visit) -> HttpResponse:
    request.actor.require("view_ledger")
    page = HISTORY.page(request, Entry.objects.select_related("seal"))
    head = TreeHead.objects.order_by("-size").first()
    return render(request, "lookup/history.html", {"page": page, "head": head})
