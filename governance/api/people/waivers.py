"""Waivers: the list, one with its conditions, revoked, renewed; and break-glass, by two people and a third who reviews it."""

from __future__ import annotations

from typing import Any

from governance.api.people.access import Call, at, body, choice, items, newest_first, words
from governance.api.people.exceptions import filed_answer
from governance.catalog.models import ModelCapability
from governance.enforcement.services.waivers import break_glass, renew_waiver
from governance.errors import NotFound, PermissionRefused
from governance.waivers import conditions, queries, services
from governance.waivers.documents import items as items_of
from governance.waivers.documents import waiver_row
from governance.waivers.models import BreakGlass, Waiver

STATES = ("", queries.RUNNING, queries.ENDING_SOON, queries.ENDED)
BREAK_GLASS_STATES = ("", "asked", "unreviewed", "overdue")


def listing(request: Call) -> Any:
    """Waivers that the account may see, newest first."""
    found = queries.in_state(_visible(request), choice(request, "state", STATES))
    return newest_first(request, found, "waivers", waiver_row)


def detail(request: Call, waiver_id: int) -> dict[str, Any]:
    return _full(_find(request, waiver_id))


def revoke(request: Call, waiver_id: int) -> dict[str, Any]:
    """End a running waiver; what it permitted is denied from this answer on."""
    reason = words(body(request), "reason", limit=200)
    services.revoke_waiver(actor=request.actor, waiver_id=_find(request, waiver_id).pk, reason=reason)
    return detail(request, waiver_id)


def renew(request: Call, waiver_id: int) -> Any:
    """A new exception that carries everything over and passes every stage again."""
    return filed_answer(request, renew_waiver(actor=request.actor, waiver_id=_find(request, waiver_id).pk))


def _visible(request: Call) -> Any:
    return queries.waivers_visible_to(request.user).prefetch_related(
        "capabilities__model_capability__model", "capabilities__model_capability__capability"
    )


def _find(request: Call, waiver_id: int) -> Waiver:
    found: Waiver | None = _visible(request).filter(pk=waiver_id).first()
    if found is None:
        raise NotFound(f"There is no waiver {waiver_id} that you may see.")
    return found


def _full(one: Waiver) -> dict[str, Any]:
    return waiver_row(one) | {
        "conditions": conditions.of(one.request) if one.request else [],
        "renewals": list(one.renewals.order_by("pk").values_list("pk", flat=True)),
    }


# -- break-glass -------------------------------------------------------------------------------------------------------


def broken(request: Call) -> Any:
    """What was opened without stages, or is asked for, newest first."""
    if not _may_see(request):
        raise PermissionRefused("This is for those who may break the glass, and for those who view exceptions.")
    found = _glass().filter(queries.of_break_glass(choice(request, "state", BREAK_GLASS_STATES)))
    return newest_first(request, found, "break_glass", _glass_summary)


def ask(request: Call) -> Any:
    """The first of two people; nothing opens until the second confirms it."""
    sent = body(request)
    asked = break_glass(
        actor=request.actor, reference=words(sent, "directive", limit=200), person_id=words(sent, "person", limit=200),
        items=items(sent), hours=sent.get("hours"), reason=words(sent, "reason"),  # type: ignore[arg-type]  # judged there
    )  # fmt: skip
    return glass(request, asked.pk), 201, {"Location": f"/api/v1/break-glass/{asked.pk}"}


def glass(request: Call, break_glass_id: int) -> dict[str, Any]:
    one = _find_glass(request, break_glass_id)
    found = ModelCapability.objects.filter(pk__in=one.model_capability_ids).select_related("model", "capability")
    return _glass_summary(one) | {"items": items_of(list(found))}


def confirm(request: Call, break_glass_id: int) -> dict[str, Any]:
    """The second person, on the content digest that they read: the waiver opens with this answer."""
    digest = words(body(request), "content_digest")
    services.confirm_break_glass(
        actor=request.actor, break_glass_id=_find_glass(request, break_glass_id).pk, digest=digest
    )
    return glass(request, break_glass_id)


def review(request: Call, break_glass_id: int) -> dict[str, Any]:
    """Somebody else says afterwards whether it was needed; what was not ends at once."""
    sent = body(request)
    services.review_break_glass(
        actor=request.actor, break_glass_id=_find_glass(request, break_glass_id).pk, verdict=words(sent, "verdict"),
        words=words(sent, "review"),
    )  # fmt: skip
    return glass(request, break_glass_id)


def _may_see(request: Call) -> bool:
    return request.actor.has("break_glass") or request.actor.has("view_exceptions")


def _glass() -> Any:
    return BreakGlass.objects.select_related(
        "directive", "version", "opened_by", "confirmed_by", "reviewed_by", "waiver"
    )


def _find_glass(request: Call, break_glass_id: int) -> BreakGlass:
    found: BreakGlass | None = _glass().filter(pk=break_glass_id).first() if _may_see(request) else None
    if found is None:
        raise NotFound(f"There is no break-glass {break_glass_id} that you may see.")
    return found


def _glass_summary(one: BreakGlass) -> dict[str, Any]:
    waiver = getattr(one, "waiver", None)
    return {
        "id": one.pk, "directive": one.directive.reference, "person": one.person_id, "hours": one.hours,
        "reason": one.reason, "content_digest": one.digest, "opened_by": one.opened_by.username,
        "opened_at": at(one.opened_at), "confirmed_by": one.confirmed_by.username if one.confirmed_by else None,
        "confirmed_at": at(one.confirmed_at), "review_due": at(one.review_due),
        "reviewed_by": one.reviewed_by.username if one.reviewed_by else None, "reviewed_at": at(one.reviewed_at),
        "verdict": one.verdict or None, "review": one.review, "waiver": waiver.pk if waiver else None,
    }  # fmt: skip
