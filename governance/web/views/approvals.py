"""Approvals: what waits for me, and one request with everything a decision needs."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from governance.approvals import queries
from governance.approvals.models import Request
from governance.approvals.states import StageState
from governance.directives import profiles
from governance.directives.models import Directive
from governance.directives.states import VersionState
from governance.enforcement import candidates, previews, remarks
from governance.enforcement.services.deciding import decide_request
from governance.errors import NotFound, PermissionRefused
from governance.rules import english, language
from governance.waivers import queries as exceptions
from governance.waivers.models import ExceptionRequest
from governance.web.http import Visit
from governance.web.listing import Listing, equals
from governance.web.navigation import APPROVERS
from governance.web.views.exceptions import mitigation_words

LIST = Listing(sorts={"opened": "opened_at", "kind": "kind"}, default="opened", filters={"kind": equals("kind")})


def inbox(request: Visit) -> HttpResponse:
    """Open requests that the account could decide now, oldest first."""
    if not request.user.roles() & APPROVERS:
        raise PermissionRefused("Approvals are for trust-and-safety leads, export-control counsel and executives.")
    page = LIST.page(request, queries.inbox(request.user))
    if not any(page.filters.values()):
        request.waiting = page.total  # counted once, for the page and the navigation
    decided = Request.objects.filter(votes__approver=request.user).select_related("requester")[:10]
    return render(request, "approvals/inbox.html", {"page": page, "decided": decided})


def _find(request: Visit, request_id: int) -> Request:
    visible = queries.visible_to(request.user).prefetch_related("stages", "votes__approver", "votes__stage")
    asked = visible.filter(pk=request_id).first()
    if asked is None:
        raise NotFound(f"There is no request {request_id} that you may see.")
    return asked


def detail(request: Visit, request_id: int) -> HttpResponse:
    asked = _find(request, request_id)
    approver = bool(request.user.roles() & APPROVERS)
    stages = list(asked.stages.all())
    current = next((stage for stage in stages if stage.state == StageState.OPEN), None)
    queue = list(queries.inbox(request.user)[:8]) if approver else []
    context: dict[str, Any] = {
        "asked": asked,
        "why_not": queries.why_not(request.user, asked),
        "approver": approver,
        "queue": queue if any(other.pk != asked.pk for other in queue) else [],
        "checks": queries.checks(request.user, asked),
        "waits_for": [str(user) for user in queries.eligible(current)[:4]] if current else [],
        "following": next((stage.name for stage in stages if stage.state == StageState.WAITING), ""),
    }
    context |= _exception(asked) if asked.kind == "exception" else _directive(asked)
    return render(request, "approvals/detail.html", context)


def _exception(asked: Request) -> dict[str, Any]:
    found = ExceptionRequest.objects.select_related("person", "directive", "licence", "filer", "version").get(
        pk=asked.subject.partition(":")[2]
    )
    items = found.model_capabilities.select_related("model", "capability").order_by("model__name", "capability__name")
    return {
        "exception": found,
        "items": items,
        "mitigation": mitigation_words(found.mitigation),
        "similar": exceptions.decided_before(found),
    }


def _directive(asked: Request) -> dict[str, Any]:
    directive = Directive.objects.select_related("version_in_force").get(reference=asked.subject.partition(":")[2])
    version = directive.version_in_force
    if asked.kind.startswith("directive.activation"):
        version = directive.versions.filter(state=VersionState.SUBMITTED).first() or version
    context: dict[str, Any] = {"directive": directive, "version": version}
    if version is not None:
        question = candidates.of_version(version)
        opening = asked.kind.startswith("directive.activation")
        stored = getattr(version, "stored_preview", None) if opening else None
        # What ends a directive does to people what a version would that covers nobody.
        ending = asked.kind in ("directive.suspension", "directive.rescission")
        effect = candidates.with_rule(version, False) if ending else question
        figures = stored.figures if stored else previews.as_json(effect, previews.preview_of(effect, fingerprint=False))
        context |= {
            "preview": figures,
            "ending": ending,
            "second_baseline": previews.second_baseline(question) if opening else None,
            "remarks": remarks.about(question) if opening else [],
            "trials": profiles.run(directive, candidates.content.expand(version.rule_as_fixed)) if opening else [],
            "weakened": profiles.weakened_since(directive, _in_force_since(directive)) if opening else [],
            "sentence": english.sentence(language.parse(version.rule_as_fixed)),
            "stored": stored,
            "difference": previews.difference(version) if stored and asked.state == "open" else None,
            "scope": list(version.scope.select_related("model", "capability")),
        }
    return context


def _in_force_since(directive: Directive) -> datetime | None:
    return directive.version_in_force.in_force_at if directive.version_in_force else None


@require_POST
def vote(request: Visit, request_id: int) -> HttpResponse:
    """One decision, on the content that the page showed."""
    decided = decide_request(
        actor=request.actor,
        request_id=request_id,
        verdict=request.POST.get("verdict", ""),
        comment=request.POST.get("comment", ""),
        seen=request.POST.get("seen"),
    )
    messages.success(request, decided.words)
    return redirect("approval", request_id=request_id)
