"""How a waiver ends before its time: taken back by somebody who may, or by a new version of its directive. Never the other way."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import DateTimeField, ExpressionWrapper, F, QuerySet
from django.db.models.functions import Greatest, Now

from governance.accounts.actor import Actor
from governance.directives import content
from governance.directives import services as directives
from governance.directives.models import Directive, DirectiveVersion, WaiverPolicy
from governance.errors import Invalid, NotFound, WrongState
from governance.ledger import services as ledger
from governance.moments import now
from governance.values import Unfit, longest, text
from governance.waivers import queries
from governance.waivers.models import Waiver


def record(actor: Actor, waiver: Waiver, act: str, **data: Any) -> None:
    """One ledger entry and one outbox event about a waiver."""
    source = waiver.request.subject if waiver.request else waiver.break_glass.subject if waiver.break_glass else ""
    ledger.append(
        action=f"waiver.{act}", actor=actor.name, via=actor.via, subject=waiver.subject,
        also=[source, waiver.directive.subject, f"person:{waiver.person_id}"], data=data,
    )  # fmt: skip
    ledger.publish(
        topic=f"waiver.{act}", key=waiver.subject,
        payload={"waiver": waiver.pk, "directive": waiver.directive.reference, "person": waiver.person_id, "by": actor.name, **data},
    )  # fmt: skip


def lock_waiver(waiver_id: int) -> Waiver:
    """The waiver, locked after its directive. Raises ``NotFound``."""
    reference = Waiver.objects.filter(pk=waiver_id).values_list("directive__reference", flat=True).first()
    if reference is None:
        raise NotFound(f"There is no waiver {waiver_id}.")
    directive = directives.lock(reference)
    waiver = Waiver.objects.select_for_update(of=("self",)).select_related("request", "break_glass", "person").get(
        pk=waiver_id
    )  # fmt: skip
    waiver.directive = directive
    return waiver


@transaction.atomic
def revoke_waiver(*, actor: Actor, waiver_id: int, reason: str) -> Waiver:
    """Take a running waiver back: what it permitted is denied from this commit on.

    By operators, counsel and legal. Raises ``Invalid`` without a reason, ``WrongState`` for one that has ended.
    """
    if not actor.has("activate_directives"):
        actor.require("edit_case_file")
    waiver = lock_waiver(waiver_id)
    try:
        reason = text(reason, longest(Waiver, "end_reason")).strip()
    except Unfit as unfit:
        raise Invalid("The reason is not acceptable.", [("reason", unfit.reason)]) from None
    if not reason:
        raise Invalid("A revocation needs a reason.", [("reason", "is required")])
    moment = now()
    if waiver.ended_at is not None or waiver.ends_at <= moment:
        raise WrongState(f"Waiver {waiver.pk} has ended already.")
    end(actor, waiver, reason, moment)
    record(actor, waiver, "revoked", reason=reason)
    return waiver


def end(actor: Actor, waiver: Waiver, reason: str, moment: datetime) -> None:
    waiver.ended_at, waiver.ended_by, waiver.end_reason = moment, actor.user, reason
    waiver.save(update_fields=["ended_at", "ended_by", "end_reason"])


@dataclass(frozen=True)
class Settled:
    """What a version that took force did to the waivers that ran then."""

    kept: int
    shortened: int
    ended: int


@transaction.atomic
def settle_waivers(*, actor: Actor, directive: Directive, version: DirectiveVersion) -> Settled:
    """Carry out what a version says becomes of running waivers, in the transaction that puts it in force.

    Those of which nothing is in its scope end with any version; ``shorten`` lets the others run until a day, ``end`` ends them.
    """
    scope = queries.model_capabilities_in_scope(version)
    limit = content.waivers_end_by(version, now())
    found = queries.outcome_of_waivers(directive, scope, ends=version.waivers == WaiverPolicy.END, limit=limit)
    running = queries.running().filter(directive=directive)
    number = f"version {version.number}"
    if version.waivers == WaiverPolicy.END:
        _end_all(running, f"{number} ends waivers")
    else:
        _end_all(running.exclude(queries.has_some_of(scope)), f"{number} does not cover what it was for")
        if limit is not None:
            _end_all(running.filter(starts_at__gte=limit), f"{number} ends waivers by an earlier time")
            running.filter(ends_at__gt=limit).update(ends_at=limit, end_reason=f"{number} shortened it")
    if found["shortened"] or found["ended"]:
        data = {"version": version.number, "policy": str(version.waivers), **found}
        ledger.append(action="waivers.settled", actor=actor.name, via=actor.via, subject=directive.subject, data=data)
        ledger.publish(
            topic="waivers.settled",
            key=directive.subject,
            payload={"reference": directive.reference, "by": actor.name, **data},
        )
    return Settled(**found)


def _end_all(waivers: QuerySet[Waiver], reason: str) -> None:
    waivers.update(ended_at=Now(), end_reason=reason)


_AT_ONCE = 200  # of one tick; the next takes the others


@transaction.atomic
def remind_ending(*, actor: Actor) -> int:
    """Tell, once, of each waiver that ends soon: three days before, or at half of a shorter term. How many.

    From the schedule: marked on the row in the transaction that tells, so ticks that come twice or were missed change nothing.
    """
    soon = ExpressionWrapper(F("ends_at") - queries.SOON, output_field=DateTimeField())
    half = ExpressionWrapper(F("starts_at") + (F("ends_at") - F("starts_at")) / 2, output_field=DateTimeField())
    due = (
        queries.running()
        .filter(reminded_at=None, request__isnull=False)
        .annotate(from_then=Greatest(soon, half))
        .filter(from_then__lte=Now())
        .select_related("request", "directive", "person")
        .select_for_update(of=("self",), skip_locked=True)
    )
    found = list(due.order_by("ends_at")[:_AT_ONCE])
    Waiver.objects.filter(pk__in=[waiver.pk for waiver in found]).update(reminded_at=Now())
    for waiver in found:
        assert waiver.request is not None
        record(actor, waiver, "ending_soon", ends_at=waiver.ends_at.isoformat(), filer=waiver.request.filer_id)
    return len(found)
