"""Approvals: what waits for me, and deciding several like requests together."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Now
from django.http import HttpResponse
from django.shortcuts import render

from governance.accounts.models import User
from governance.approvals import queries
from governance.approvals.models import Request
from governance.enforcement.services import deciding
from governance.errors import Invalid, NotFound, PermissionRefused
from governance.values import typed_number
from governance.waivers import queries as waivers
from governance.web import kinds
from governance.web.frames import frame_of
from governance.web.http import Visit
from governance.web.listing import Listing, Select, View, contains, equals


def _overdue(queryset: QuerySet[Any], _: str) -> QuerySet[Any]:
    return queryset.filter(due_at__lt=Now(), stopped_at=None)


LIST = Listing(
    sorts={"opened": "opened_at", "kind": "kind", "due": "due_at"},
    default="opened",
    filters={
        "kind": equals("kind"),
        "stage": equals("stage_name"),
        "overdue": _overdue,
        "requester": contains("requester__full_name", "requester__username"),
    },
)
_DECIDED = 10
_EXPLAINED = 5  # why it is not theirs to decide is looked up for each; the pages of the others say it


def inbox(request: Visit) -> HttpResponse:
    """Open requests that the account could decide now, oldest first."""
    _refuse_outsiders(request.user)
    counts = queries.waiting_by_kind(request.user)
    request.waiting = sum(row["number"] for row in counts)  # counted once, for the page and the navigation
    page = LIST.page(request, queries.inbox(request.user), total=request.waiting)
    context = {
        "frame": frame_of(request),
        "page": page,
        "views": _views(counts, request.waiting),
        "waiting": request.waiting,
        "selects": [Select.of("stage", "stage", queries.stage_names(request.user))],
        "hats": _hats(request.user, page.rows),
        "decided": Request.objects.filter(votes__approver=request.user).select_related("requester")[:_DECIDED],
        "reviews": waivers.reviews_owed_by(request.user)[:6],
    }
    return render(request, "approvals/inbox.html", context)


def _views(counts: list[dict[str, Any]], waiting: int) -> list[View]:
    """One for each kind that waits, and what is late whatever its kind."""
    if not counts:
        return []
    views = [View("All", {}, waiting)]
    views += [View(kinds.name_of(row["kind"]), {"kind": row["kind"]}, row["number"]) for row in counts]
    if overdue := sum(row["overdue"] for row in counts):
        views.append(View("Overdue", {"overdue": "yes"}, overdue, "clock"))
    return views


def _refuse_outsiders(user: User) -> None:
    if not queries.decides(user):
        raise PermissionRefused("Approvals are for those who may decide at a stage of one, or decide for somebody.")


def _hats(user: User, rows: list[Any]) -> dict[int, User]:
    """For whom the account would decide, where not for itself."""
    return User.objects.in_bulk({row.hat for row in rows} - {user.pk})


def decide(request: Visit) -> HttpResponse:
    """Several like requests: shown together, decided with one comment, each with what became of it."""
    _refuse_outsiders(request.user)
    if request.method == "POST":
        return _decided(request)
    ids = [number for number in map(typed_number, request.GET.getlist("chosen")) if number is not None]
    return _choice(request, ids)


def _choice(request: Visit, ids: list[int], refused: Invalid | None = None) -> HttpResponse:
    mine = queries.inbox(request.user).filter(pk__in=ids)
    rows = list(mine[: deciding.MOST_AT_ONCE])
    gone = list(queries.visible_to(request.user).filter(pk__in=ids).exclude(pk__in=mine.order_by().values("pk")))
    context: dict[str, Any] = {
        "frame": frame_of(request),
        "rows": rows,
        "unlike": len({row.kind for row in rows}) > 1,
        "more": mine.count() - len(rows) if len(rows) == deciding.MOST_AT_ONCE else 0,
        "gone": [(one, queries.why_not(request.user, one) if at < _EXPLAINED else "") for at, one in enumerate(gone)],
        "hats": _hats(request.user, rows),
        "typed": request.POST,
        "anchors": [],
    }
    if refused is not None:
        context["errors"] = [("", f"{field.capitalize()} {words}") for field, words in refused.errors] or [
            ("", refused.reason)
        ]
    return render(request, "approvals/decide.html", context, status=422 if refused else 200)


def _decided(request: Visit) -> HttpResponse:
    chosen = []
    for value in request.POST.getlist("chosen"):
        number, _, seen = value.partition(":")
        request_id = typed_number(number)
        if request_id is None:
            raise NotFound("There is no such request.")
        chosen.append((request_id, seen))
    if chosen:
        _refuse_foreign(request, [request_id for request_id, _ in chosen])
    try:
        results = deciding.decide_many(
            actor=request.actor,
            chosen=chosen,
            verdict=request.POST.get("verdict", ""),
            comment=request.POST.get("comment", ""),
        )
    except Invalid as refused:
        return _choice(request, [request_id for request_id, _ in chosen], refused)
    context = {
        "frame": frame_of(request),
        "results": results,
        "done": sum(not result.refused for result in results),
        "comment": request.POST.get("comment", ""),
    }
    return render(request, "approvals/decided.html", context)


def _refuse_foreign(request: Visit, ids: list[int]) -> None:
    seen = set(queries.visible_to(request.user).filter(pk__in=ids).values_list("pk", flat=True))
    for request_id in ids:
        if request_id not in seen:
            raise NotFound(f"There is no request {request_id} that you may see.")
