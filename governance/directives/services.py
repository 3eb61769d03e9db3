"""Writing directives: drafts, content, and the state changes that enforcement orchestrates.

Every function takes the actor, locks the directive, re-checks its state, acts, and writes ledger and outbox in the same
transaction. Functions that change what decisions say (``put_in_force`` and below) are called by
``enforcement.services`` only, which adds the run.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.db import connection, transaction

from governance.accounts.actor import Actor
from governance.directives import content
from governance.directives.models import (
    Directive,
    DirectiveVersion,
    OnUnknown,
    ScopeItem,
)
from governance.directives.states import DirectiveState, VersionState
from governance.errors import Invalid, NotFound, WrongState
from governance.ledger import services as ledger

EMERGENCY_CONFIRMATION = timedelta(hours=24)


def now() -> Any:
    """The clock of the database, at this statement."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        return cursor.fetchone()[0]


def lock(reference: str) -> Directive:
    """The directive, locked until the transaction ends. Raises ``NotFound``."""
    try:
        return Directive.objects.select_for_update().get(reference=reference)
    except Directive.DoesNotExist:
        raise NotFound(f"There is no directive {reference}.") from None


def record(actor: Actor, directive: Directive, act: str, **data: Any) -> None:
    """One ledger entry and one outbox event about a directive."""
    ledger.append(action=f"directive.{act}", actor=actor.name, via=actor.via, subject=directive.subject, data=data)
    ledger.publish(
        topic=f"directive.{act}",
        key=directive.subject,
        payload={"reference": directive.reference, "state": directive.state, **data},
    )


# -- drafts ------------------------------------------------------------------------------------------------------------


@transaction.atomic
def create_directive(*, actor: Actor, statement: content.DirectiveStatement) -> Directive:
    """Create a directive with its first draft version, case file, comparables and alternatives.

    Raises ``Invalid`` for a reference that exists, an unknown model or capability, or a rule outside the language.
    """
    actor.require("draft_directives")
    if Directive.objects.filter(reference=statement.reference).exists():
        raise Invalid(f"There is a directive {statement.reference} already.")
    directive = Directive.objects.create(
        reference=statement.reference,
        kind=statement.kind,
        title=statement.title,
        authority=statement.authority,
        received_at=statement.received_at,
        comply_by=statement.comply_by,
        comply_immediately=statement.comply_immediately,
        position=statement.position,
        author=actor.user,
    )
    version = _new_version(actor, directive, statement.version)
    content.store_case(directive, statement, actor.name)
    record(actor, directive, "drafted", version=version.number, title=directive.title)
    return directive


def _new_version(actor: Actor, directive: Directive, statement: content.VersionStatement) -> DirectiveVersion:
    number = (directive.versions.order_by("-number").values_list("number", flat=True).first() or 0) + 1
    version = DirectiveVersion(directive=directive, number=number, author=actor.user)
    _fill(version, statement)
    return version


def _fill(version: DirectiveVersion, statement: content.VersionStatement) -> None:
    for name, value in statement.columns(outside=version.directive.from_outside).items():
        setattr(version, name, value)
    version.save()
    version.scope.all().delete()
    ScopeItem.objects.bulk_create(
        ScopeItem(version=version, model_id=entry.model_id, capability_id=entry.capability_id)
        for entry in statement.scope
    )


@transaction.atomic
def edit_draft(
    *,
    actor: Actor,
    reference: str,
    statement: content.VersionStatement,
    title: str | None = None,
    position: str | None = None,
) -> DirectiveVersion:
    """Replace the content of the draft version. Raises ``WrongState`` when there is no draft."""
    actor.require("draft_directives")
    directive = lock(reference)
    version = draft_of(directive)
    version.author = actor.user
    _fill(version, statement)
    if title is not None and directive.state == DirectiveState.DRAFT:
        directive.title = title
    if position is not None:
        directive.position = position
    directive.save(update_fields=["title", "position"])
    record(actor, directive, "edited", version=version.number)
    return version


def draft_of(directive: Directive) -> DirectiveVersion:
    version = directive.versions.filter(state=VersionState.DRAFT).select_related("directive").first()
    if version is None:
        raise WrongState(f"{directive.reference} has no draft version.")
    return version


@transaction.atomic
def draft_new_version(*, actor: Actor, reference: str) -> DirectiveVersion:
    """A new draft version that begins as a copy of the newest one. A directive has one draft at most."""
    actor.require("draft_directives")
    directive = lock(reference)
    if directive.state in (DirectiveState.RESCINDED, DirectiveState.EXPIRED):
        raise WrongState(f"{reference} has ended; write a new directive.")
    if directive.versions.filter(state__in=[VersionState.DRAFT, VersionState.SUBMITTED]).exists():
        raise WrongState(f"{reference} has a version in preparation already.")
    version = _copy_newest(actor, directive)
    if directive.state == DirectiveState.APPROVED:
        withdrawn = directive.versions.get(state=VersionState.APPROVED)
        _move_version(withdrawn, VersionState.WITHDRAWN)
        directive.state = DirectiveState.DRAFT
        directive.save(update_fields=["state"])
    record(actor, directive, "drafted", version=version.number)
    return version


def _copy_newest(actor: Actor, directive: Directive) -> DirectiveVersion:
    newest = directive.versions.order_by("-number").first()
    assert newest is not None, "a directive has a version from its first moment"
    return _new_version(actor, directive, content.VersionStatement.of(newest))


# -- submission and its outcome ----------------------------------------------------------------------------------------


