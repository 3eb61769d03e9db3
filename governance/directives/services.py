"""Writing directives: drafts, content, and the state changes that enforcement orchestrates.

Every function takes the actor, locks the directive, re-checks its state, acts, and writes ledger and outbox in the same
transaction. Functions that change what decisions say (``put_in_force`` and below) are called by
``enforcement.services`` only, which adds the run. States move by ``_move`` and ``_move_version`` alone, which read the
tables of ``states``.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction

from governance.accounts.actor import Actor
from governance.approvals import services as approvals
from governance.approvals.models import Request
from governance.directives import content
from governance.directives.acts import act
from governance.directives.models import (
    Directive,
    DirectiveVersion,
    OnUnknown,
    ScopeItem,
)
from governance.directives.states import (
    ACT_DONE,
    DIRECTIVE_ACTS,
    IN_PREPARATION,
    VERSION_TRANSITIONS,
    DirectiveState,
    VersionState,
)
from governance.errors import Invalid, NotFound, WrongState
from governance.ledger import services as ledger
from governance.moments import now

EMERGENCY_CONFIRMATION = timedelta(hours=24)


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


def check(directive: Directive, act_name: str) -> DirectiveState:
    """The state an act leads to. Raises ``WrongState`` when the table has no such step, or the clock has ended it."""
    if act_name != "expiry" and directive.term_ended(now()):
        raise WrongState(f"{directive.reference} has expired; it cannot be {ACT_DONE[act_name]}.")
    leads_to = DIRECTIVE_ACTS[act_name].get(DirectiveState(directive.state))
    if leads_to is None:
        state = directive.get_state_display().lower()
        raise WrongState(f"{directive.reference} is {state}; it cannot be {ACT_DONE[act_name]}.")
    return leads_to


def _move(directive: Directive, act_name: str) -> None:
    directive.state = check(directive, act_name)


def _move_version(version: DirectiveVersion, state: VersionState) -> None:
    if (version.state, state) not in VERSION_TRANSITIONS:
        was, will = version.get_state_display().lower(), state.label.lower()
        raise WrongState(
            f"Version {version.number} of {version.directive.reference} is {was}; it cannot become {will}."
        )
    version.state = state
    version.save()


# -- drafts ------------------------------------------------------------------------------------------------------------


@act
def create_directive(*, actor: Actor, statement: content.DirectiveStatement) -> Directive:
    """Create a directive with its first draft version, case file, comparables and alternatives.

    Raises ``Invalid`` for a reference that exists, an unknown model or capability, or a rule outside the language.
    """
    actor.require("draft_directives")
    directive = _insert(actor, statement)
    version = _new_version(directive, statement.version, author_id=_id_of(actor), writers=_with(actor, []))
    content.store_case(directive, statement, actor.name)
    record(actor, directive, "drafted", version=version.number, title=directive.title)
    return directive


def _insert(actor: Actor, statement: content.DirectiveStatement) -> Directive:
    """The row itself; whoever comes second with a reference, at the same moment too, is told so."""
    try:
        with transaction.atomic():
            return Directive.objects.create(
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
    except IntegrityError:
        raise Invalid(f"There is a directive {statement.reference} already.") from None


def _new_version(
    directive: Directive, statement: content.VersionStatement, *, author_id: int | None, writers: list[int]
) -> DirectiveVersion:
    number = (directive.versions.order_by("-number").values_list("number", flat=True).first() or 0) + 1
    version = DirectiveVersion(directive=directive, number=number, author_id=author_id, writers=writers)
    _fill(version, statement)
    return version


def _id_of(actor: Actor) -> int | None:
    return actor.user.pk if actor.user else None


def _with(actor: Actor, writers: list[int]) -> list[int]:
    """The writers, and the actor among them."""
    return sorted({*writers, actor.user.pk}) if actor.user else writers


def _fill(version: DirectiveVersion, statement: content.VersionStatement) -> None:
    for name, value in statement.columns(outside=version.directive.from_outside).items():
        setattr(version, name, value)
    version.save()
    version.scope.all().delete()
    ScopeItem.objects.bulk_create(
        ScopeItem(version=version, model_id=entry.model_id, capability_id=entry.capability_id)
        for entry in statement.scope
    )


@act
def edit_draft(
    *,
    actor: Actor,
    reference: str,
    statement: content.VersionStatement,
    title: str | None = None,
    position: str | None = None,
) -> DirectiveVersion:
    """Replace the content of the draft version; whoever does becomes one of its writers, and nobody ceases to be one.

    Raises ``WrongState`` when there is no draft, or the directive has ended.
    """
    actor.require("draft_directives")
    directive = lock(reference)
    version = draft_of(directive)
    check(directive, "submit")
    version.writers = _with(actor, version.writers)
    _fill(version, statement)
    if title is not None and directive.state == DirectiveState.DRAFT:
        directive.title = title
    if position is not None:
        directive.position = position
    directive.save(update_fields=["title", "position"])
    record(actor, directive, "edited", version=version.number, content=content.digest(version))
    return version


def draft_of(directive: Directive) -> DirectiveVersion:
    version = directive.versions.filter(state=VersionState.DRAFT).select_related("directive").first()
    if version is None:
        raise WrongState(f"{directive.reference} has no draft version.")
    return version


@act
def draft_new_version(*, actor: Actor, reference: str) -> DirectiveVersion:
    """A new draft version that begins as a copy of the newest one. A directive has one version in preparation at most.

    A version that was approved and did not take force yet gives way to the draft: what is activated is always the newest.
    """
    actor.require("draft_directives")
    directive = lock(reference)
    if directive.state not in (DirectiveState.DRAFT, DirectiveState.SUBMITTED):
        check(directive, "redraft")
    if directive.versions.filter(state__in=[VersionState.DRAFT, VersionState.SUBMITTED]).exists():
        raise WrongState(f"{reference} has a version in preparation already.")
    newest = _newest(directive)
    for approved in directive.versions.filter(state=VersionState.APPROVED):
        _move_version(approved, VersionState.WITHDRAWN)
    version = _copy(newest, author_id=_id_of(actor), writers=_with(actor, newest.writers))
    if directive.state == DirectiveState.APPROVED:
        _move(directive, "redraft")
        directive.save(update_fields=["state"])
    record(actor, directive, "drafted", version=version.number)
    return version


def _newest(directive: Directive) -> DirectiveVersion:
    newest = directive.versions.order_by("-number").first()
    assert newest is not None, "a directive has a version from its first moment"
    return newest


def _copy(version: DirectiveVersion, *, author_id: int | None, writers: list[int]) -> DirectiveVersion:
    """A draft with the content of a version. What that one replaced when it took force is gone and not replaced again."""
    statement = content.VersionStatement.of(version)
    if version.in_force_at is not None:
        statement = replace(statement, replaces_id=None)
    return _new_version(version.directive, statement, author_id=author_id, writers=writers)


# -- submission and its outcome ----------------------------------------------------------------------------------------


def fix(*, actor: Actor, directive: Directive, version: DirectiveVersion) -> None:
    """Check a draft whole, expand its country groups and set its digest: from here on it does not change.

    Raises ``Invalid`` naming each place: a rule outside the language, no scope, a sensitive rule without legal
    basis, an outside authority's order as ``monitor``, a replaced directive that is not in force.
    """
    content.check_complete(directive, version, now())
    version.expanded_rule = content.expand(version.rule)
    version.digest = content.digest(version)
    version.submitter = actor.user
    version.submitted_at = now()


def submit(*, actor: Actor, directive: Directive, version: DirectiveVersion) -> None:
    """Draft → submitted, for a locked directive and a fixed version."""
    _move(directive, "submit")
    _move_version(version, VersionState.SUBMITTED)
    directive.save(update_fields=["state"])
    record(actor, directive, "submitted", version=version.number, digest=version.digest)


def approve(*, actor: Actor, directive: Directive, version: DirectiveVersion, request: Request) -> None:
    """Submitted → approved, for a locked directive, by its approved request."""
    _move(directive, "approve")
    version.approved_at, version.approval = now(), request
    _move_version(version, VersionState.APPROVED)
    directive.save(update_fields=["state"])
    record(actor, directive, "approved", version=version.number, digest=version.digest)


def send_back(*, actor: Actor, directive: Directive, version: DirectiveVersion, state: VersionState) -> None:
    """Submitted → rejected or withdrawn, for a locked directive; a new draft version follows with the same content.

    It stays the text of those who wrote it: whoever sent it back wrote nothing.
    """
    _move(directive, "send_back")
    _move_version(version, state)
    _copy(version, author_id=version.author_id, writers=version.writers)
    directive.save(update_fields=["state"])
    record(actor, directive, str(state), version=version.number)


# -- force -------------------------------------------------------------------------------------------------------------


def put_in_force(*, actor: Actor, directive: Directive, version: DirectiveVersion, emergency_reason: str = "") -> None:
    """The version takes force and supersedes the one before it; the directive is active. The directive is locked.

    What was asked about the version before is not asked any more.
    """
    moment = now()
    _move(directive, "emergency" if emergency_reason else "activate")
    approvals.set_aside(actor=actor, subject=directive.subject, reason=f"version {version.number} took force")
    former = directive.version_in_force
    if former is not None and former.pk != version.pk:
        former.ended_at = moment
        _move_version(former, VersionState.SUPERSEDED)
    version.in_force_at, version.activated_by = moment, actor.user
    version.emergency_reason = emergency_reason
    _move_version(version, VersionState.IN_FORCE)
    deadline = verify_deadline(directive, version, moment)
    directive.verify_deadline, directive.verify_remaining = deadline, None
    _set_confirmation(directive, moment if emergency_reason else None)
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


def _set_confirmation(directive: Directive, emergency_at: datetime | None) -> None:
    """An emergency is due to be confirmed, one after another by the time of the first; an approved version needs none."""
    if emergency_at is None:
        directive.confirm_by = directive.escalated_at = None
    elif not directive.to_be_confirmed:
        directive.confirm_by = emergency_at + EMERGENCY_CONFIRMATION
        directive.confirmed_at = directive.escalated_at = None


def note_epoch(*, directive: Directive, epoch: int) -> None:
    """The policy epoch from which a locked directive is in force."""
    directive.epoch_in_force = epoch
    directive.save(update_fields=["epoch_in_force"])


def verify_deadline(
    directive: Directive, stated: DirectiveVersion | content.VersionStatement, moment: datetime
) -> datetime | None:
    """Until when unknown people pass if the version takes force at ``moment``; None unless it says ``verify``.

    Hours count from activation; a new version restarts the clock of the one before only if it says so.
    """
    if stated.on_unknown_then != OnUnknown.VERIFY:
        return None
    former = directive.version_in_force
    if former is not None and former.on_unknown_then == OnUnknown.VERIFY and not stated.restart_verify:
        if directive.verify_deadline is not None:
            return directive.verify_deadline
        if directive.verify_remaining is not None:
            return moment + directive.verify_remaining
    return moment + timedelta(hours=stated.on_unknown_hours or 0)


def suspend(*, actor: Actor, directive: Directive, request: Request) -> None:
    """Active → suspended, for a locked directive, by its approved request. Suspension stops the verify clock."""
    _move(directive, "suspension")
    directive.moved_by = request
    if directive.verify_deadline is not None:
        directive.verify_remaining = max(directive.verify_deadline - now(), timedelta(0))
        directive.verify_deadline = None
    directive.save()
    record(actor, directive, "suspended", reason=request.reason)


def resume(*, actor: Actor, directive: Directive, request: Request) -> None:
    """Suspended → active, for a locked directive, by its approved request. The verify clock runs on with what was left."""
    _move(directive, "resumption")
    directive.moved_by = request
    if directive.verify_remaining is not None:
        directive.verify_deadline = now() + directive.verify_remaining
        directive.verify_remaining = None
    directive.save()
    record(actor, directive, "resumed", reason=request.reason)


def end(
    *, actor: Actor, directive: Directive, state: DirectiveState, reason: str, request: Request | None = None
) -> None:
    """Active or suspended → rescinded or expired, for a locked directive; its version in force has ended.

    ``request`` is the approved rescission; the clock, or a version in force that replaces it, needs none. What was asked
    about it is set aside, and a version that was on its way is withdrawn: it could never take force.
    """
    moment = now()
    _move(directive, "expiry" if state == DirectiveState.EXPIRED else "rescission")
    approvals.set_aside(actor=actor, subject=directive.subject, reason=f"it is {directive.state}")
    version = directive.version_in_force
    if version is not None:
        version.ended_at = moment
        _move_version(version, VersionState.ENDED)
    for pending in directive.versions.filter(state__in=IN_PREPARATION).exclude(state=VersionState.DRAFT):
        _move_version(pending, VersionState.WITHDRAWN)
    if directive.to_be_confirmed:
        directive.confirm_by = None
    if request is not None:
        directive.moved_by = request
    directive.ended_at = moment
    directive.save()
    record(actor, directive, str(directive.state), reason=reason)


def confirm(*, actor: Actor, directive: Directive) -> None:
    """A second person confirms an emergency activation."""
    check(directive, "confirmation")
    if not directive.to_be_confirmed:
        raise WrongState(f"{directive.reference} has no emergency activation to confirm.")
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
