"""The personal tokens of one's own account: what one's programs show at ``/api/v1/``."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from governance.accounts import queries, tokens
from governance.accounts.models import Reach
from governance.errors import Invalid
from governance.values import typed_number
from governance.web.frames import frame_of
from governance.web.http import Visit
from governance.web.listing import Listing

LIST = Listing(sorts={"id": "pk"}, default="-id")
_SENTENCES = {"name": "The name", "reach": "What it may do", "days": "The number of days"}


def listing(request: Visit) -> HttpResponse:
    """The account's tokens; a new one stands in the answer to the form, and never again."""
    if request.method != "POST":
        return _page(request)
    try:
        plain = tokens.create_personal_token(
            actor=request.actor, name=request.POST.get("name", ""), reach=request.POST.get("reach", ""),
            days=typed_number(request.POST.get("days", "")) or 0,
        )  # fmt: skip
    except Invalid as refusal:
        errors = [(field, f"{_SENTENCES[field]} {words}") for field, words in refusal.errors]
        return _page(request, errors=errors, typed=request.POST, status=422)
    return _page(request, made=plain, status=201)


def _page(request: Visit, *, status: int = 200, **more: Any) -> HttpResponse:
    context = {
        "frame": frame_of(request),
        "page": LIST.page(request, queries.tokens_of(request.user)),
        "reaches": Reach.choices,
        "most_days": tokens.MOST_DAYS,
        "typed": {"reach": Reach.READ, "days": tokens.DEFAULT_DAYS},
        "anchors": list(_SENTENCES),
        **more,
    }
    context["wrong"] = dict(more.get("errors", ()))
    return render(request, "account/tokens.html", context, status=status)


@require_POST
def revoke(request: Visit, token_id: int) -> HttpResponse:
    tokens.revoke_personal_token(actor=request.actor, token_id=token_id)
    messages.success(request, "Revoked. Programs that show it are refused from now on.")
    return redirect("tokens")