def fix(*, actor: Actor, directive: Directive, version: DirectiveVersion) -> None:
    """Check a draft whole, expand its country groups and set its digest: from here on it does not change.

    Raises ``Invalid`` naming each place: a rule outside the language, no scope, a sensitive rule without legal
    basis, an outside authority's order as ``monitor``, a replaced directive that is not in force.
    """
    content.check_complete(directive, version)
    version.expanded_rule = content.expand(version.rule)
    version.digest = content.digest(version)
    version.submitter = actor.user
    version.submitted_at = now()


def submit(*, actor: Actor, directive: Directive, version: DirectiveVersion) -> None:
    """Draft → submitted, for a locked directive and a fixed version."""
    _move_version(version, VersionState.SUBMITTED)
    if directive.state == DirectiveState.DRAFT:
        directive.state = DirectiveState.SUBMITTED
        directive.save(update_fields=["state"])
    record(actor, directive, "submitted", version=version.number, digest=version.digest)


def approve(*, actor: Actor, directive: Directive, version: DirectiveVersion) -> None:
    """Submitted → approved, for a locked directive."""
    version.approved_at = now()
    _move_version(version, VersionState.APPROVED)
    if directive.state == DirectiveState.SUBMITTED:
        directive.state = DirectiveState.APPROVED
        directive.save(update_fields=["state"])
    record(actor, directive, "approved", version=version.number, digest=version.digest)


def send_back(*, actor: Actor, directive: Directive, version: DirectiveVersion, state: VersionState) -> None:
    """Submitted → rejected or withdrawn, for a locked directive; a new draft version follows with the same content."""
    _move_version(version, state)
    _copy_newest(actor, directive)
    if directive.state == DirectiveState.SUBMITTED:
        directive.state = DirectiveState.DRAFT
        directive.save(update_fields=["state"])
    record(actor, directive, str(state), version=version.number)


def _move_version(version: DirectiveVersion, state: VersionState) -> None:
    version.state = state
    version.save()


# -- force -------------------------------------------------------------------------------------------------------------


def put_in_force(*, actor: Actor, directive: Directive, version: DirectiveVersion, emergency_reason: str = "") -> None:
    """The version takes force and supersedes the one before it; the directive is active. The directive is locked."""
    moment = now()
    former = directive.version_in_force
    if former is not None and former.pk != version.pk:
        former.ended_at = moment
        _move_version(former, VersionState.SUPERSEDED)
    version.in_force_at = moment
    version.emergency_reason = emergency_reason
    _move_version(version, VersionState.IN_FORCE)
    _set_verify_clock(directive, version, former, moment)
    if emergency_reason:
        directive.confirm_by, directive.confirmed_at = moment + EMERGENCY_CONFIRMATION, None
        directive.escalated_at = None
    directive.state = DirectiveState.ACTIVE
    directive.version_in_force = version
    directive.activated_at = directive.activated_at or moment
    directive.save()
    record(
        actor,
        directive,
        "activated",
        version=version.number,
        digest=version.digest,
        emergency=bool(emergency_reason),
        **({"reason": emergency_reason} if emergency_reason else {}),
    )


def note_epoch(*, directive: Directive, epoch: int) -> None:
    """The policy epoch from which a locked directive is in force."""
    directive.epoch_in_force = epoch
    directive.save(update_fields=["epoch_in_force"])


def _set_verify_clock(
    directive: Directive, version: DirectiveVersion, former: DirectiveVersion | None, moment: Any
) -> None:
    """Verify hours count from activation; a new version restarts the clock only if it says so."""
    if version.on_unknown_then != OnUnknown.VERIFY:
        directive.verify_deadline = directive.verify_remaining = None
        return
    runs_on = former is not None and former.on_unknown_then == OnUnknown.VERIFY and not version.restart_verify
    if runs_on and directive.verify_deadline is not None:
        return
    directive.verify_deadline = moment + timedelta(hours=version.on_unknown_hours or 0)
    directive.verify_remaining = None


def suspend(*, actor: Actor, directive: Directive, reason: str) -> None:
    """Active → suspended, for a locked directive. Suspension stops the verify clock."""
    if directive.verify_deadline is not None:
        directive.verify_remaining = max(directive.verify_deadline - now(), timedelta(0))
        directive.verify_deadline = None
    directive.state = DirectiveState.SUSPENDED
    directive.save()
    record(actor, directive, "suspended", reason=reason)


def resume(*, actor: Actor, directive: Directive, reason: str) -> None:
    """Suspended → active, for a locked directive. The verify clock runs on with what was left."""
    if directive.verify_remaining is not None:
        directive.verify_deadline = now() + directive.verify_remaining
        directive.verify_remaining = None
    directive.state = DirectiveState.ACTIVE
    directive.save()
    record(actor, directive, "resumed", reason=reason)


def end(*, actor: Actor, directive: Directive, state: DirectiveState, reason: str) -> None:
    """Active or suspended → rescinded or expired, for a locked directive; its version in force has ended."""
    moment = now()
    version = directive.version_in_force
    if version is not None:
        version.ended_at = moment
        _move_version(version, VersionState.ENDED)
    directive.state = state
    directive.ended_at = moment
    directive.save()
    record(actor, directive, str(state), reason=reason)


def confirm(*, actor: Actor, directive: Directive) -> None:
    """A second person confirms an emergency activation."""
    directive.confirmed_at = now()
    directive.save(update_fields=["confirmed_at"])
    record(actor, directive, "confirmed", version=_number(directive))


def escalate(*, actor: Actor, directive: Directive, reason: str) -> None:
    """Nobody confirmed an emergency activation in time: it stays in force, and this is told once."""
    directive.escalated_at = now()
    directive.save(update_fields=["escalated_at"])
    record(actor, directive, "escalated", reason=reason)


def _number(directive: Directive) -> int | None:
    return directive.version_in_force.number if directive.version_in_force else None
