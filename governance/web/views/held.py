"""Held changes: what waits for a second person because it would loosen, and what each would open."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from governance.enforcement import held
from governance.enforcement.services import held as services
from governance.enforcement.services import looks
from governance.people.models import HeldOrganisation, HeldPerson
from governance.web.http import Visit
from governance.web.listing import Listing, contains

PEOPLE = Listing(
    sorts={"proposed": "proposed_at", "name": "person__family_name"},
    default="proposed",
    filters={"q": contains("person__given_name", "person__family_name", "person__email", "person__id")},
)
ORGANISATIONS = Listing(
    sorts={"proposed": "proposed_at", "name": "organisation__name"},
    default="proposed",
    filters={"q": contains("organisation__name", "organisation__id")},
)


def listing(request: Visit) -> HttpResponse:
    """The held people or organisations. Each look is recorded: being held says something about somebody."""
    request.actor.require("view_held")
    of_people = request.GET.get("of") != "organisations"
    looks.record_look(actor=request.actor, what="held changes", subject="people:all")
    if of_people:
        people = HeldPerson.objects.select_related("person__organisation", "person__manager", "organisation", "manager")
        page = PEOPLE.page(request, people)
        effects = held.of_people([row.pk for row in page.rows])
    else:
        page = ORGANISATIONS.page(request, HeldOrganisation.objects.select_related("organisation__parent", "parent"))
        effects = held.of_organisations([row.pk for row in page.rows])
    decides = request.actor.has("confirm_held")
    me = services.mine(request.user)
    context: dict[str, Any] = {
        "page": page,
        "of_people": of_people,
        "counts": (HeldPerson.objects.count(), HeldOrganisation.objects.count()),
        "rows": [
            {
                "held": row,
                "thing": row.person if of_people else row.organisation,
                "effects": effects[row.pk],
                "differences": held.differences(row),
                "why_not": services.why_not(request.user, me, row) if decides else None,
            }
            for row in page.rows
        ],
        "decides": decides,
    }
    return render(request, "people/held.html", context)


@require_POST
def decide(request: Visit) -> HttpResponse:
    what, verdict = request.POST.get("what", ""), request.POST.get("verdict", "")
    services.decide(
        actor=request.actor, what=what, key=request.POST.get("key", ""), verdict=verdict,
        seen=request.POST.get("seen", ""),
    )  # fmt: skip
    messages.success(
        request, "Confirmed. It is in force." if verdict == "confirm" else "Refused. What was on record stays."
    )
    return redirect(reverse("held") + ("?of=organisations" if what == "organisation" else ""))
