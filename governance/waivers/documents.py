"""Exceptions and waivers as JSON, the same for programs and commands."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from governance.accounts.models import User
from governance.approvals import queries as approvals
from governance.catalog.models import ModelCapability
from governance.waivers import conditions, queries
from governance.waivers.models import ExceptionRequest, Waiver


def exception_row(one: ExceptionRequest) -> dict[str, Any]:
    """One exception in a list. Its model capabilities are read beforehand."""
    return {
        "id": one.pk, "directive": one.directive.reference, "person": one.person_id, "filer": one.filer.username,
        "items": items(list(one.model_capabilities.all())), "days": one.days, "state": one.state,
        "close_reason": one.close_reason, "digest": one.digest,
        "licence": one.licence.reference if one.licence else None, "filed_at": one.filed_at.isoformat(),
    }  # fmt: skip


def exception_for(user: User, one: ExceptionRequest) -> dict[str, Any]:
    """Everything about one exception that an account may read of it."""
    waiver = getattr(one, "waiver", None)
    return exception_row(one) | {
        "reason": one.reason if queries.may_read_reason(user, one) else None,
        "mitigation": one.mitigation,
        "conditions": conditions.of(one),
        "conditions_digest": one.conditions_digest or None,
        "renews": one.renews_id,
        **progress(one),
        "waiver": {
            "id": waiver.pk,
            "starts_at": waiver.starts_at.isoformat(),
            "ends_at": waiver.ends_at.isoformat(),
            "ended_at": _at(waiver.ended_at),
        }
        if waiver
        else None,
    }


def progress(one: ExceptionRequest) -> dict[str, Any]:
    """The request that asks for its approval, and the stages of that as it is now."""
    asked = approvals.requests_about(one.subject).first()
    stages = [stage for stage in asked.stages.all() if stage.revision == asked.revision] if asked else []
    return {
        "approval": asked.pk if asked else None,
        "stages": [{"name": stage.name, "state": stage.state} for stage in stages],
    }


def waiver_row(one: Waiver) -> dict[str, Any]:
    """One waiver in a list. Its capabilities are read beforehand."""
    return {
        "id": one.pk, "directive": one.directive.reference, "person": one.person_id,
        "items": items([line.model_capability for line in one.capabilities.all()]), "exception": one.request_id,
        "break_glass": one.break_glass_id, "licence": one.licence.reference if one.licence else None,
        "starts_at": _at(one.starts_at), "ends_at": _at(one.ends_at), "ended_at": _at(one.ended_at),
        "end_reason": one.end_reason,
    }  # fmt: skip


def items(found: list[ModelCapability]) -> list[dict[str, str]]:
    pairs = sorted((item.model.slug, item.capability.slug) for item in found)
    return [{"model": model, "capability": capability} for model, capability in pairs]


def _at(moment: datetime | None) -> str | None:
    return moment.isoformat() if moment else None
