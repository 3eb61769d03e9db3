"""From an approved exception to a waiver: opened, waiting for a licence, or closed because the directive moved on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction

from governance.accounts.actor import Actor
from governance.approvals import services as approvals
from governance.catalog.models import ModelCapability
from governance.directives.models import Directive, Waivable
from governance.errors import PermissionRefused, Refused, WrongState
from governance.moments import now
from governance.people import queries as people
from governance.waivers import conditions
from governance.waivers.models import ExceptionRequest, Licence, Waiver, WaiverCapability
from governance.waivers.services import licences
from governance.waivers.services.requests import limit_by_version, lock, misfit, record
from governance.waivers.states import ExceptionState

_UNDECIDED = (ExceptionState.OPEN, ExceptionState.WAITING, ExceptionState.ACCEPTING)


def close(request: ExceptionRequest, state: ExceptionState, *, reason: str = "") -> None:
    request.state, request.decided_at, request.close_reason = state, now(), reason
    request.save(update_fields=["state", "decided_at", "close_reason", "licence", "conditions_digest"])


def lapse(actor: Actor, request: ExceptionRequest, reason: str) -> None:
    """Close a request that the directive leaves no room for any more, and its approval with it."""
    approvals.set_aside(actor=actor, subject=request.subject)
    close(request, ExceptionState.LAPSED, reason=reason)
    record(actor, request, "lapsed", reason=reason)


def open_waiver(
    actor: Actor, directive: Directive, request: ExceptionRequest, items: Sequence[ModelCapability]
) -> None:
    """Open the waiver of a request that is approved and fits.

    Without the licence it needs it waits for one; with conditions it waits for the person to accept them.
    """
    version = directive.version_in_force
    assert version is not None
    if version.waivable == Waivable.AUTHORITY and request.licence is None:
        close(request, ExceptionState.WAITING)
        record(actor, request, "waiting")
        licence = licences.only_fitting(directive, items, request.days)
        if licence is not None and _room(licence, request):
            _go_on(actor, request, items, licence)
        return
    _go_on(actor, request, items, request.licence)


def _go_on(actor: Actor, request: ExceptionRequest, items: Sequence[ModelCapability], licence: Licence | None) -> None:
    said = conditions.of(request)
    if not said:
        begin(actor, request, items, licence)
        return
    request.licence, request.conditions_digest = licence, conditions.digest(said)
    close(request, ExceptionState.ACCEPTING)
    record(actor, request, "accepting", conditions=request.conditions_digest)


def begin(actor: Actor, request: ExceptionRequest, items: Sequence[ModelCapability], licence: Licence | None) -> None:
    """Let the waiver run from now, for as long as it was asked for and the version in force lets it."""
    starts = now()
    ends = starts + timedelta(days=request.days)
    version = request.directive.version_in_force
    limit = limit_by_version(request, version) if version else None
    ends = min(ends, limit) if limit else ends
    if licence is not None:
        licences.check_draw(licence, request.person_id, starts, ends)
    request.licence = licence
    close(request, ExceptionState.APPROVED)
    waiver = Waiver.objects.create(
        person=request.person, directive=request.directive, request=request, licence=licence, starts_at=starts,
        ends_at=ends,
    )  # fmt: skip
    WaiverCapability.objects.bulk_create(WaiverCapability(waiver=waiver, model_capability=item) for item in items)
    drawn = {"licence": licence.reference} if licence else {}
    record(actor, request, "approved", waiver=waiver.pk, ends_at=ends.isoformat(), **drawn)


def _room(licence: Licence, request: ExceptionRequest) -> bool:
    starts = now()
    try:
        licences.check_draw(licence, request.person_id, starts, starts + timedelta(days=request.days))
    except Refused:
        return False
    return True


@transaction.atomic
def open_waiting(*, actor: Actor, exception_id: int, licence: str) -> ExceptionRequest:
    """Open an approved exception that waits, drawing on a licence that was recorded since.

    Neither who filed it nor whom it is for may do this. Raises ``Invalid`` for a licence that does not fit and ``Refused`` for
    one that is drawn in full; the exception goes on waiting then.
    """
    if not actor.has("activate_directives"):
        actor.require("edit_case_file")
    directive, request = lock(exception_id)
    if _own(actor, request):
        raise PermissionRefused("You filed this exception, or it is for you. Somebody else opens it.")
    if request.state != ExceptionState.WAITING:
        raise WrongState(f"Exception {request.pk} does not wait for a licence.")
    items = list(request.model_capabilities.select_related("model", "capability"))
    reason = misfit(directive, request, items)
    if reason is not None:
        lapse(actor, request, reason)
    else:
        _go_on(actor, request, items, licences.named_licence(directive, items, request.days, licence))
    return request


def _own(actor: Actor, request: ExceptionRequest) -> bool:
    if actor.user is None:
        return False
    person = people.person_of(actor.user)
    return request.filer_id == actor.user.pk or (person is not None and person.pk == request.person_id)


@transaction.atomic
def register_licences(
    *, actor: Actor, directive: Directive, entries: Sequence[Mapping[str, Any]], path: str = "licences"
) -> list[Licence]:
    """Record an authority's licences for a directive, and open the approved exceptions that waited for one of them.

    Raises ``Invalid`` with the path of each error. An exception that more than one licence fits goes on waiting: which one it
    draws on is for a person to say (``open_waiting``).
    """
    recorded = licences.record_licences(actor=actor, directive=directive, entries=entries, path=path)
    waiting = ExceptionRequest.objects.filter(directive=directive, state=ExceptionState.WAITING).order_by("pk")
    for exception_id in waiting.values_list("pk", flat=True):
        locked, request = lock(exception_id)
        items = list(request.model_capabilities.select_related("model", "capability"))
        if _own(actor, request) or misfit(locked, request, items) is not None:
            continue
        licence = licences.only_fitting(locked, items, request.days)
        if licence is not None and _room(licence, request):
            _go_on(actor, request, items, licence)
    return recorded


@transaction.atomic
def close_misfits(*, actor: Actor, directive: Directive) -> int:
    """Close the exceptions that are not waivers yet and that a directive leaves no room for; returns how many.

    Called with the directive locked, in the transaction that puts a version in force or ends the directive.
    """
    closed = 0
    undecided = ExceptionRequest.objects.filter(directive=directive, state__in=_UNDECIDED).order_by("pk")
    for exception_id in undecided.values_list("pk", flat=True):
        locked, request = lock(exception_id)
        if request.state not in _UNDECIDED:
            continue
        items = list(request.model_capabilities.select_related("model", "capability"))
        reason = misfit(locked, request, items)
        if reason is not None:
            lapse(actor, request, reason)
            closed += 1
    return closed
