"""The overview, and finding things."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone

from governance.approvals import queries as approvals
from governance.directives.models import Directive, Effect
from governance.directives.states import DirectiveState
from governance.enforcement import overview, queries
from governance.enforcement.models import Run
from governance.people.models import Person
from governance.values import typed_number
from governance.waivers.queries import drafts_of, exceptions_visible_to
from governance.web import figures
from governance.web.frames import frame_of
from governance.web.http import Visit


def home(request: Visit) -> HttpResponse:
    """The overview for those who see directives; everybody else begins at My access."""
    if not request.actor.has("view_directives"):
        return redirect("people" if request.actor.has("view_people") else "my-access")
    run, now = queries.unfinished_runs().first(), timezone.now()
    in_force = list(
        overview.directives()
        .filter(state__in=[DirectiveState.ACTIVE, DirectiveState.SUSPENDED])
        .select_related("version_in_force__stored_preview")
        .order_by("reference")[:20]
    )
    active = [directive for directive in in_force if directive.state == DirectiveState.ACTIVE]
    newest = max(active, key=lambda directive: directive.activated_at or now, default=None)
    context = {
        "now": now,
        "newest": newest,
        "exposure": _exposure(newest, now) if newest else None,
        "restricted_at": reverse("directive-people", args=[active[0].reference]) if len(active) == 1 else "",
        "stages": _stages(now),
        "latest_run": None if run else Run.objects.order_by("-id").first(),
        "figures": overview.figures(),
        "waiting": approvals.inbox(request.user)[:6],
        "asked": drafts_of(request.user).filter(asked_by__isnull=False)[:6],
        "to_confirm": Directive.objects.filter(
            confirm_by__isnull=False, confirmed_at=None, state__in=[DirectiveState.ACTIVE, DirectiveState.SUSPENDED]
        ),
        "drafts": Directive.objects.filter(state__in=["draft", "approved", "submitted"]).order_by("-received_at")[:6],
        "progress": queries.progress(run) if run else None,
        "in_force": in_force,
    }
    return render(request, "lookup/overview.html", context)


def _exposure(directive: Directive, now: datetime) -> figures.Exposure | None:
    """The chart of a directive in force, by the preview it was approved on; an emergency has none."""
    version = directive.version_in_force
    stored = getattr(version, "stored_preview", None)
    if version is None or stored is None or version.effect != Effect.DENY or version.effective_at is not None:
        return None
    events = [
        ("Received", directive.received_at),
        ("Drafted", version.created_at),
        ("Submitted", version.submitted_at),
        ("Approved", version.approved_at),
    ]
    return figures.exposure(events, version.in_force_at, int(stored.figures["lose_access"]), now)


def _stages(now: datetime) -> list[dict[str, Any]]:
    """Exceptions waiting by stage, with how much of its time the oldest has used, in per cent."""
    found = []
    for stage in approvals.waiting_by_stage("exception"):
        used = 0.0
        if stage["first_due"] and stage["first_due"] > stage["opened_at"]:
            used = (now - stage["opened_at"]) / (stage["first_due"] - stage["opened_at"])
        found.append(stage | {"used": min(round(100 * used), 100)})
    return found


def find(request: Visit) -> HttpResponse:
    """One box for people, directives and exceptions; only what the account may see."""
    text = request.GET.get("q", "").strip()[:100].replace("\x00", "")
    context: dict[str, object] = {"text": text, "frame": frame_of(request)}
    if text:
        if request.actor.has("view_directives"):
            wanted = Q(reference__icontains=text) | Q(title__icontains=text)
            context["directives"] = Directive.objects.filter(wanted)[:10]
        if request.actor.has("view_people"):
            wanted = (
                Q(given_name__icontains=text) | Q(family_name__icontains=text) | Q(email__icontains=text) | Q(pk=text)
            )
            context["people"] = Person.objects.filter(wanted)[:10]
        if (number := typed_number(text)) is not None:
            context["exceptions"] = exceptions_visible_to(request.user).filter(pk=number)
    return render(request, "lookup/find.html", context)
