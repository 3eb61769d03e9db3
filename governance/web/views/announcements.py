"""What people are told of a directive: the words before they go out, each announcement with its progress, what came back."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from governance.communications import queries, services, wordings
from governance.communications.models import Announcement, Audience
from governance.communications.services.common import may_prepare
from governance.enforcement.services import looks
from governance.errors import Invalid, NotFound, WrongState
from governance.ledger import queries as ledger
from governance.values import Unfit, moment
from governance.web.forms import typed_time
from governance.web.http import Visit, status_of
from governance.web.listing import Listing, contains
from governance.web.views.directives import head

LIST = Listing(sorts={"id": "pk"}, default="-id")
CAME_BACK = Listing(
    sorts={"name": "person__family_name"},
    default="name",
    filters={"q": contains("person__given_name", "person__family_name", "person__email")},
)
_LOG = 12


def plan(request: Visit, reference: str) -> HttpResponse:
    """The messages of a directive's pending version, else of the one in force. Each look is logged: an example names somebody."""
    return _plan(request, reference)


def _plan(
    request: Visit, reference: str, errors: list[tuple[str, str]] | None = None, wrong: str = ""
) -> HttpResponse:  # fmt: skip
    request.actor.require("view_covered")
    context = head(request, reference, "messages")
    directive, pending = context["directive"], context["pending"]
    version = pending or directive.version_in_force
    looks.record_look(actor=request.actor, what="an example of messages to people", subject=directive.subject)
    announcements = LIST.page(request, queries.announcements_of(directive))
    held = queries.held_of(directive)
    context |= {
        "version": version,
        "plan": queries.plan(version) if version is not None else None,
        "held": held,
        "page": announcements,
        "prepares": may_prepare(request.actor),
        "names": {value: wordings.names_for(value) for value in Audience.values},
        "left_out": wordings.LEFT_OUT,
        "errors": errors,
        "wrong": wrong,
        "typed": request.POST if errors else {},
        "anchors": [f"{field}-{wrong}" for field in ("subject", "body")] + ["until"],
    }
    return render(request, "announcements/plan.html", context, status=422 if errors else 200)


@require_POST
def word(request: Visit, reference: str, number: int) -> HttpResponse:
    """Keep the words for one audience, or take the standard ones again."""
    audience = request.POST.get("audience", "")
    given: dict[str, Any] = {
        "actor": request.actor, "reference": reference, "number": number, "audience": audience,
    }  # fmt: skip
    try:
        if request.POST.get("act") == "standard":
            services.reset_wording(**given)
        else:
            services.save_wording(
                **given, subject=request.POST.get("subject", ""), body=request.POST.get("body", "")
            )  # fmt: skip
    except Invalid as refused:
        return _plan(request, reference, [(f"{field}-{audience}", text) for field, text in refused.errors], audience)
    messages.success(request, "Saved. Whatever goes out from now on has these words.")
    return redirect("directive-messages", reference=reference)


@require_POST
def hold(request: Visit, reference: str, number: int) -> HttpResponse:
    """Hold the messages of a version until a time, or let them go with its activation."""
    until = None
    try:
        if request.POST.get("act") != "with-activation":
            until = moment(typed_time(request.POST.get("until", "")))
        services.hold(actor=request.actor, reference=reference, number=number, until=until)
    except Unfit:
        return _plan(request, reference, [("until", "must be a day and a time")])
    except Invalid as refused:
        return _plan(request, reference, list(refused.errors) or [("until", refused.reason)])
    messages.success(request, "They are held for counsel until then." if until else "They go out with the activation.")
    return redirect("directive-messages", reference=reference)


def _find(announcement_id: int) -> Announcement:
    found = (
        Announcement.objects.filter(pk=announcement_id)
        .select_related("directive", "version", "corrects", "run")
        .first()
    )
    if found is None:
        raise NotFound("There is no such announcement.")
    return found


def _live(request: Visit, announcement: Announcement) -> dict[str, Any]:
    return {
        "announcement": announcement,
        "progress": queries.progress(announcement),
        "may_stop": queries.may_stop(request.actor, announcement),
        "may_release": request.actor.has("release_messages"),
    }


def detail(request: Visit, announcement_id: int) -> HttpResponse:
    return _detail(request, announcement_id)


def _detail(request: Visit, announcement_id: int, refused: Invalid | WrongState | None = None) -> HttpResponse:
    """One announcement; who is named among what came back makes it a look that is logged."""
    request.actor.require("view_covered")
    announcement = _find(announcement_id)
    errors = refused and ((isinstance(refused, Invalid) and list(refused.errors)) or [("", refused.reason)])
    looks.record_look(actor=request.actor, what="messages that came back", subject=announcement.directive.subject)
    context = _live(request, announcement) | {
        "page": CAME_BACK.page(request, queries.not_delivered(announcement)),
        "told": queries.told_by_audience(announcement),
        "log": ledger.timeline(announcement.subject)[:_LOG],
        "prepares": may_prepare(request.actor),
        "errors": errors,
        "typed": request.POST if errors else {},
        "anchors": ["subject", "body", "reason"],
    }
    return render(request, "announcements/detail.html", context, status=status_of(refused) if refused else 200)


def live(request: Visit, announcement_id: int) -> HttpResponse:
    """The progress panel, asked for every two seconds while it is sent; the last answer stops the asking."""
    request.actor.require("view_covered")
    return render(request, "announcements/_live.html", _live(request, _find(announcement_id)))


@require_POST
def act(request: Visit, announcement_id: int) -> HttpResponse:
    """Release, stop, correct, send again; each button sends its name."""
    name = request.POST.get("act", "")
    if name not in _ACTS:
        raise Invalid("There is no such act.")
    try:
        leads_to, words = _ACTS[name](request, announcement_id)
    except (Invalid, WrongState) as refused:
        return _detail(request, announcement_id, refused)
    messages.success(request, words)
    return redirect("announcement", announcement_id=leads_to)


def _release(request: Visit, announcement_id: int) -> tuple[int, str]:
    services.release(actor=request.actor, announcement_id=announcement_id)
    return announcement_id, "Released. They go to whoever they concern now."


def _stop(request: Visit, announcement_id: int) -> tuple[int, str]:
    services.stop(actor=request.actor, announcement_id=announcement_id, reason=request.POST.get("reason", ""))
    return announcement_id, "Stopped. Nothing more of it goes out."


def _correct(request: Visit, announcement_id: int) -> tuple[int, str]:
    seen = request.POST.get("seen", "")
    found = services.correct(
        actor=request.actor, announcement_id=announcement_id, audience=request.POST.get("audience", ""),
        subject=request.POST.get("subject", ""), body=request.POST.get("body", ""),
        seen=int(seen) if seen.isascii() and seen.isdigit() else -1,
    )  # fmt: skip
    return found.pk, "The correction goes to exactly those who got the first."


def _again(request: Visit, announcement_id: int) -> tuple[int, str]:
    number = request.POST.get("message", "")
    message_id = int(number) if number.isascii() and number.isdigit() and len(number) < 19 else 0
    services.send_again(actor=request.actor, message_id=message_id)
    return announcement_id, "It is sent once more, to the address on record now."


_ACTS = {"release": _release, "stop": _stop, "correct": _correct, "again": _again}
