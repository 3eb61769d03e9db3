"""Writing exception requests, waivers and licences.

Whether the person is covered is for ``enforcement.exceptions`` to know; it calls ``file_exception`` and ``decide_exception``
here, in its own transaction.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from governance.accounts.actor import Actor
from governance.approvals import services as approvals
from governance.approvals.services import ConflictSpec, Risk
from governance.catalog.models import ModelCapability
from governance.directives.content import Reader, ScopeLine
from governance.directives.models import Directive, DirectiveVersion, Waivable
from governance.directives.services import now
from governance.directives.states import DirectiveState
from governance.errors import Invalid, NotFound, PermissionRefused, Refused, WrongState
from governance.ledger import services as ledger
from governance.people.models import Person
from governance.rules.language import canonical
from governance.values import Unfit, longest, text
from governance.waivers import queries
from governance.waivers.models import ExceptionRequest, Licence, LicenceScope, Waiver, WaiverCapability
from governance.waivers.states import ExceptionState

MAX_DAYS = 90
MAX_DAYS_TIER_4 = 30
DEFAULT_DAYS = 14


# -- licences ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def register_licences(
    *, actor: Actor, directive: Directive, entries: Sequence[Mapping[str, Any]], path: str = "licences"
) -> list[Licence]:
    """Record an authority's licences for a directive. Raises ``Invalid`` with the path of each error."""
    actor.require("edit_case_file" if directive.state != DirectiveState.DRAFT else "draft_directives")
    reader = Reader.of_catalog()
    found: list[tuple[Licence, tuple[ScopeLine, ...]]] = []
    for here, entry in reader.rows(entries, path):
        licence = Licence(
            reference=reader.text(entry, "reference", here, required=True, limit=longest(Licence, "reference")),
            directive=directive,
            title=reader.text(entry, "title", here, required=True, limit=longest(Licence, "title")),
            document=reader.text(entry, "document", here, required=True, limit=longest(Licence, "document")),
            people=reader.whole_number(entry.get("people"), f"{here}.people", 1),
            valid_from=reader.time(entry, "valid_from", here),
            valid_until=reader.time(entry, "valid_until", here),
        )
        if licence.reference and licence.reference in (other.reference for other, _ in found):
            reader.error(f"{here}.reference", "stands there twice")
        if Licence.objects.filter(reference=licence.reference).exists():
            reader.error(f"{here}.reference", f"there is a licence {licence.reference} already")
        if not (licence.valid_from and licence.valid_until and licence.valid_from < licence.valid_until):
            reader.error(f"{here}.valid_until", "must lie after valid_from")
        found.append((licence, reader.scope(entry.get("scope", []), f"{here}.scope")))
    reader.finish("The licence")
    for licence, scope in found:
        licence.save()
        LicenceScope.objects.bulk_create(
            LicenceScope(licence=licence, model_id=line.model_id, capability_id=line.capability_id) for line in scope
        )
        ledger.append(
            action="licence.registered", actor=actor.name, via=actor.via, subject=f"licence:{licence.reference}",
            also=[directive.subject], data={"people": licence.people, "document": licence.document},
        )  # fmt: skip
    return [licence for licence, _ in found]


# -- exception requests ------------------------------------------------------------------------------------------------


@transaction.atomic
def file_exception(
    *,
    actor: Actor,
    directive: Directive,
    person: Person,
    items: Sequence[ModelCapability],
    days: int,
    reason: str,
    licence: str | None = None,
    mitigation: str = "",
) -> ExceptionRequest:
    """File a request for one report and open its approval. ``directive`` is locked, ``items`` lie in its scope.

    Raises ``PermissionRefused`` for anybody but a manager of the person, ``Invalid`` for days or a licence that do not
    fit, ``WrongState`` when the directive is not active or admits no waivers.
    """
    if actor.user is None or not queries.may_file_for(actor.user, person):
        raise PermissionRefused("You can file exceptions for people who report to you, directly or indirectly.")
    version = directive.version_in_force
    if directive.state != DirectiveState.ACTIVE or version is None:
        raise WrongState(f"{directive.reference} is not in force.")
    if version.waivable == Waivable.NEVER:
        raise WrongState(f"{directive.reference} admits no waivers.")
    reason = _text("reason", reason).strip()
    _text("mitigation", mitigation, longest(ExceptionRequest, "mitigation"))
    tier = max(item.capability.tier for item in items)
    _check_days(days, tier)
    if not reason:
        raise Invalid("An exception needs a reason.", [("reason", "is required")])
    _refuse_twice(directive, person, items)
    drawn_on = _licence_for(version, items, days, licence)
    request = ExceptionRequest(
        directive=directive, version=version, person=person, days=days, reason=reason, mitigation=mitigation,
        licence=drawn_on, filer=actor.user,
    )  # fmt: skip
    request.digest = _digest(request, items)
    request.save()
    request.model_capabilities.set(items)
    _record(actor, request, "filed", items=_names(items), days=days)
    approvals.open_request(
        actor=actor,
        kind="exception",
        subject=request.subject,
        content_digest=request.digest,
        summary=f"{person.name}: {_in_words(items)}, {days} days",
        risk=Risk(tier=tier, days=days),
        conflicts=[ConflictSpec(person_id=person.pk, reason=f"The exception is for you ({request.subject}).")],
    )
    return request


