"""Waivers: the list, one with its conditions and its end, and the acts on it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from governance.enforcement.services.waivers import renew_waiver
from governance.errors import Invalid, NotFound
from governance.people import queries as people
from governance.waivers import conditions, queries, services
from governance.waivers.models import Waiver
from governance.waivers.states import ExceptionState
from governance.web.frames import frame_of
from governance.web.http import Visit
from governance.web.listing import Listing, Select, View, contains, equals

LIST = Listing(
    sorts={"id": "pk", "person": "person__family_name", "starts": "starts_at", "ends": "ends_at"},
    default="-id",
    filters={
        "q": contains("person__given_name", "person__family_name", "person__id"),
        "state": queries.in_state,
        "directive": equals("directive__reference"),
    },
)
# What waits to be accepted is not a waiver yet: the rows are exceptions, in the same columns.
ACCEPTING = Listing(
    sorts={"id": "pk", "person": "person__family_name"},
    default="-id",
    filters={key: LIST.filters[key] for key in ("q", "directive")},
)


def listing(request: Visit) -> HttpResponse:
    accepting = request.GET.get("state") == ExceptionState.ACCEPTING
    page = (ACCEPTING if accepting else LIST).page(request, _accepting(request) if accepting else _waivers(request))
    counts = queries.waiver_counts(request.user)
    references = queries.directives_of_waivers(request.user).values_list("reference", flat=True)
    context = {
        "page": page,
        "accepting": accepting,
        "frame": frame_of(request),
        "views": [
            View("All", {}, counts["all"]),
            View("Running", {"state": queries.RUNNING}, counts["running"]),
            View("Ending soon", {"state": queries.ENDING_SOON}, counts["soon"]),
            View("Ended", {"state": queries.ENDED}, counts["ended"]),
            View("Waiting to be accepted", {"state": ExceptionState.ACCEPTING}, counts["accepting"]),
        ],
        "selects": [Select.of("directive", "directive", references)],
    }
    return render(request, "waivers/list.html", context)


def _waivers(request: Visit) -> QuerySet[Any]:
    return queries.waivers_visible_to(request.user).prefetch_related(
        "capabilities__model_capability__model", "capabilities__model_capability__capability"
    )


def _accepting(request: Visit) -> QuerySet[Any]:
    found = queries.exceptions_visible_to(request.user).filter(state=ExceptionState.ACCEPTING)
    return found.prefetch_related("model_capabilities__model", "model_capabilities__capability")


def detail(request: Visit, waiver_id: int) -> HttpResponse:
    return _detail(request, _find(request, waiver_id))


def _find(request: Visit, waiver_id: int) -> Waiver:
    found = queries.waivers_visible_to(request.user).select_related("ended_by").filter(pk=waiver_id).first()
    if found is None:
        raise NotFound(f"There is no waiver {waiver_id} that you may see.")
    return found


def _detail(request: Visit, waiver: Waiver, refusal: Invalid | None = None) -> HttpResponse:
    me = people.person_of(request.user)
    items = waiver.capabilities.select_related("model_capability__model", "model_capability__capability")
    revocable = request.actor.has("activate_directives") or request.actor.has("edit_case_file")
    context = {
        "frame": frame_of(request),
        "waiver": waiver,
        "items": [line.model_capability for line in items],
        "conditions": conditions.of(waiver.request) if waiver.request else [],
        "acceptance": getattr(waiver.request, "acceptance", None) if waiver.request else None,
        "renewals": waiver.renewals.order_by("-pk"),
        "may_renew": waiver.request is not None and queries.may_ask_for(request.user, waiver.person, waiver),
        "may_revoke": revocable,
        "about_me": me is not None and me.pk == waiver.person_id,
        "errors": refusal.errors if refusal else [],
        "wrong": dict(refusal.errors) if refusal else {},
        "anchors": ["reason"],
        "typed": request.POST.get("reason", ""),
    }
    return render(request, "waivers/detail.html", context, status=422 if refusal else 200)


@require_POST
def revoke(request: Visit, waiver_id: int) -> HttpResponse:
    waiver = _find(request, waiver_id)
    try:
        services.revoke_waiver(actor=request.actor, waiver_id=waiver.pk, reason=request.POST.get("reason", ""))
    except Invalid as refusal:
        return _detail(request, waiver, refusal)
    messages.success(request, f"Waiver {waiver_id} is revoked. What it permitted is denied from now on.")
    return redirect("waiver", waiver_id=waiver_id)


@require_POST
def renew(request: Visit, waiver_id: int) -> HttpResponse:
    """One click: a new exception that carries everything over, and passes every stage again."""
    filed = renew_waiver(actor=request.actor, waiver_id=waiver_id)
    messages.success(request, f"Exception {filed.pk} asks that waiver {waiver_id} goes on. You see here how it goes.")
    return redirect("exception", exception_id=filed.pk)


@require_POST
def accept(request: Visit, exception_id: int) -> HttpResponse:
    """The person's own word on the conditions that the page showed."""
    accepted = services.accept_conditions(
        actor=request.actor, exception_id=exception_id, digest=request.POST.get("digest", "")
    )
    if accepted.state == ExceptionState.APPROVED:
        messages.success(request, "You accepted the conditions. The waiver runs from now on.")
    else:
        messages.warning(request, f"Nothing opened. {accepted.close_reason}")
    return redirect("my-access")


@require_POST
def decline(request: Visit, exception_id: int) -> HttpResponse:
    """The person does not take it on the conditions that the page showed."""
    services.decline_conditions(
        actor=request.actor, exception_id=exception_id, digest=request.POST.get("digest", ""),
        words=request.POST.get("words", ""),
    )  # fmt: skip
    messages.success(request, f"Exception {exception_id} ended and opened nothing. Whoever filed it is told.")
    return redirect("my-access")
