"""The overview, and finding things."""

from __future__ import annotations

from django.db.models import Q
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from governance.approvals import queries as approvals
from governance.directives.models import Directive
from governance.directives.states import DirectiveState
from governance.enforcement import overview, queries
from governance.people.models import Person
from governance.values import typed_number
from governance.waivers.queries import exceptions_visible_to
from governance.web.frames import frame_of
from governance.web.http import Visit


def home(request: Visit) -> HttpResponse:
    """The overview for those who see directives; everybody else begins at My access."""
    if not request.actor.has("view_directives"):
        return redirect("people" if request.actor.has("view_people") else "my-access")
    run = queries.unfinished_runs().first()
    context = {
        "now": timezone.now(),
        "figures": overview.figures(),
        "waiting": approvals.inbox(request.user)[:6],
        "to_confirm": Directive.objects.filter(
            confirm_by__isnull=False, confirmed_at=None, state__in=[DirectiveState.ACTIVE, DirectiveState.SUSPENDED]
        ),
        "drafts": Directive.objects.filter(state__in=["draft", "approved", "submitted"]).order_by("-received_at")[:6],
        "progress": queries.progress(run) if run else None,
        "in_force": overview.directives()
        .filter(state__in=[DirectiveState.ACTIVE, DirectiveState.SUSPENDED])
        .order_by("reference")[:20],
    }
    return render(request, "lookup/overview.html", context)


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
