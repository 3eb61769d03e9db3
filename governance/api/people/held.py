"""Held changes: what waits for a second person because it would loosen, with the effect of each; confirmed or refused."""

from __future__ import annotations

from typing import Any

from governance.api.people.access import Call, after_key, body, how_many, words
from governance.enforcement import held
from governance.enforcement.services import held as services
from governance.enforcement.services import looks
from governance.errors import NotFound
from governance.people.models import HeldWhat

_SORTS = {"people": HeldWhat.PERSON, "organisations": HeldWhat.ORGANISATION}
_NO_RIGHT = "Your account does not decide about held changes."


def listing(request: Call, of: str) -> dict[str, Any]:
    """The held people or organisations by their id, without any sensitive value. Each look is recorded."""
    request.actor.require("view_held")
    what = _sort(of)
    limit, after = how_many(request), after_key(request)
    looks.record_look(actor=request.actor, what="held changes", subject="people:all")
    found = held.rows_of(what)
    rows = list((found.filter(pk__gt=after) if after else found)[: limit + 1])
    shown, mine = rows[:limit], services.mine(request.user)
    decides = request.actor.has("confirm_held")
    return {
        "held": [
            told | {"refusal": services.why_not(request.user, mine, row, request.actor.via) if decides else _NO_RIGHT}
            for row, told in zip(shown, held.as_json(what, shown), strict=True)
        ],
        "next": shown[-1].pk if len(rows) > limit else None,
    }


def decide(request: Call, of: str, key: str) -> dict[str, Any]:
    """Confirm or refuse one, as it was proposed at the moment that was read."""
    sent = body(request)
    verdict = words(sent, "verdict")
    services.decide(actor=request.actor, what=_sort(of), key=key, verdict=verdict, seen=words(sent, "proposed_at"))
    return {"id": key, "verdict": verdict}


def _sort(of: str) -> HeldWhat:
    if of not in _SORTS:
        raise NotFound("There are held people and held organisations.")
    return _SORTS[of]