def _text(name: str, given: str, limit: int | None = None) -> str:
    try:
        return text(given, limit)
    except Unfit as unfit:
        raise Invalid("The exception is not acceptable.", [(name, unfit.reason)]) from None


def _check_days(days: int, tier: int) -> None:
    limit = MAX_DAYS_TIER_4 if tier >= 4 else MAX_DAYS
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= limit:
        why = " for a capability of tier 4" if tier >= 4 else ""
        raise Invalid("The duration is not acceptable.", [("days", f"must be from 1 to {limit}{why}")])


def _refuse_twice(directive: Directive, person: Person, items: Sequence[ModelCapability]) -> None:
    twice = ExceptionRequest.objects.filter(
        directive=directive, person=person, state=ExceptionState.OPEN, model_capabilities__in=items
    ).first()
    if twice is not None:
        raise WrongState(f"Exception {twice.pk} for the same person asks for that already and is still open.")


def _licence_for(
    version: DirectiveVersion, items: Sequence[ModelCapability], days: int, reference: str | None
) -> Licence | None:
    """The licence to draw on: the one named, else the one that fits if exactly one does."""
    moment = now()
    until = moment + timedelta(days=days)
    if reference:
        licence = Licence.objects.filter(reference=reference, directive=version.directive).first()
        if licence is None:
            raise Invalid("The licence does not fit.", [("licence", f"there is no licence {reference} for it")])
        _check_fit(licence, items, moment, until)
        return licence
    if version.waivable != Waivable.AUTHORITY:
        return None
    licences = [licence for licence in version.directive.licences.all() if queries.licence_has(licence, items)]
    fitting = [licence for licence in licences if licence.valid_from <= until <= licence.valid_until]
    if len(fitting) > 1:
        raise Invalid("More than one licence fits.", [("licence", f"name one of {', '.join(map(str, fitting))}")])
    running = [licence for licence in licences if licence.valid_until > moment]
    if not fitting and running:
        last = max(licence.valid_until for licence in running)
        raise Invalid("The duration is not acceptable.", [("days", f"the licence ends on {last:%Y-%m-%d}")])
    return fitting[0] if fitting else None


def _check_fit(licence: Licence, items: Sequence[ModelCapability], start: datetime, until: datetime) -> None:
    if not queries.licence_has(licence, items):
        raise Invalid("The licence does not fit.", [("licence", "its scope lacks a capability asked for")])
    if licence.valid_from > start or until > licence.valid_until:
        raise Invalid(
            "The duration is not acceptable.",
            [
                (
                    "days",
                    f"{licence.reference} runs from {licence.valid_from:%Y-%m-%d} to {licence.valid_until:%Y-%m-%d}",
                )
            ],
        )


def _digest(request: ExceptionRequest, items: Sequence[ModelCapability]) -> str:
    content = {
        "directive": request.directive.reference,
        "version": request.version.number,
        "person": request.person_id,
        "model_capabilities": sorted(_names(items)),
        "days": request.days,
        "reason": request.reason,
        "mitigation": request.mitigation,
        "licence": request.licence.reference if request.licence else None,
    }
    return hashlib.sha256(canonical(content)).hexdigest()


def _names(items: Sequence[ModelCapability]) -> list[str]:
    return sorted(f"{item.model.slug}/{item.capability.slug}" for item in items)


def _in_words(items: Sequence[ModelCapability]) -> str:
    """*Fable 5 general use and code review; Mythos 5 general use*."""
    by_model: dict[str, list[str]] = {}
    for item in sorted(items, key=lambda item: (item.model.name, item.capability.name)):
        by_model.setdefault(item.model.name, []).append(item.capability.name.lower())
    return "; ".join(f"{model} {', '.join(names)}" for model, names in by_model.items())


