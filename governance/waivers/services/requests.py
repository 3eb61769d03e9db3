"""What every act on an exception request shares: its lock, its digest, its limits, and whether it still fits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from governance.accounts.actor import Actor
from governance.catalog.models import ModelCapability
from governance.directives import services as directives
from governance.directives.models import Directive, DirectiveVersion, Waivable, WaiverPolicy
from governance.directives.services import now
from governance.directives.states import DirectiveState
from governance.errors import NotFound
from governance.ledger import services as ledger
from governance.rules.language import canonical
from governance.waivers import queries
from governance.waivers.attachments import Attached
from governance.waivers.models import ExceptionRequest

MAX_DAYS = 90
MAX_DAYS_TIER_4 = 30
DEFAULT_DAYS = 14
NOT_YOURS = (
    "You can file exceptions for people who report to you, directly or indirectly, and for the members of an organisation that "
    "you own; operators also for people who have no manager. Nobody files for themselves."
)


def lock(exception_id: int) -> tuple[Directive, ExceptionRequest]:
    """The exception's directive and the exception, locked in that order: no version takes force while it is decided."""
    reference = ExceptionRequest.objects.filter(pk=exception_id).values_list("directive__reference", flat=True).first()
    if reference is None:
        raise NotFound(f"There is no exception {exception_id}.")
    directive = directives.lock(reference)
    request = (
        ExceptionRequest.objects.select_for_update(of=("self",))
        .select_related("version", "person", "licence", "filer")
        .get(pk=exception_id)
    )
    request.directive = directive
    return directive, request


def limit_of(items: Sequence[ModelCapability]) -> int:
    """For how many days an exception may ask, by the highest tier among what it asks for."""
    return MAX_DAYS_TIER_4 if max(item.capability.tier for item in items) >= 4 else MAX_DAYS


def misfit(directive: Directive, request: ExceptionRequest, items: Sequence[ModelCapability]) -> str | None:
    """Why the version in force leaves no room for what was asked for; None if it does.

    The version in force counts, not the one it was filed under: that may have said less.
    """
    version = directive.version_in_force
    if directive.state not in (DirectiveState.ACTIVE, DirectiveState.SUSPENDED) or version is None or _over(version):
        return f"{directive.reference} is not in force any more; there is nothing to waive."
    if version.waivable == Waivable.NEVER:
        return f"Version {version.number} of {directive.reference} admits no waivers."
    if version.pk != request.version_id and version.waivers == WaiverPolicy.END:
        return f"Version {version.number} of {directive.reference} ended what was asked for under earlier versions."
    outside = {item.pk for item in items} - queries.model_capabilities_in_scope(version)
    if outside:
        gone = names([item for item in items if item.pk in outside])
        return f"Version {version.number} of {directive.reference} does not cover {', '.join(gone)}."
    if request.days > limit_of(items):
        return f"It asks for {request.days} days. By now the limit is {limit_of(items)} days."
    return None


def _over(version: DirectiveVersion) -> bool:
    return version.expires_at is not None and version.expires_at <= now()


def digest_of(
    request: ExceptionRequest, items: Sequence[ModelCapability], attached: Sequence[Attached] | None = None
) -> str:
    """The digest that approvals are bound to: SHA-256 of everything that was asked for, attached files included."""
    if attached is None:
        attached = [Attached.of(row) for row in request.attachments.all()] if request.pk else []
    content: dict[str, Any] = {
        "directive": request.directive.reference,
        "version": request.version.number,
        "person": request.person_id,
        "model_capabilities": sorted(names(items)),
        "days": request.days,
        "reason": request.reason,
        "mitigation": request.mitigation,
        "licence": request.licence.reference if request.licence else None,
    }
    if attached:
        content["attachments"] = sorted([one.sha256, one.name] for one in attached)
    return hashlib.sha256(canonical(content)).hexdigest()


def names(items: Sequence[ModelCapability]) -> list[str]:
    return sorted(f"{item.model.slug}/{item.capability.slug}" for item in items)


def in_words(items: Sequence[ModelCapability]) -> str:
    """*Fable 5 general use and code review; Mythos 5 general use*."""
    by_model: dict[str, list[str]] = {}
    for item in sorted(items, key=lambda item: (item.model.name, item.capability.name)):
        by_model.setdefault(item.model.name, []).append(item.capability.name.lower())
    return "; ".join(f"{model} {', '.join(names)}" for model, names in by_model.items())


def record(actor: Actor, request: ExceptionRequest, act: str, **data: Any) -> None:
    reference = request.directive.reference
    ledger.append(
        action=f"exception.{act}",
        actor=actor.name,
        via=actor.via,
        subject=request.subject,
        also=[request.directive.subject, f"person:{request.person_id}"],
        data={"digest": request.digest, **data},
    )
    ledger.publish(
        topic=f"exception.{act}", key=request.subject, payload={"exception": request.pk, "directive": reference, **data}
    )
