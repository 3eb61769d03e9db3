"""Approvals: what waits for me."""

from __future__ import annotations

from django.http import HttpResponse
from django.shortcuts import render

from governance.approvals import queries
from governance.approvals.models import Request
from governance.errors import PermissionRefused
from governance.web.http import Visit
from governance.web.listing import Listing, equals

LIST = Listing(sorts={"opened": "opened_at", "kind": "kind"}, default="opened", filters={"kind": equals("kind")})


def inbox(request: Visit) -> HttpResponse:
    """Open requests that the account could decide now, oldest first."""
    if not queries.decides(request.user):
        raise PermissionRefused("Approvals are for those who may decide at a stage of one, or decide for somebody.")
    page = LIST.page(request, queries.inbox(request.user))
    decided = Request.objects.filter(votes__approver=request.user).select_related("requester")[:10]
    return render(request, "approvals/inbox.html", {"page": page, "decided": decided})
