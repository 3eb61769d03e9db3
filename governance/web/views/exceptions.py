"""Exceptions: the list with the drafts, one with its stages."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from governance.approvals import progress
from governance.approvals import queries as approvals
from governance.enforcement import overview
from governance.errors import NotFound
from governance.people import queries as people
from governance.waivers import conditions, mitigations, queries, services
from governance.waivers.states import ExceptionState
from governance.web.frames import frame_of
from governance.web.http import Visit
from governance.web.listing import Listing, Select, View, contains, equals

DRAFTS = 50
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


def listing(request: Visit) -> HttpResponse:
    page = LIST.page(
        request,
        queries.exceptions_visible_to(request.user).prefetch_related(
            "model_capabilities__model", "model_capabilities__capability"
        ),
    )
    counts = queries.exception_counts(request.user)
    context = {
        "page": page,
        "frame": frame_of(request),
        "views": [
            View("All", {}, counts["all"]),
            View("Waiting for approval", {"state": ExceptionState.OPEN}, counts["open"]),
            View("Waiting to be accepted", {"state": ExceptionState.ACCEPTING}, counts["accepting"]),
            View("A waiver runs now", {"waived": "now"}, counts["waived"]),
            View("Rejected", {"state": ExceptionState.REJECTED}, counts["rejected"]),
        ],
        "selects": [Select("state", "state", ExceptionState.choices)],
        "taken": [("directive", reference)] if (reference := page.filters["directive"]) else [],
        "drafts": queries.drafts_of(request.user)[:DRAFTS],
    }
    return render(request, "exceptions/list.html", context)


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
        "stages": progress.of(asked) if asked else [],
        "mitigation": mitigations.in_words(found.mitigation),
        "mine": found.filer_id == request.user.pk,
        "about_me": me is not None and me.pk == found.person_id,
        "reads_reason": queries.may_read_reason(request.user, found),
        "waiver": getattr(found, "waiver", None),
        "conditions": conditions.of(found),
    }
    return render(request, "exceptions/detail.html", context)


@require_POST
def withdraw(request: Visit, exception_id: int) -> HttpResponse:
    services.withdraw_exception(actor=request.actor, exception_id=exception_id)
    messages.success(request, f"Exception {exception_id} is withdrawn.")
    return redirect("exception", exception_id=exception_id)
