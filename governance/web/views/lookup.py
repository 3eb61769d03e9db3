"""Look up: who can use what, one decision explained, the legal history."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse

from governance.enforcement import overview
from governance.enforcement import policy as policies
from governance.enforcement.answers import summary, trace
from governance.enforcement.decision import Decision, decide
from governance.enforcement.remarks import value_in_words
from governance.enforcement.services import looks
from governance.enforcement.settling import settling
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
    decision = decide(person.pk, model, capability)
    traced = trace(decision)
    waiting = list(overview.waiting_exceptions(person, decision.directives))
    return {
        "decision": decision,
        "summary": summary(decision),
        "traced": traced,
        "audience_tree": _tree(traced["audience"]["rule"], decision, shown=shown) if traced.get("audience") else [],
        "directive_trees": [
            (entry, _tree(entry["rule"], decision, shown=shown)) for entry in traced.get("directives", [])
        ],
        "person": person,
        "waiting": waiting,
        "changes": _changes(decision, waiting, person),
    }


def _tree(root: dict[str, Any], decision: Decision, *, shown: bool) -> list[tuple[int, dict[str, Any]]]:
    """The rule's nodes with the person's value at each condition; a sensitive one only where it may be shown."""
    assert decision.subject is not None
    facts = dict(zip(SLOTS, decision.subject.states[root["state"]], strict=True))
    nodes = explaining.flatten(root)
    for _, node in nodes:
        name = node.get("attribute")
        if name is not None:
            hidden = name in SENSITIVE and not shown
            node["value"] = "hidden" if hidden else value_in_words(name, facts[name])
            node["revealed"] = name in SENSITIVE and shown
    return nodes


def _changes(decision: Decision, waiting: list[Any], person: Person) -> list[dict[str, str]]:
    """What would turn a denial into a permit, as far as the steps say it."""
    named = ", ".join(decision.directives)
    found = [
        _change(
            f"Exception {asked.pk} is approved", f"Permitted for {asked.days} days", "keep", "Open it",
            reverse("exception", args=[asked.pk]),
        )
        for asked in waiting
    ]  # fmt: skip
    if decision.code in ("directive", "directive_unknown"):
        denying = [entry.directive for entry in decision.covering if entry.denies and not entry.waived]
        if not waiting and all(rule.waivable != "never" for rule in denying):
            who = f"{person.manager} asks for it" if person.manager else "Trust and safety"
            found.append(_change(f"An exception from {named} is approved", "Permitted for its days", "keep", who))
        record = reverse("person", args=[person.pk])
        settled = settling(decision)
        for one in settled:
            found.append(_change(one.text, "Decided anew", "none", "People operations", record))
        if not settled:
            wrong = f"The record of {person.given_name} turns out to be wrong"
            found.append(_change(wrong, "Decided anew", "none", "People operations", record))
    elif decision.code == "paused":
        found.append(_change(f"{named} is lifted", "Decided anew", "none", "Trust and safety"))
    elif decision.code == "outside_audience":
        found.append(_change("A grant is given", "Permitted while it runs", "keep", "The model’s steward"))
    return found


def _change(when: str, then: str, tone: str, how: str, href: str = "") -> dict[str, str]:
    return {"if": when, "then": then, "tone": tone, "how": how, "href": href}


def history(request: Visit) -> HttpResponse:
    request.actor.require("view_ledger")
    page = HISTORY.page(request, Entry.objects.select_related("seal"))
    head = TreeHead.objects.order_by("-size").first()
    return render(request, "lookup/history.html", {"page": page, "head": head, "entry_views": ENTRY_VIEWS})
