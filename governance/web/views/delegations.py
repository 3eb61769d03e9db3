"""Who decides for me, and for whom I decide; an administrator sees all, since one may end them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from governance.accounts import queries as accounts
from governance.approvals import queries, services
from governance.approvals.models import Delegation
from governance.errors import Invalid, WrongState
from governance.moments import now
from governance.values import Unfit, moment
from governance.web.forms import typed_time
from governance.web.frames import frame_of
from governance.web.http import Visit
from governance.web.listing import Listing

LIST = Listing(sorts={"id": "pk"}, default="-id")
_SENTENCES = {
    "delegate": "Who decides for you",
    "starts_at": "The beginning",
    "ends_at": "The end",
    "reason": "The reason",
}


def listing(request: Visit) -> HttpResponse:
    """The delegations one gave and holds; and the form that gives one, for those who have something to decide."""
    if request.method != "POST":
        return _page(request)
    try:
        found = _give(request)
    except Invalid as refused:
        errors = [(field, f"{_SENTENCES.get(field, field)} {words}") for field, words in refused.errors]
        return _page(request, errors or [("", refused.reason)], 422)
    except WrongState as refused:
        return _page(request, [("delegate", refused.reason)], 409)
    messages.success(request, f"{found.delegate} decides for you until the time you set. You can end it at any moment.")
    return redirect("delegations")


def _page(request: Visit, errors: list[tuple[str, str]] | None = None, status: int = 200) -> HttpResponse:
    gives = queries.may_delegate(request.user)
    context: dict[str, Any] = {
        "frame": frame_of(request),
        "page": LIST.page(request, queries.delegations_of(request.user)),
        "everybody": request.actor.has("administer"),
        "gives": gives,
        "accounts": accounts.to_choose_from() if gives else [],
        "typed": request.POST,
        "errors": errors,
        "wrong": dict(errors or []),
        "anchors": list(_SENTENCES),
    }
    return render(request, "account/delegations.html", context, status=status)


def _give(request: Visit) -> Delegation:
    errors = []
    to = accounts.find_user(request.POST.get("delegate", "").strip())
    if to is None:
        errors.append(("delegate", "must be the name of an account, such as peter"))
    starts_at = _moment(request, "starts_at", errors) if request.POST.get("starts_at") else now()
    ends_at = _moment(request, "ends_at", errors)
    if not request.POST.get("reason", "").strip():
        errors.append(("reason", "is required"))
    if errors or to is None or starts_at is None or ends_at is None:
        raise Invalid("The delegation is not acceptable.", errors)
    return services.delegate(
        actor=request.actor, to=to, starts_at=starts_at, ends_at=ends_at, reason=request.POST.get("reason", "")
    )


def _moment(request: Visit, field: str, errors: list[tuple[str, str]]) -> datetime | None:
    try:
        return moment(typed_time(request.POST.get(field, "")))
    except Unfit:
        errors.append((field, "must be a day and a time"))
        return None


@require_POST
def revoke(request: Visit, delegation_id: int) -> HttpResponse:
    found = services.revoke(actor=request.actor, delegation_id=delegation_id)
    messages.success(request, f"{found.delegate} decides for {found.principal} no more.")
    return redirect("delegations")
