"""A directive's life: submission with its preview, approval, activation, suspension, resumption, rescission.

Each act is one transaction: lock the directive, check right and state, change, plan the run, write ledger and outbox. What turns
a decision to deny is in force at that commit, for everybody covered; the run only writes it down.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from django.db import transaction

from governance.accounts.actor import Actor
from governance.approvals import services as approvals
from governance.approvals.models import Request
from governance.approvals.services import ConflictSpec, Outcome
from governance.directives import profiles
from governance.directives import services as directives
from governance.directives.models import Directive, DirectiveVersion, OnUnknown, WaiverPolicy
from governance.directives.states import DirectiveState, VersionState
from governance.enforcement import candidates, locks, previews
from governance.enforcement.decision import rule_truth, subject_and_policy
from governance.enforcement.models import PolicyEpoch, Run, RunKind, StoredPreview
from governance.enforcement.preview import compute
from governance.enforcement.services import runs
from governance.errors import Invalid, Refused, WrongState
from governance.people import queries as people
from governance.rules import language
from governance.waivers import services as waivers


@dataclass(frozen=True)
class Activation:
    directive: Directive
    version: DirectiveVersion
    run: Run
    policy_epoch: int


# -- submission --------------------------------------------------------------------------------------------------------


@transaction.atomic
def submit(*, actor: Actor, reference: str) -> Request:
    """Fix the draft version, store its preview with the people it covers, and open its approval."""
    actor.require("activate_directives")
    directive = directives.lock(reference)
    version = directives.draft_of(directive)
    directives.fix(actor=actor, directive=directive, version=version)
    profiles.refuse_failing(directive, version.expanded_rule)
    directives.submit(actor=actor, directive=directive, version=version)
    preview = previews.store(version)
    return approvals.open_request(
        actor=actor,
        kind=_activation_kind(directive, version),
        subject=directive.subject,
        content_digest=preview.fingerprint,
        summary=f"Put version {version.number} in force: {directive.title}",
        conflicts=_writers(directive, version),
    )


def _activation_kind(directive: Directive, version: DirectiveVersion) -> str:
    """``verify`` and ``allow`` for unknowns, on an order that says *immediately*, need counsel."""
    lenient = version.on_unknown_then != OnUnknown.DENY and directive.comply_immediately
    return "directive.activation.counsel" if lenient else "directive.activation"


def _writers(directive: Directive, version: DirectiveVersion) -> list[ConflictSpec]:
    """Whoever wrote the version, or the directive it belongs to, does not approve it."""
    writers = {version.author_id, directive.author_id} - {None}
    return [ConflictSpec("You wrote it.", user_id=user_id) for user_id in sorted(writers, key=str)]


# -- approval ----------------------------------------------------------------------------------------------------------


@transaction.atomic
def vote(*, actor: Actor, reference: str, verdict: str, comment: str = "", seen: str | None = None) -> Outcome:
    """Decide the one open request about a directive; its last approval acts on the outcome in this transaction.

    ``seen`` is the content digest the page showed: a request that changed since is refused.
    """
    directive = directives.lock(reference)
    request = approvals.open_request_for(directive.subject)
    outcome = approvals.vote(
        actor=actor,
        request=request,
        verdict=verdict,
        comment=comment,
        content_digest=seen or request.content_digest,
        extra_conflict=_covered_conflict(actor, directive, request),
    )
    if outcome.state == "approved":
        _carry_out(actor, directive, request)
    elif outcome.state == "rejected":
        _turn_down(actor, directive, request)
    return outcome


def _covered_conflict(actor: Actor, directive: Directive, request: Request) -> str | None:
    """Nobody who is covered by a directive decides on its suspension, rescission or narrowing.

    A directive whose rule is ``true``, such as a pause, covers everybody alike; it could never end if that were a conflict
    (docs/decisions/0005).
    """
    if request.kind in ("directive.resumption", "directive.confirmation"):
        return None
    watched = {directive.pk}
    if request.kind.startswith("directive.activation"):
        version = directive.versions.get(state=VersionState.SUBMITTED)
        stored = StoredPreview.objects.get(version=version)
        if not stored.released and not stored.figures.get("regain_access"):
            return None
        if version.replaces_id:
            watched.add(version.replaces_id)
    person = people.person_of(actor.user) if actor.user else None
    if person is None:
        return None
    subject, policy = subject_and_policy(person.pk)
    for rule in policy.directives:
        if rule.directive_id in watched and rule.rule.tree != language.Const(True):
            truth = rule_truth(rule, subject)
            if truth is True or (truth is None and rule.unknown_denies_at(subject.now)):
                return f"You cannot decide this one. {rule.reference} covers you."
    return None


def _carry_out(actor: Actor, directive: Directive, request: Request) -> None:
    act = request.kind.removeprefix("directive.").removesuffix(".counsel")
    if act == "activation":
        version = directive.versions.get(state=VersionState.SUBMITTED)
        directives.approve(actor=actor, directive=directive, version=version)
    elif act == "confirmation":
        directives.confirm(actor=actor, directive=directive)
    else:
        locks.hold_people_still()
        if act == "suspension":
            directives.suspend(actor=actor, directive=directive, reason=request.reason)
        elif act == "resumption":
            directives.resume(actor=actor, directive=directive, reason=request.reason)
            _note_epoch(directive)
        elif act == "rescission":
            directives.end(actor=actor, directive=directive, state=DirectiveState.RESCINDED, reason=request.reason)
        _start(actor, directive)


def _turn_down(actor: Actor, directive: Directive, request: Request) -> None:
    if request.kind.startswith("directive.activation"):
        version = directive.versions.get(state=VersionState.SUBMITTED)
        directives.send_back(actor=actor, directive=directive, version=version, state=VersionState.REJECTED)
        previews.forget_members(version)
    else:
        directives.record(actor, directive, "request_rejected", kind=request.kind)


@transaction.atomic
def withdraw(*, actor: Actor, reference: str) -> None:
    """The submitter takes an open request back; a submitted version becomes a new draft."""
    directive = directives.lock(reference)
    request = approvals.withdraw(actor=actor, request=approvals.open_request_for(directive.subject))
    if request.kind.startswith("directive.activation"):
        version = directive.versions.get(state=VersionState.SUBMITTED)
        directives.send_back(actor=actor, directive=directive, version=version, state=VersionState.WITHDRAWN)
        previews.forget_members(version)


# -- activation --------------------------------------------------------------------------------------------------------


@transaction.atomic
def activate(*, actor: Actor, reference: str, emergency: bool = False, reason: str = "") -> Activation:
    """Put a version in force. Everybody it covers is denied at this commit.

    An approved version needs a preview that still fits. An emergency takes a draft or submitted one, is refused if any decision
    would turn to permit, and is to be confirmed by a second person within 24 hours. Raises ``WrongState``, ``Invalid``,
    ``PermissionRefused``; nothing is half-done then.
    """
    actor.require("activate_directives")
    directive = directives.lock(reference)
    locks.hold_people_still()
    if emergency:
        version = _ready_emergency(actor, directive, reason)
    else:
        version = _ready_approved(directive)
    if version.replaces_id is not None:
        _replace(actor, directive, version)
    directives.put_in_force(
        actor=actor, directive=directive, version=version, emergency_reason=reason if emergency else ""
    )
    if version.waivers == WaiverPolicy.END:
        waivers.end_waivers(actor=actor, directive=directive, reason=f"version {version.number} ends waivers")
    run = _start(actor, directive)
    previews.forget_members(version)
    if emergency:
        _ask_confirmation(actor, directive)
    return Activation(directive, version, run, _note_epoch(directive))


def _note_epoch(directive: Directive) -> int:
    """Keep the policy epoch that this commit begins, so that *who has seen it* can be answered."""
    epoch = PolicyEpoch.objects.get().value
    directives.note_epoch(directive=directive, epoch=epoch)
    return epoch


def _ready_approved(directive: Directive) -> DirectiveVersion:
    version = directive.versions.filter(state=VersionState.APPROVED).select_related("directive").first()
    if version is None:
        if directive.state == DirectiveState.ACTIVE:
            raise WrongState(f"{directive.reference} is active already, and no new version is approved.")
        raise WrongState(f"{directive.reference} has no approved version. Submit it and have it approved first.")
    if directive.state == DirectiveState.SUSPENDED:
        raise WrongState(f"{directive.reference} is suspended. Resume or rescind it first.")
    previews.refuse_stale(version)
    return version


def _ready_emergency(actor: Actor, directive: Directive, reason: str) -> DirectiveVersion:
    if not reason.strip():
        raise Invalid("An emergency activation needs a reason.", [("reason", "is required")])
    version = (
        directive.versions.filter(state__in=[VersionState.DRAFT, VersionState.SUBMITTED])
        .select_related("directive")
        .order_by("-number")
        .first()
    )
    if version is None or directive.state == DirectiveState.SUSPENDED:
        raise WrongState(f"{directive.reference} has no draft or submitted version to put in force.")
    if version.state == VersionState.DRAFT:
        directives.fix(actor=actor, directive=directive, version=version)
    if _activation_kind(directive, version) == "directive.activation.counsel":
        raise Refused(
            "An order that says “immediately” lets unknown people pass only with counsel's approval. "
            "Set unknown to deny, or submit the version."
        )
    preview = compute(candidates.candidate(candidates.of_version(version)), fingerprint=False)
    if preview.decisions_regained:
        raise Refused(
            f"An emergency only restricts: {preview.decisions_regained} decisions of {preview.regain_access} people "
            "would turn from deny to permit. Submit the version for approval."
        )
    approvals.set_aside(actor=actor, subject=directive.subject)
    return version


def _replace(actor: Actor, directive: Directive, version: DirectiveVersion) -> None:
    """End the directive that this version replaces, in the same commit, so that no gap opens."""
    assert version.replaces is not None
    replaced = directives.lock(version.replaces.reference)
    if replaced.state not in (DirectiveState.ACTIVE, DirectiveState.SUSPENDED):
        raise WrongState(f"{replaced.reference}, which this version replaces, is not in force any more.")
    directives.end(
        actor=actor, directive=replaced, state=DirectiveState.RESCINDED, reason=f"replaced by {directive.reference}"
    )
    _start(actor, replaced)


def _ask_confirmation(actor: Actor, directive: Directive) -> None:
    """Open the confirmation. If nobody could give it, the emergency stands and this is escalated at once."""
    version = directive.version_in_force
    assert version is not None
    try:
        with transaction.atomic():
            approvals.open_request(
                actor=actor, kind="directive.confirmation", subject=directive.subject,
                content_digest=version.digest, summary=f"Confirm the emergency activation of {directive.reference}",
                reason=version.emergency_reason,
            )  # fmt: skip
    except Invalid as nobody:
        directives.escalate(actor=actor, directive=directive, reason=nobody.reason)


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

_ASK = {
    "suspension": ((DirectiveState.ACTIVE,), "Suspend"),
    "resumption": ((DirectiveState.SUSPENDED,), "Resume"),
    "rescission": ((DirectiveState.ACTIVE, DirectiveState.SUSPENDED), "Rescind"),
}


@transaction.atomic
def ask(*, actor: Actor, reference: str, act: str, reason: str = "") -> Request:
    """Open the approval of a suspension, resumption or rescission; the approval carries it out."""
    actor.require("activate_directives")
    directive = directives.lock(reference)
    states, verb = _ASK[act]
    if directive.state not in states:
        raise WrongState(f"{reference} is {directive.get_state_display().lower()}; it cannot be {_past(act)}.")
    version = directive.version_in_force
    digest = hashlib.sha256(
        language.canonical({"act": act, "reference": reference, "version": version.digest if version else ""})
    ).hexdigest()
    request = approvals.open_request(
        actor=actor, kind=f"directive.{act}", subject=directive.subject, content_digest=digest,
        summary=f"{verb} {reference}: {directive.title}", reason=reason,
    )  # fmt: skip
    directives.record(actor, directive, f"{act}_asked", reason=reason)
    return request


def _past(act: str) -> str:
    return {"suspension": "suspended", "resumption": "resumed", "rescission": "rescinded"}[act]


@transaction.atomic
def escalate_unconfirmed(*, actor: Actor) -> int:
    """Tell, once, of each emergency that nobody confirmed in time. It stays in force."""
    late = Directive.objects.select_for_update(skip_locked=True).filter(
        confirm_by__lt=directives.now(), confirmed_at=None, escalated_at=None,
        state__in=[DirectiveState.ACTIVE, DirectiveState.SUSPENDED],
    )  # fmt: skip
    count = 0
    for directive in late:
        directives.escalate(actor=actor, directive=directive, reason="nobody confirmed it within 24 hours")
        count += 1
    return count