def lock(exception_id: int) -> ExceptionRequest:
    try:
        return (
            ExceptionRequest.objects.select_for_update(of=("self",))
            .select_related("directive", "version", "person", "licence", "filer")
            .get(pk=exception_id)
        )
    except ExceptionRequest.DoesNotExist:
        raise NotFound(f"There is no exception {exception_id}.") from None


@transaction.atomic
def decide_exception(*, actor: Actor, exception_id: int, verdict: str, comment: str = "") -> ExceptionRequest:
    """One approver's decision; the last approval opens the waiver in the same transaction."""
    request = lock(exception_id)
    if request.state != ExceptionState.OPEN:
        raise WrongState(f"Exception {request.pk} is closed: {request.get_state_display().lower()}.")
    outcome = approvals.vote(
        actor=actor,
        request=approvals.open_request_for(request.subject),
        verdict=verdict,
        comment=comment,
        content_digest=request.digest,
    )
    if outcome.state == "rejected":
        _close(request, ExceptionState.REJECTED)
        _record(actor, request, "rejected")
    elif outcome.state == "approved":
        _open_waiver(actor, request)
    return request


def _close(request: ExceptionRequest, state: ExceptionState) -> None:
    request.state = state
    request.decided_at = now()
    request.save(update_fields=["state", "decided_at"])


def _open_waiver(actor: Actor, request: ExceptionRequest) -> None:
    if request.directive.state not in (DirectiveState.ACTIVE, DirectiveState.SUSPENDED):
        raise WrongState(f"{request.directive.reference} is not in force any more; there is nothing to waive.")
    needs_licence = request.version.waivable == Waivable.AUTHORITY
    if needs_licence and request.licence is None:
        _close(request, ExceptionState.WAITING)
        _record(actor, request, "waiting")
        return
    starts = now()
    ends = starts + timedelta(days=request.days)
    if request.licence is not None:
        _check_licence(request.licence, request.person_id, starts, ends)
    waiver = Waiver.objects.create(
        person=request.person, directive=request.directive, request=request, licence=request.licence,
        starts_at=starts, ends_at=ends,
    )  # fmt: skip
    WaiverCapability.objects.bulk_create(
        WaiverCapability(waiver=waiver, model_capability=item) for item in request.model_capabilities.all()
    )
    _close(request, ExceptionState.APPROVED)
    _record(actor, request, "approved", waiver=waiver.pk, ends_at=ends.isoformat())


def _check_licence(licence: Licence, person_id: str, starts: datetime, ends: datetime) -> None:
    """Say in words what the database's trigger would refuse: an overdrawn or outlasted licence."""
    licence = Licence.objects.select_for_update().get(pk=licence.pk)
    if ends > licence.valid_until:
        raise Refused(f"The waiver would outlast {licence.reference}, which ends on {licence.valid_until:%Y-%m-%d}.")
    if queries.people_drawing(licence, starts, ends, other_than=person_id) >= licence.people:
        raise Refused(
            f"{licence.reference} is drawn in full: it allows {licence.people} people at a time. "
            "The request stays open; it can be decided when a waiver under it ends."
        )


@transaction.atomic
def withdraw_exception(*, actor: Actor, exception_id: int) -> ExceptionRequest:
    """The filer takes an open or waiting request back."""
    request = lock(exception_id)
    if actor.user is None or request.filer_id != actor.user.pk:
        raise PermissionRefused("Only the person who filed an exception can withdraw it.")
    if request.state not in (ExceptionState.OPEN, ExceptionState.WAITING):
        raise WrongState(f"Exception {request.pk} is closed: {request.get_state_display().lower()}.")
    if request.state == ExceptionState.OPEN:
        approvals.withdraw(actor=actor, request=approvals.open_request_for(request.subject))
    _close(request, ExceptionState.WITHDRAWN)
    _record(actor, request, "withdrawn")
    return request


@transaction.atomic
def end_waivers(*, actor: Actor, directive: Directive, reason: str) -> int:
    """End every running waiver of a directive (a new version that says ``waivers: end``); returns how many."""
    ended = Waiver.objects.filter(directive=directive, ended_at__isnull=True, ends_at__gt=now()).update(
        ended_at=now(), end_reason=reason
    )
    if ended:
        ledger.append(
            action="waivers.ended", actor=actor.name, via=actor.via, subject=directive.subject,
            data={"waivers": ended, "reason": reason},
        )  # fmt: skip
    return ended


def _record(actor: Actor, request: ExceptionRequest, act: str, **data: Any) -> None:
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
