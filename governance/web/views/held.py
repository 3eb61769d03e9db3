"""Held changes: what waits for a second person because it would loosen, and what each would open."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST

from governance.approvals import queries as approvals
from governance.approvals.models import Request
from governance.approvals.services.policies import KIND as POLICY_KIND
from governance.approvals.states import RequestState
from governance.enforcement import change_words, held
from governance.enforcement.held import Difference
from governance.enforcement.held_models import ROLES
from governance.enforcement.models import HeldChange
from governance.enforcement.services import changes, looks, roles
from governance.enforcement.services import held as services
from governance.enforcement.turns import Turns
from governance.people.models import HeldOrganisation, HeldPerson, HeldWhat
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


ACCOUNTS = Listing(sorts=CATALOG.sorts, default="proposed", filters={"q": contains("key")})


def listing(request: Visit) -> HttpResponse:
    """What is held, by sections. Each look at people and organisations is recorded: being held says something about somebody.

    Whoever gives roles sees those that wait, and nothing else that does.
    """
    of = request.GET.get("of", "people")
    if of == "roles" and request.actor.has("administer"):
        return _changes(request, of, ACCOUNTS.page(request, HeldChange.objects.filter(what=ROLES)))
    request.actor.require("view_held")
    match of:
        case "catalog":
            return _changes(request, of, CATALOG.page(request, HeldChange.objects.exclude(what=ROLES)))
        case "roles":
            return _changes(request, of, ACCOUNTS.page(request, HeldChange.objects.filter(what=ROLES)))
        case "policies":
            return _policies(request)
    return _states(request, of_people=of != "organisations")


def _tabs(request: Visit, of: str) -> dict[str, Any]:
    """The sections that the account may open, with how many wait in each."""
    roles = HeldChange.objects.filter(what=ROLES).count()
    tabs = [("roles", "Roles", roles)]
    if request.actor.has("view_held"):
        tabs = [
            ("people", "People", HeldPerson.objects.count()),
            ("organisations", "Organisations", HeldOrganisation.objects.count()),
            ("catalog", "Catalog", HeldChange.objects.exclude(what=ROLES).count()),
            ("roles", "Roles", roles),
            ("policies", "Approval policies", _open_policies().count()),
        ]
    return {"of": of, "tabs": tabs}


def _open_policies() -> QuerySet[Request]:
    return Request.objects.filter(kind=POLICY_KIND, state=RequestState.OPEN).select_related("requester")


def _policies(request: Visit) -> HttpResponse:
    """Versions of approval policies that wait for their second person: decided with the other requests."""
    rows = list(_open_policies().order_by("opened_at", "pk"))
    readable = set(
        approvals.visible_to(request.user).filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True)
    )
    context = {"rows": [(row, row.pk in readable) for row in rows]}
    return render(request, "people/held_policies.html", _tabs(request, "policies") | context)


def _states(request: Visit, *, of_people: bool) -> HttpResponse:
    looks.record_look(actor=request.actor, what="held changes", subject="people:all")
    if of_people:
        people = HeldPerson.objects.select_related("person__organisation", "person__manager", "organisation", "manager")
        page = PEOPLE.page(request, people)
        effects = held.of_people([row.pk for row in page.rows])
    else:
        page = ORGANISATIONS.page(request, HeldOrganisation.objects.select_related("organisation__parent", "parent"))
        effects = held.of_organisations([row.pk for row in page.rows])
    decides, named = request.actor.has("confirm_held"), request.actor.has("view_people")
    me = services.mine(request.user)
    context: dict[str, Any] = _tabs(request, "people" if of_people else "organisations") | {
        "page": page,
        "rows": [
            {
                "what": HeldWhat.PERSON if of_people else HeldWhat.ORGANISATION,
                "key": row.pk,
                "held": row,
                "name": (row.person if of_people else row.organisation) if named else "",
                "address": reverse("person", args=[row.pk]) if of_people and named else "",
                "about": row.pk,
                "changes": [_difference(one) for one in held.differences(row)],
                "effect": (effects[row.pk].confirmed, effects[row.pk].refused),
                "why_not": services.why_not(request.user, me, row) if decides else None,
            }
            for row in page.rows
        ],
        "decides": decides,
    }
    return render(request, "people/held.html", context)


def _difference(found: Difference) -> str:
    return f"{found.label}: " + ("changed, hidden" if found.hidden else f"{found.before} to {found.after}")


def _changes(request: Visit, of: str, page: Page) -> HttpResponse:
    decides = changes.may_decide(request.actor, ROLES if of == "roles" else "")
    accounts = changes.confirmers()
    effects = changes.effects(page.rows, list(accounts))
    deciding = roles.deciding() if of == "roles" else set()
    rows, readable = [], request.actor.has("view_rights")
    for row in page.rows:
        effect = effects.get(row.pk, (Turns(), Turns()))
        before, after = change_words.sides(row)
        rows.append(
            {
                "what": row.what,
                "key": row.key,
                "held": row,
                "name": row.key,
                "address": reverse("rights-account", args=[row.key]) if of == "roles" and readable else "",
                "about": change_words.title(row),
                "changes": [f"On record: {before}", f"Proposed: {after}"],
                "effect": tuple(turned.opened for turned in effect),
                "gains": change_words.rights_gained(row, deciding) if of == "roles" else [],
                "why_not": changes.why_not(request.actor, row, effect, accounts) if decides else None,
            }
        )
    context = {"page": page, "rows": rows, "decides": decides}
    return render(request, "people/held.html", _tabs(request, of) | context)


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
    of = {"person": "", "organisation": "?of=organisations"}.get(what, f"?of={'roles' if what == ROLES else 'catalog'}")
    return redirect(reverse("held") + of)
