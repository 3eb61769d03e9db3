"""What an account was told of, and what of it comes by e-mail."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from governance.notifications import queries, services
from governance.notifications.models import MANDATORY, Kind
from governance.web.frames import frame_of
from governance.web.http import Visit
from governance.web.listing import Listing, equals

LIST = Listing(
    sorts={"at": "at"},
    default="-at",
    filters={"kind": equals("kind"), "unread": lambda found, _: found.filter(read_at=None)},
)


def listing(request: Visit) -> HttpResponse:
    refused = queries.mails_refused(request.user)
    context = {
        "frame": frame_of(request),
        "page": LIST.page(request, queries.of(request.user)),
        "unread": queries.unread(request.user),
        "kinds": [(kind.value, kind.label, kind in MANDATORY, kind.value not in refused) for kind in Kind],
    }
    return render(request, "notifications/list.html", context)


@require_POST
def read(request: Visit) -> HttpResponse:
    services.mark_read(actor=request.actor)
    return redirect("notifications")


@require_POST
def choose(request: Visit) -> HttpResponse:
    services.choose(actor=request.actor, mails=request.POST.getlist("mail"))
    messages.success(request, "Saved. What was sent before stays on this page.")
    return redirect("notifications")


@csrf_exempt  # the token is the right to do this, and mail programs post it by themselves (RFC 8058)
@login_not_required
def unsubscribe(request: Visit) -> HttpResponse:
    """One page with one button; opening the link alone changes nothing, since mail programs follow links."""
    token = request.GET.get("token", "")
    kind = services.unsubscribe(token=token) if request.method == "POST" else None
    return render(request, "notifications/unsubscribe.html", {"kind": kind})
