"""Held changes: what waits for a second person because it would loosen, and what each would open."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from governance.enforcement import change_words, held
from governance.enforcement.held_models import ROLES
from governance.enforcement.models import HeldChange
from governance.enforcement.services import changes, looks
from governance.enforcement.services import held as services
from governance.people.models import HeldOrganisation, HeldPerson
from governance.web.http import Visit
from governance.web.listing import Listing, Page, contains

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


CATALOG = Listing(
    sorts={"proposed": "proposed_at", "name": "key"}, default="proposed", filters={"q": contains("what", "key")}
)


def listing(request: Visit) -> HttpResponse:
    """What is held, by sections. Each look at people and organisations is recorded: being held says something about somebody."""
    of = request.GET.get("of", "people")
    if of == "catalog":
        request.actor.require("view_held")
        return _changes(request, of, CATALOG.page(request, HeldChange.objects.exclude(what=ROLES)))
    request.actor.require("view_held")
    return _states(request, of_people=of != "organisations")


def _tabs(of: str) -> dict[str, Any]:
    """The sections with how many wait in each."""
    catalog = HeldChange.objects.exclude(what=ROLES).count()
    return {
        "of": of,
        "tabs": [
            ("people", "People", HeldPerson.objects.count()),
            ("organisations", "Organisations", HeldOrganisation.objects.count()),
            ("catalog", "Catalog", catalog),
        ],
    }


def _states(request: Visit, *, of_people: bool) -> HttpResponse:
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
    context: dict[str, Any] = _tabs("people" if of_people else "organisations") | {
        "page": page,
        "of_people": of_people,
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


def _changes(request: Visit, of: str, page: Page) -> HttpResponse:
    decides = request.actor.has("confirm_held")
    accounts = changes.confirmers()
    effects = changes.effects(page.rows, list(accounts))
    rows = []
    for row in page.rows:
        effect = effects[row.pk]
        before, after = change_words.sides(row)
        rows.append(
            {
                "held": row, "title": change_words.title(row), "before": before, "after": after, "effect": effect,
                "why_not": changes.why_not(request.actor, row, effect, accounts) if decides else None,
            }
        )  # fmt: skip
    return render(request, "people/held_changes.html", _tabs(of) | {"page": page, "rows": rows, "decides": decides})


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
    of = {"person": "", "organisation": "?of=organisations"}.get(what, "?of=catalog")
    return redirect(reverse("held") + of)
