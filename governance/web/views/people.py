"""People: the list, one person, the affected people of a manager, and My access."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST

from governance.approvals import progress
from governance.approvals import queries as approvals
from governance.communications import queries as communications
from governance.directives.models import Directive, Waivable
from governance.enforcement import overview
from governance.enforcement import queries as enforcement
from governance.enforcement.decision import Decision
from governance.enforcement.services import looks
from governance.errors import NotFound, PermissionRefused
from governance.people import queries
from governance.people.models import Organisation, Person, PersonKind, PersonStatus
from governance.waivers import conditions
from governance.waivers.models import ExceptionRequest
from governance.waivers.queries import (
    SOON,
    drafts_of,
    ended_early,
    exceptions_visible_to,
    may_file_for,
    people_in_care_of,
)
from governance.waivers.states import DraftState, ExceptionState
from governance.web.frames import frame_of
from governance.web.http import Visit
from governance.web.listing import Listing, Select, View, contains, equals

LIST = Listing(
    sorts={"name": "family_name", "department": "department", "kind": "kind", "id": "pk"},
    default="name",
    filters={
        "q": contains("given_name", "family_name", "email", "id"),
        "kind": equals("kind"),
        "status": equals("status"),
        "organisation": equals("organisation_id"),
        "can": overview.able,
    },
)
AFFECTED = Listing(
    sorts={"name": "person__family_name", "department": "person__department", "since": "since"},
    default="name",
    filters={
        "q": contains("person__given_name", "person__family_name", "person__email"),
        "directive": equals("directive__reference"),
        "view": lambda queryset, name: queryset.filter(**VIEWS.get(name, {})),
    },
)
ASKS = 10
TOLD = 5
VIEWS: dict[str, dict[str, Any]] = {
    "off": {"waived_until": None},
    "asked": {"exception_state": ExceptionState.OPEN},
    "waived": {"waived_until__isnull": False},
}


def _sees_everybody(request: Visit) -> bool:
    """Whether by right; owners of an organisation see its members. Raises ``PermissionRefused`` for everybody else."""
    if not request.actor.has("view_people") and not queries.organisations_of(request.user).exists():
        request.actor.require("view_people")
    return request.actor.has("view_people")


def listing(request: Visit) -> HttpResponse:
    everybody = _sees_everybody(request)
    can = None
    if wanted := request.GET.get("can", ""):  # who can use something says who is not covered
        request.actor.require("view_covered")
        can = overview.model_capability(wanted)
        if can is None:
            raise NotFound("There is no such model capability.")
        looks.record_look(actor=request.actor, what="people who can use it", subject=f"model_capability:{can.name}")
    page = LIST.page(request, queries.visible_to(request.user).select_related("organisation", "manager"))
    offered = Organisation.objects.all() if everybody else queries.organisations_of(request.user)
    organisations = list(offered.order_by("name").values_list("id", "name")[:200])
    context = {
        "page": page,
        "frame": frame_of(request),
        "everybody": everybody,
        "can": can,
        "organisations": organisations,
        "selects": [
            Select("kind", "kind", PersonKind.choices),
            Select("status", "status", PersonStatus.choices),
            Select("organisation", "organisation", organisations),
        ],
        "taken": [("can", f"Can use {can.model_name}, {can.capability_name.lower()}")] if can else [],
    }
    return render(request, "people/list.html", context)


def _find(request: Visit, person_id: str) -> Person:
    visible = queries.visible_to(request.user)
    person = visible.select_related("organisation", "manager").filter(pk=person_id).first()
    if person is None or "\x00" in person_id:
        raise NotFound("There is no such person.")
    return person


def detail(request: Visit, person_id: str) -> HttpResponse:
    """One person: record without sensitive values, and, for whom it is, every decision about them."""
    everybody = _sees_everybody(request)
    person = _find(request, person_id)
    context = {
        "person": person,
        "frame": frame_of(request),
        "everybody": everybody,
        "may_file": may_file_for(request.user, person),
        "restrictions": None if everybody else overview.affected(Person.objects.filter(pk=person.pk)),
        "purposes": looks.PURPOSES,
        "decisions": overview.decisions_of(person.pk) if request.actor.has("view_covered") else None,
        "exceptions": exceptions_visible_to(request.user).filter(person=person)[:20],
        "reports": person.direct_reports.count(),
    }
    return render(request, "people/detail.html", context)


@require_POST
def reveal(request: Visit, person_id: str) -> HttpResponse:
    """The sensitive values, after the look was recorded. The answer is not stored anywhere."""
    revealed = looks.reveal(actor=request.actor, person_id=person_id, purpose=request.POST.get("purpose", ""))
    context = {"person": _find(request, person_id), "revealed": revealed, "purpose": request.POST["purpose"]}
    template = "people/_revealed.html" if request.headers.get("HX-Request") == "true" else "people/revealed.html"
    return render(request, template, context)


def affected(request: Visit) -> HttpResponse:
    """The people in one's care whose access is off: which directive, what was asked for. Never why."""
    me = queries.person_of(request.user)
    owned = list(queries.organisations_of(request.user).order_by("name").values_list("name", flat=True))
    manager = me is not None and queries.is_manager(me)
    if not manager and not owned:
        raise PermissionRefused("This page is for people who have reports, and for owners of an organisation.")
    in_care = people_in_care_of(request.user)
    page = AFFECTED.page(request, overview.affected(in_care))
    counts = overview.affected_counts(in_care)
    references = Directive.objects.filter(state="active").order_by("reference").values_list("reference", flat=True)
    for row in page.rows:
        row.ends_soon = row.waived_until is not None and row.waived_until - timezone.now() <= SOON
    context = {
        "views": [
            View("Everybody affected", {}, counts["everybody"]),
            View("Access off", {"view": "off"}, counts["off"]),
            View("Exception asked for", {"view": "asked"}, counts["asked"]),
            View("Waived", {"view": "waived"}, counts["waived"]),
        ],
        "page": page,
        "manager": manager,
        "owned": owned,
        "frame": frame_of(request),
        "selects": [Select.of("directive", "directive", references)],
        "asked": drafts_of(request.user).filter(asked_by__isnull=False)[:ASKS],
    }
    return render(request, "people/affected.html", context)


