"""Exceptions: filed for a report, looked at, withdrawn."""

from __future__ import annotations

from typing import Any

from governance.api.people.access import Call, body, window, words
from governance.approvals import queries as approvals
from governance.enforcement.services.exceptions import file_exception
from governance.errors import Invalid, NotFound
from governance.waivers import queries, services
from governance.waivers.models import ExceptionRequest


def listing(request: Call) -> dict[str, Any]:
    """Exceptions that the account may see, newest first."""
    limit, after = window(request)
    found = _visible(request)
    rows = list((found.filter(pk__lt=after) if after else found)[: limit + 1])
    shown = rows[:limit]
    return {"exceptions": [_document(one) for one in shown], "next": shown[-1].pk if len(rows) > limit else None}


def file(request: Call) -> Any:
    """File an exception for one report."""
    sent = body(request)
    filed = file_exception(
        actor=request.actor,
        reference=words(sent, "directive", limit=200),
        person_id=words(sent, "person", limit=200),
        items=_items(sent.get("items")),
        days=sent.get("days"),  # type: ignore[arg-type]  # the service says what is wrong with anything but a number
        reason=words(sent, "reason"),
        mitigation=words(sent, "mitigation", default=""),
        licence=words(sent, "licence", default="") or None,
    )
    return _full(filed), 201, {"Location": f"/api/v1/exceptions/{filed.pk}"}


def _items(sent: Any) -> list[tuple[str, str]]:
    well_formed = isinstance(sent, list) and all(
        isinstance(item, dict) and isinstance(item.get("model"), str) and isinstance(item.get("capability"), str)
        for item in sent
    )
    if not well_formed:
        raise Invalid("The request is not acceptable.", [("items", "must be a list of {model, capability}")])
    return [(item["model"], item["capability"]) for item in sent]


def detail(request: Call, exception_id: int) -> dict[str, Any]:
    """One exception, with its approval and its waiver."""
    return _full(_find(request, exception_id))


def withdraw(request: Call, exception_id: int) -> dict[str, Any]:
    """The filer takes an exception back."""
    _find(request, exception_id)
    services.withdraw_exception(actor=request.actor, exception_id=exception_id)
    return _full(_find(request, exception_id))


def _visible(request: Call) -> Any:
    return queries.exceptions_visible_to(request.user).prefetch_related(
        "model_capabilities__model", "model_capabilities__capability"
    )


def _find(request: Call, exception_id: int) -> ExceptionRequest:
    found = _visible(request).filter(pk=exception_id).first()
    if found is None:
        raise NotFound(f"There is no exception {exception_id} that you may see.")
    return found


def _document(one: ExceptionRequest) -> dict[str, Any]:
    return {
        "id": one.pk, "directive": one.directive.reference, "person": one.person_id, "filer": one.filer.username,
        "items": sorted(
            ({"model": item.model.slug, "capability": item.capability.slug} for item in one.model_capabilities.all()),
            key=lambda item: (item["model"], item["capability"]),
        ),
        "days": one.days, "state": one.state, "close_reason": one.close_reason, "digest": one.digest,
        "licence": one.licence.reference if one.licence else None, "filed_at": one.filed_at.isoformat(),
    }  # fmt: skip


def _full(one: ExceptionRequest) -> dict[str, Any]:
    asked = approvals.requests_about(one.subject).first()
    waiver = getattr(one, "waiver", None)
    return _document(one) | {
        "reason": one.reason,
        "mitigation": one.mitigation,
        "approval": asked.pk if asked else None,
        "stages": [{"name": stage.name, "state": stage.state} for stage in asked.stages.all()] if asked else [],
        "waiver": {
            "id": waiver.pk,
            "starts_at": waiver.starts_at.isoformat(),
            "ends_at": waiver.ends_at.isoformat(),
            "ended_at": waiver.ended_at.isoformat() if waiver.ended_at else None,
        }
        if waiver
        else None,
    }
