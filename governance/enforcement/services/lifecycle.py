"""A directive's life: submission with its preview, approval, activation, suspension, resumption, rescission.

Each act is one transaction: lock the directive, check right and state, change, plan the run, write ledger and outbox. What turns
a decision to deny is in force at that commit, for everybody covered; the run only writes it down.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from django.db import transaction

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.approvals import eligibility
from governance.approvals import services as approvals
from governance.approvals.eligibility import Refusal
from governance.approvals.models import Request, Verdict
from governance.approvals.services import Outcome
from governance.directives import content, profiles, relations
from governance.directives import services as directives
from governance.directives.acts import act
from governance.directives.models import Directive, DirectiveVersion, OnUnknown
from governance.directives.states import IN_PREPARATION, DirectiveState, VersionState
from governance.enforcement import conflicts, locks, previews
from governance.enforcement.models import PolicyEpoch, Run, RunKind, StoredPreview
from governance.enforcement.services import emergencies, runs
from governance.errors import Invalid, PermissionRefused, Refused, WrongState
from governance.moments import now
from governance.rules import language
from governance.waivers import services as waivers


@dataclass(frozen=True)
class Activation:
    directive: Directive
    version: DirectiveVersion
    run: Run
    policy_epoch: int


# -- submission --------------------------------------------------------------------------------------------------------


@act
def submit(*, actor: Actor, reference: str) -> Request:
    """Fix the draft version, store its preview with the people it covers, and open its approval."""
    actor.require("activate_directives")
    directive = directives.lock(reference)
    directives.check(directive, "submit")
    version = directives.draft_of(directive)
    locks.hold_people_still()
    directives.fix(actor=actor, directive=directive, version=version)
    profiles.refuse_failing(directive, version.expanded_rule)
    directives.submit(actor=actor, directive=directive, version=version)
    preview = previews.store(version)
    kind = _activation_kind(directive, version)
    related = relations.of_request(actor.user, directive)
    return approvals.open_request(
        actor=actor,
        kind=kind,
        subject=directive.subject,
        content_digest=preview.fingerprint,
        summary=f"Put version {version.number} in force: {directive.title}",
        conflicts=[
            *conflicts.writers(directive, version),
            *conflicts.covered_approvers(directive, kind, version, related=related),
        ],
        relations=related,
    )


def _activation_kind(directive: Directive, version: DirectiveVersion) -> str:
    """``verify`` and ``allow`` for unknowns, on an order that says *immediately*, need counsel."""
    lenient = version.on_unknown_then != OnUnknown.DENY and directive.comply_immediately
    return "directive.activation.counsel" if lenient else "directive.activation"


# -- approval ----------------------------------------------------------------------------------------------------------


@act
def vote(*, actor: Actor, reference: str, verdict: str, comment: str = "", seen: str | None = None) -> Outcome:
    """Decide the one open request about a directive; its last approval acts on the outcome in this transaction.

    ``seen`` is the content digest the page showed, or else what is asked for as the vote begins: a request that changed
    since, or took the place of another while this waited for its turn, is refused.
    """
    seen = seen or approvals.open_digest(f"directive:{reference}")
    directive = directives.lock(reference)
    request = approvals.open_request_for(directive.subject)
    if request.content_digest != _asked_about(directive, request.kind):
        raise WrongState("What was asked for has changed. It cannot be decided; withdraw it and ask again.")
    outcome = approvals.vote(
        actor=actor,
        request=request,
        verdict=verdict,
        comment=comment,
        content_digest=seen,
        extra_conflict=conflicts.covered(actor.user, directive, request, _on_behalf_of(actor, request)),
    )
    if verdict == Verdict.APPROVE:
        _refuse_unseen(directive, request)
    if outcome.state == "approved":
        _carry_out(actor, directive, request)
    elif outcome.state == "rejected":
        _turn_down(actor, directive, request)
    return outcome


def _asked_about(directive: Directive, kind: str) -> str:
    """The digest of what a request of that kind would ask about now: a vote counts for nothing else."""
    if kind.startswith("directive.activation"):
        version = _submitted(directive)
        same = content.digest(version) == version.digest
        return StoredPreview.objects.get(version=version).fingerprint if same else ""
    version_in_force = directive.version_in_force
    if kind == "directive.confirmation":
        return version_in_force.digest if version_in_force else ""
    return _digest(directive, kind.removeprefix("directive."))


def _on_behalf_of(actor: Actor, request: Request) -> User | None:
    return eligibility.standing(actor.user, request).on_behalf_of if actor.user else None


def refusal(actor: Actor, request: Request, on_behalf_of: User | None) -> Refusal | None:
    """What keeps an account from deciding an open request about a directive, beyond what every request has."""
    directive = Directive.objects.select_related("version_in_force").get(reference=request.subject.partition(":")[2])
    if request.content_digest != _asked_about(directive, request.kind):
        return Refusal("content_changed", "What was asked for has changed. It can only be withdrawn and asked again.")
    covered = conflicts.covered(actor.user, directive, request, on_behalf_of)
    return Refusal("conflict", covered) if covered else None


def _digest(directive: Directive, act_name: str) -> str:
    version = directive.version_in_force
    stated = {"act": act_name, "reference": directive.reference, "version": version.digest if version else ""}
    return hashlib.sha256(language.canonical(stated)).hexdigest()


def _submitted(directive: Directive) -> DirectiveVersion:
    version = directive.versions.filter(state=VersionState.SUBMITTED).select_related("directive").first()
    if version is None:
        raise WrongState(f"{directive.reference} has no submitted version.")
    return version


def _refuse_unseen(directive: Directive, request: Request) -> None:
    """Nobody approves figures that have become others: the page shows those of the submission."""
    if request.kind.startswith("directive.activation"):
        locks.hold_people_still()
        advice = "Its figures are not what you would approve. Withdraw it and submit it again, or wait until they fit."
        previews.refuse_stale(_submitted(directive), advice=advice)


def _carry_out(actor: Actor, directive: Directive, request: Request) -> None:
    act_name = request.kind.removeprefix("directive.").removesuffix(".counsel")
    if act_name == "activation":
        directives.approve(actor=actor, directive=directive, version=_submitted(directive), request=request)
    elif act_name == "confirmation":
        directives.confirm(actor=actor, directive=directive)
    else:
        locks.hold_people_still()
        if act_name == "suspension":
            directives.suspend(actor=actor, directive=directive, request=request)
        elif act_name == "resumption":
            directives.resume(actor=actor, directive=directive, request=request)
            _note_epoch(directive)
        elif act_name == "rescission":
            directives.end(
                actor=actor, directive=directive, state=DirectiveState.RESCINDED, reason=request.reason, request=request
            )
        _start(actor, directive)


def _turn_down(actor: Actor, directive: Directive, request: Request) -> None:
    if request.kind.startswith("directive.activation"):
        _send_back(actor, directive, VersionState.REJECTED)
        return
    directives.record(actor, directive, "request_rejected", kind=request.kind)
    if request.kind == "directive.confirmation" and directive.escalated_at is None:
        directives.escalate(actor=actor, directive=directive, reason="its confirmation was refused")


@act
def pass_time(*, actor: Actor, reference: str, request_id: int) -> Outcome | None:
    """Let the overdue stages of a directive's request escalate, or refuse it; a refusal is acted on in this transaction.

    The confirmation of an emergency is owed: no time closes it.
    """
    directive = directives.lock(reference)
    request = approvals.lock(request_id)
    outcome = approvals.pass_time(
        actor=actor, request_id=request_id, refuse=request.kind != emergencies.CONFIRMATION
    )  # fmt: skip
    if outcome is not None and outcome.state == "rejected":
        _turn_down(actor, directive, request)
    return outcome


def _send_back(actor: Actor, directive: Directive, state: VersionState) -> None:
    directives.send_back(actor=actor, directive=directive, version=_submitted(directive), state=state)
    previews.forget_members(directive)


@act
def withdraw(*, actor: Actor, reference: str) -> None:
    """The submitter takes an open request back; a submitted version becomes a new draft.

    The confirmation of an emergency is owed, not asked for: nobody takes it back.
    """
    directive = directives.lock(reference)
    request = approvals.open_request_for(directive.subject)
    if request.kind == "directive.confirmation":
        raise PermissionRefused("The confirmation of an emergency cannot be withdrawn. A second person decides it.")
    approvals.withdraw(actor=actor, request=request)
    if request.kind.startswith("directive.activation"):
        _send_back(actor, directive, VersionState.WITHDRAWN)


# -- activation --------------------------------------------------------------------------------------------------------


@act
def activate(*, actor: Actor, reference: str, emergency: bool = False, reason: str = "") -> Activation:
    """Put a version in force. Everybody it covers is denied at this commit.

    An approved version needs a preview that still fits. An emergency takes a draft or submitted one, is refused if any decision
    would turn to permit, and is to be confirmed by a second person within 24 hours. Raises ``WrongState``, ``Invalid``,
    ``PermissionRefused``; nothing is half-done then.
    """
    actor.require("activate_directives")
    directive = _lock_with_replaced(reference)
    locks.hold_people_still()
    if emergency:
        version = _ready_emergency(actor, directive, reason.strip())
    else:
        version = _ready_approved(directive)
    directives.put_in_force(
        actor=actor, directive=directive, version=version, emergency_reason=reason.strip() if emergency else ""
    )
    if version.replaces_id is not None:
        _replace(actor, directive, version)
    waivers.settle_waivers(actor=actor, directive=directive, version=version)
    run = _start(actor, directive)
    previews.forget_members(directive)
    if emergency:
        emergencies.ask_confirmation(actor, directive)
    return Activation(directive, version, run, _note_epoch(directive))


def _lock_with_replaced(reference: str) -> Directive:
    """Lock the directive and what a version on its way replaces, always in one order, before anything else is held."""
    replaced = DirectiveVersion.objects.filter(directive__reference=reference, state__in=IN_PREPARATION)
    for other in sorted({reference, *replaced.exclude(replaces=None).values_list("replaces__reference", flat=True)}):
        directives.lock(other)
    return directives.lock(reference)


def _note_epoch(directive: Directive) -> int:
    """Keep the policy epoch that this commit begins, so that *who has seen it* can be answered."""
    epoch = PolicyEpoch.objects.get().value
    directives.note_epoch(directive=directive, epoch=epoch)
    return epoch


def _ready_approved(directive: Directive) -> DirectiveVersion:
    if directive.state == DirectiveState.SUSPENDED:
        raise WrongState(f"{directive.reference} is suspended. Resume or rescind it first.")
    version = directive.versions.filter(state=VersionState.APPROVED).select_related("directive", "replaces").first()
    if version is None:
        if directive.state == DirectiveState.ACTIVE:
            raise WrongState(f"{directive.reference} is active already, and no new version is approved.")
        if directive.state in (DirectiveState.DRAFT, DirectiveState.SUBMITTED):
            raise WrongState(f"{directive.reference} has no approved version. Submit it and have it approved first.")
    directives.check(directive, "activate")
    assert version is not None, "an approved directive has an approved version"
    _refuse_dates(directive, version)
    previews.refuse_stale(version, advice="Preview and submit it again, or wait until they fit.")
    return version


def _refuse_dates(directive: Directive, version: DirectiveVersion) -> None:
    """Time has passed since the version was fixed: its term may be over, or what it would end may hold longer than it."""
    errors = content.wrong_dates(directive, version, now())
    if errors:
        raise WrongState(f"Version {version.number} cannot take force now: {'; '.join(' '.join(e) for e in errors)}.")


def _ready_emergency(actor: Actor, directive: Directive, reason: str) -> DirectiveVersion:
    if not reason:
        raise Invalid("An emergency activation needs a reason.", [("reason", "is required")])
    version = (
        directive.versions.filter(state__in=[VersionState.DRAFT, VersionState.SUBMITTED])
        .select_related("directive", "replaces")
        .first()
    )
    if version is None or directive.state == DirectiveState.SUSPENDED:
        raise WrongState(f"{directive.reference} has no draft or submitted version to put in force.")
    directives.check(directive, "emergency")
    if version.state == VersionState.DRAFT:
        directives.fix(actor=actor, directive=directive, version=version)
    _refuse_dates(directive, version)
    if _activation_kind(directive, version) == "directive.activation.counsel":
        raise Refused(
            "An order that says “immediately” lets unknown people pass only with counsel's approval. "
            "Set unknown to deny, or submit the version."
        )
    emergencies.refuse_loosening(directive, version)
    return version


def _replace(actor: Actor, directive: Directive, version: DirectiveVersion) -> None:
    """End the directive that this version replaces, in the same commit, so that no gap opens."""
    assert version.replaces is not None
    replaced = directives.lock(version.replaces.reference)
    alive = replaced.state in (DirectiveState.ACTIVE, DirectiveState.SUSPENDED)
    if not alive or replaced.term_ended(now()):
        raise WrongState(f"{replaced.reference}, which this version replaces, is not in force any more.")
    directives.end(
        actor=actor, directive=replaced, state=DirectiveState.RESCINDED, reason=f"replaced by {directive.reference}"
    )
    _start(actor, replaced)


def _start(actor: Actor, directive: Directive) -> Run:
    kind = RunKind.APPLY if directive.state == DirectiveState.ACTIVE else RunKind.RELEASE
    run = runs.plan_run(actor=actor, directive=directive, kind=kind)
    waivers.close_misfits(actor=actor, directive=directive)
    transaction.on_commit(lambda: _hand_out(run.pk))
    return run


def _hand_out(run_id: int) -> None:
    from governance.enforcement.tasks import hand_out

    hand_out(run_id)


# -- suspension, resumption, rescission --------------------------------------------------------------------------------

_VERBS = {"suspension": "Suspend", "resumption": "Resume", "rescission": "Rescind"}


@act
def ask(*, actor: Actor, reference: str, act: str, reason: str = "") -> Request:
    """Open the approval of a suspension, resumption or rescission; the approval carries it out.

    Also opens the ``confirmation`` of an emergency again, when it was refused or nobody could give it.
    """
    actor.require("activate_directives")
    directive = directives.lock(reference)
    directives.check(directive, act)
    if act == "confirmation":
        return emergencies.ask_again(actor, directive)
    kind = f"directive.{act}"
    related = relations.of_request(actor.user, directive)
    request = approvals.open_request(
        actor=actor, kind=kind, subject=directive.subject, content_digest=_digest(directive, act),
        summary=f"{_VERBS[act]} {reference}: {directive.title}", reason=reason,
        conflicts=conflicts.covered_approvers(directive, kind, related=related), relations=related,
    )  # fmt: skip
    directives.record(actor, directive, f"{act}_asked", reason=reason)
    return request


@act
def escalate_unconfirmed(*, actor: Actor) -> int:
    """Tell, once, of each emergency that nobody confirmed in time. It stays in force."""
    late = Directive.objects.select_for_update(skip_locked=True).filter(
        confirm_by__lt=now(), confirmed_at=None, escalated_at=None,
        state__in=[DirectiveState.ACTIVE, DirectiveState.SUSPENDED],
    )  # fmt: skip
    count = 0
    for directive in late:
        directives.escalate(actor=actor, directive=directive, reason="nobody confirmed it within 24 hours")
        count += 1
    return count
