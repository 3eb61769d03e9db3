"""Held changes: what waits for a second person because it would loosen, with the effect of each; confirmed or refused."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from governance.api.people.access import Call, after_key, at, body, how_many, words
from governance.enforcement import held
from governance.enforcement.services import held as services
from governance.enforcement.services import looks
from governance.errors import NotFound
from governance.people.models import HeldOrganisation, HeldPerson, HeldWhat

_SORTS: dict[str, Any] = {
    "people": (HeldWhat.PERSON, HeldPerson, held.of_people),
    "organisations": (HeldWhat.ORGANISATION, HeldOrganisation, held.of_organisations),
}


def listing(request: Call, of: str) -> dict[str, Any]:
    """The held people or organisations by their id, without any sensitive value. Each look is recorded."""
    request.actor.require("view_held")
    what, model, effects_of = _sort(of)
    limit, after = how_many(request), after_key(request)
    looks.record_look(actor=request.actor, what="held changes", subject="people:all")
    found = model.objects.select_related(what, *_RELATED[of]).order_by("pk")
    rows = list((found.filter(pk__gt=after) if after else found)[: limit + 1])
    shown = rows[:limit]
    effects, mine = effects_of([row.pk for row in shown]), services.mine(request.user)
    decides = request.actor.has("confirm_held")
    return {
        "held": [
            _document(row, effects[row.pk], _why_not(request, mine, row) if decides else _NO_RIGHT) for row in shown
        ],
        "next": shown[-1].pk if len(rows) > limit else None,
    }


_NO_RIGHT = "Your account does not decide about held changes."
_RELATED = {
    "people": ("person__organisation", "person__manager", "organisation", "manager"),
    "organisations": ("organisation__parent", "parent"),
}


def decide(request: Call, of: str, key: str) -> dict[str, Any]:
    """Confirm or refuse one, as it was proposed at the moment that was read."""
    what, _, _ = _sort(of)
    sent = body(request)
    verdict = words(sent, "verdict")
    services.decide(actor=request.actor, what=what, key=key, verdict=verdict, seen=words(sent, "proposed_at"))
    return {"id": key, "verdict": verdict}


def _sort(of: str) -> Any:
    if of not in _SORTS:
        raise NotFound("There are held people and held organisations.")
    return _SORTS[of]


def _why_not(request: Call, mine: frozenset[str], row: HeldPerson | HeldOrganisation) -> str | None:
    return services.why_not(request.user, mine, row, request.actor.via)


def _document(row: HeldPerson | HeldOrganisation, effects: held.Effects, why_not: str | None) -> dict[str, Any]:
    return {
        "id": row.pk, "proposed_by": row.proposed_by, "proposed_at": at(row.proposed_at),
        "differences": [asdict(one) for one in held.differences(row)],
        "if_confirmed": asdict(effects.confirmed), "if_refused": asdict(effects.refused),
        "refusal": why_not,
    }  # fmt: skip
