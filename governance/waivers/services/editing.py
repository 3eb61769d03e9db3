"""Changing what an open exception asks for: the approval begins again, and every decision on it is void."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import transaction

from governance.accounts.actor import Actor
from governance.approvals import services as approvals
from governance.approvals.models import Vote
from governance.catalog.models import ModelCapability
from governance.errors import PermissionRefused, WrongState
from governance.waivers import queries
from governance.waivers.attachments import Attached
from governance.waivers.models import ExceptionAttachment, ExceptionCapability, ExceptionRequest
from governance.waivers.services.accepting import LONGEST_CONDITION
from governance.waivers.services.exceptions import refuse_closed
from governance.waivers.services.licences import licence_for
from governance.waivers.services.requests import NOT_YOURS, digest_of, lock, misfit, names, record
from governance.waivers.services.terms import check_terms, refuse_overlap, risk_of, short_text, summary_of
from governance.waivers.states import ExceptionState


@transaction.atomic
def edit_exception(
    *,
    actor: Actor,
    exception_id: int,
    items: Sequence[ModelCapability],
    days: int,
    reason: str,
    licence: str | None = None,
    mitigation: str = "",
    conditions: str = "",
    attached: Sequence[Attached] = (),
) -> int:
    """The filer's edit of an open request, judged as a filing is; returns how many decisions it made void.

    What is changed follows the approval's next revision, which has no decision yet: the triggers hold that order.
    """
    directive, request = lock(exception_id)
    if actor.user is None or request.filer_id != actor.user.pk:
        raise PermissionRefused("Only the person who filed an exception can change it.")
    if not queries.may_ask_for(actor.user, request.person, request.renews):
        raise PermissionRefused(NOT_YOURS)
    refuse_closed(request, ExceptionState.OPEN)
    before, stood = _summary(request, _items(request)), _content(request, _items(request), None)
    request.reason, request.mitigation = check_terms(
        items, days=days, reason=reason, mitigation=mitigation, attached=attached
    )
    request.conditions = short_text("conditions", conditions, LONGEST_CONDITION).strip()
    request.days = days
    unfit = misfit(directive, request, items)
    if unfit is not None:
        raise WrongState(unfit)
    refuse_overlap(directive, request.person, items, but=request, waiver=request.renews)
    assert directive.version_in_force is not None
    request.licence = licence_for(directive.version_in_force, items, days, licence)
    digest = digest_of(request, items, attached)
    if digest == request.digest:
        raise WrongState("Nothing was changed; the decisions so far stand.")
    asked = approvals.open_request_for(request.subject)
    void = Vote.objects.filter(request=asked, revision=asked.revision).count()
    approvals.revise(
        actor=actor, request=asked, content_digest=digest, summary=summary_of(request.person, items, days),
        risk=risk_of(items, days), relations=queries.related_to(actor.user, directive, {item.model for item in items}),
    )  # fmt: skip
    _change_rows(request, items, attached)
    request.digest, request.revision = digest, request.revision + 1
    request.save(update_fields=["days", "reason", "mitigation", "conditions", "licence", "digest", "revision"])
    stands = _content(request, items, attached)
    changed = [name for name in stands if stands[name] != stood[name]]
    files = {"attachments": [one.sha256 for one in attached]} if attached else {}
    record(
        actor, request, "edited", before=before, after=_summary(request, items), changed=changed, void=void,
        revision=request.revision, **files,
    )  # fmt: skip
    return void


def _summary(request: ExceptionRequest, items: Sequence[ModelCapability]) -> dict[str, Any]:
    return {"items": names(items), "days": request.days, "mitigation": request.mitigation}


def _content(
    request: ExceptionRequest, items: Sequence[ModelCapability], attached: Sequence[Attached] | None
) -> dict[str, Any]:
    """What an edit can change, to tell which of it did."""
    files = (
        request.attachments.values_list("sha256", flat=True) if attached is None else [one.sha256 for one in attached]
    )
    return _summary(request, items) | {
        "reason": request.reason, "conditions": request.conditions, "licence": request.licence_id,
        "attachments": sorted(set(files)),
    }  # fmt: skip


def _items(request: ExceptionRequest) -> list[ModelCapability]:
    return list(request.model_capabilities.select_related("model", "capability"))


def _change_rows(request: ExceptionRequest, items: Sequence[ModelCapability], attached: Sequence[Attached]) -> None:
    wanted = {item.pk for item in items}
    capabilities = ExceptionCapability.objects.filter(request=request)
    kept = set(capabilities.values_list("model_capability", flat=True))
    capabilities.exclude(model_capability__in=wanted).delete()
    ExceptionCapability.objects.bulk_create(
        ExceptionCapability(request=request, model_capability_id=pk) for pk in sorted(wanted - kept)
    )
    files = {one.sha256: one for one in attached}
    there = set(request.attachments.values_list("sha256", flat=True))
    request.attachments.exclude(sha256__in=files).delete()
    ExceptionAttachment.objects.bulk_create(
        ExceptionAttachment(request=request, **one.as_json()) for sha256, one in files.items() if sha256 not in there
    )