def _by_model(decisions: list[Decision]) -> list[dict[str, str]]:
    """One row for a model whose capabilities all stand alike, else one for each state with the capabilities in it."""
    models: dict[str, dict[str, list[str]]] = {}
    for decision in decisions:
        if decision.model_capability is None:
            continue
        state = (
            "waiver" if decision.code == "waiver"
            else "on" if decision.permit
            else "outside" if decision.code == "outside_audience"
            else "off"
        )  # fmt: skip
        states = models.setdefault(decision.model_capability.model_name, {})
        states.setdefault(state, []).append(decision.model_capability.capability_name)
    return [
        {"model": model, "state": state, "what": ", ".join(names).capitalize()}
        for model, states in models.items()
        for state, names in states.items()
    ]


def _asking(me: Person, orders: list[Directive], exceptions: list[ExceptionRequest]) -> dict[str, object]:
    """What the person has asked to be filed for them, and for which directives they can ask now."""
    asks = list(me.exceptions_asked_for.select_related("directive", "author", "exception")[:ASKS])
    waiting = {one.directive_id for one in asks if one.state == DraftState.DRAFT}
    going_on = (ExceptionState.OPEN, ExceptionState.WAITING, ExceptionState.ACCEPTING)
    waiting |= {one.directive_id for one in exceptions if one.state in going_on}
    can_ask = [
        order
        for order in orders
        if order.pk not in waiting and order.version_in_force and order.version_in_force.waivable != Waivable.NEVER
    ]
    return {"asks": asks, "can_ask": can_ask}


def my_access(request: Visit) -> HttpResponse:
    """Any employee's or partner's honest page: what is on, what is off, why, and what can be done."""
    me = queries.person_of(request.user)
    context: dict[str, object] = {"frame": frame_of(request), "me": me}
    if me is not None:
        decisions = [d for d in overview.decisions_of(me.pk) if d.code not in ("capability_disabled",)]
        denied = [d for d in decisions if d.code in ("directive", "directive_unknown", "paused")]
        references = sorted({reference for decision in denied for reference in decision.directives})
        names = sorted({d.model_capability.model for d in denied if d.model_capability})
        exceptions = list(exceptions_visible_to(request.user).filter(person=me).order_by("-id")[:5])
        asked = approvals.requests_about(exceptions[0].subject).first() if exceptions else None
        waived = [d for d in decisions if d.code == "waiver"]
        orders = list(
            Directive.objects.filter(reference__in=references).select_related("version_in_force").order_by("reference")
        )
        context |= {
            "rows": _by_model(decisions),
            "denied": denied,
            "waived": waived,
            "waived_until": overview.waived_until(me) if waived else None,
            "unknown": any(decision.code == "directive_unknown" for decision in denied),
            "orders": orders,
            "since": min((order.activated_at for order in orders if order.activated_at), default=None),
            "models": overview.model_names(names),
            "exceptions": exceptions,
            "newest": exceptions[0] if exceptions else None,
            "asked": asked,
            "stages": progress.of(asked) if asked else [],
            "accepting": [(exception, conditions.of(exception)) for exception in conditions.to_accept(me)],
            "declined": [one for one in exceptions[:1] if one.state == ExceptionState.DECLINED],
            "ended_early": ended_early().filter(person=me).first(),
            "manager": me.manager,
            **_asking(me, orders, exceptions),
            "looks": enforcement.looks_at(me.pk),
            "told": communications.told_to(me, TOLD),
        }
    return render(request, "people/my_access.html", context)
