"""What every act on an exception request shares: its lock, its digest, its limits, and whether it still fits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from governance.accounts.actor import Actor
from governance.catalog.models import ModelCapability
from governance.directives import content
from governance.directives import services as directives
from governance.directives.models import Directive, DirectiveVersion, Waivable, WaiverPolicy
from governance.directives.states import DirectiveState
from governance.errors import NotFound
from governance.ledger import services as ledger
from governance.moments import now
from governance.rules.language import canonical
from governance.waivers import limits, queries
from governance.waivers.attachments import Attached
from governance.waivers.models import ExceptionRequest

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
    limit = limit_by_version(request, version)
    if limit is not None and limit <= now():
        return f"Version {version.number} of {directive.reference} shortened earlier waivers to a time that has passed."
    outside = {item.pk for item in items} - queries.model_capabilities_in_scope(version)
    if outside:
        gone = names([item for item in items if item.pk in outside])
        return f"Version {version.number} of {directive.reference} does not cover {', '.join(gone)}."
    most = limits.in_force().of(items)
    if request.days > most:
        return f"It asks for {request.days} days. By now the limit is {most} days."
    return None


def limit_by_version(request: ExceptionRequest, version: DirectiveVersion) -> datetime | None:
    """Until when a version that shortens waivers lets run what was asked for under an earlier one; None if for as long as asked."""
    if version.pk == request.version_id or version.waivers != WaiverPolicy.SHORTEN:
        return None
    return content.waivers_end_by(version, version.in_force_at or now())


def _over(version: DirectiveVersion) -> bool:
    return version.expires_at is not None and version.expires_at <= now()


def digest_of(
    request: ExceptionRequest, items: Sequence[ModelCapability], attached: Sequence[Attached] | None = None
) -> str:
    """The digest that approvals are bound to: SHA-256 of everything that was asked for, attached files included."""
    if attached is None:
        attached = [Attached.of(row) for row in request.attachments.all()] if request.pk else []
    stated: dict[str, Any] = {
        "directive": request.directive.reference,
        "version": request.version.number,
        "person": request.person_id,
        "model_capabilities": sorted(names(items)),
        "days": request.days,
        "reason": request.reason,
        "mitigation": request.mitigation,
        "licence": request.licence.reference if request.licence else None,
    }
    if request.conditions:
        stated["conditions"] = request.conditions
    if request.renews_id:
        stated["renews"] = request.renews_id
    if attached:
        stated["attachments"] = sorted([one.sha256, one.name] for one in attached)
    return hashlib.sha256(canonical(stated)).hexdigest()


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
        topic=f"exception.{act}", key=request.subject,
        payload={"exception": request.pk, "directive": reference, "by": actor.name, **data},
    )  # fmt: skip
