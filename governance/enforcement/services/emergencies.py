"""Emergencies: what one operator may put in force alone, and the second person who is owed afterwards.

An emergency only restricts: no decision turns from deny to permit by it, neither at its activation nor at any moment that
a clock has still to bring (DESIGN.md, *Asymmetric safety*).
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from governance.accounts.actor import Actor
from governance.approvals import services as approvals
from governance.approvals.models import Request
from governance.approvals.services import ConflictSpec
from governance.directives import content, relations
from governance.directives import services as directives
from governance.directives.models import Directive, DirectiveVersion
from governance.directives.states import DirectiveState
from governance.enforcement import candidates, conflicts
from governance.enforcement import policy as policies
from governance.enforcement.policy import Policy
from governance.enforcement.preview import Candidate, compute
from governance.errors import Invalid, Refused, WrongState
from governance.moments import now
from governance.waivers.models import Waiver

CONFIRMATION = "directive.confirmation"


def refuse_loosening(directive: Directive, version: DirectiveVersion) -> None:
    """Raise ``Refused`` when the version would let anybody through whom the present policy denies, now or later.

    Where nothing that is in force gives way to it, there is nothing it could loosen.
    """
    moment = now()
    if version.effective_at is not None and version.effective_at > moment:
        raise Refused("An emergency takes force at once, and this version takes effect later. Submit it for approval.")
    replaced = version.replaces
    if replaced is not None and replaced.state == DirectiveState.SUSPENDED:
        raise Refused(f"An emergency only restricts: it would end {replaced.reference}, which is suspended.")
    for former in content.gives_way(directive, version):
        if content.ends_sooner(version, former):
            raise Refused(
                f"An emergency only restricts: its term would end before that of {former.directive.reference} version "
                f"{former.number}. Submit the version for approval."
            )
    candidate = candidates.candidate(candidates.of_version(version))
    policy = policies.load()
    changed = {rule.directive_id for rule in policy.directives} & {directive.pk, *candidate.replaces}
    if not changed:
        return
    for at in (None, *_moments(policy, candidate, changed, moment)):
        for unwaived in _with_and_without_waivers(changed):
            _refuse_regained(candidate, at, unwaived)


def _refuse_regained(candidate: Candidate, at: datetime | None, unwaived: frozenset[int]) -> None:
    found = compute(candidate, fingerprint=False, at=at, unwaived=unwaived)
    if found.decisions_regained:
        when = f" on {at:%Y-%m-%d at %H:%M %Z}" if at else " when a waiver ends" if unwaived else ""
        raise Refused(
            f"An emergency only restricts: {found.decisions_regained} decisions of {found.regain_access} people "
            f"would turn from deny to permit{when}. Submit the version for approval."
        )


def _moments(policy: Policy, candidate: Candidate, changed: set[int], now: datetime) -> list[datetime]:
    """The moments to come at which something could begin to be let through that the present policy denies.

    That is when what gives way would begin to deny, when the candidate ceases to, and when another directive that hides
    either on the same capabilities ends. All other turns of a clock only deny more.
    """
    former = [rule for rule in policy.directives if rule.directive_id in changed]
    scope = set(candidate.rule.scope).union(*(rule.scope for rule in former))
    others = [rule for rule in policy.directives if rule.directive_id not in changed and rule.scope & scope]
    times = {time for rule in former for time in (rule.effective_at, rule.verify_deadline)}
    times |= {rule.expires_at for rule in (candidate.rule, *others)}
    return sorted(time for time in times if time is not None and time > now)


def _with_and_without_waivers(changed: set[int]) -> list[frozenset[int]]:
    """A waiver ends by itself; what it hides until then must not be looser than before either."""
    running = Waiver.objects.filter(directive__in=changed, ended_at=None, ends_at__gt=now())
    return [frozenset(), frozenset(changed)] if running.exists() else [frozenset()]


# -- the second person ---------------------------------------------------------------------------------------------------


def ask_confirmation(actor: Actor, directive: Directive) -> None:
    """Open the confirmation. If nobody could give it, the emergency stands and this is escalated at once."""
    try:
        with transaction.atomic():
            _open(actor, directive)
    except Invalid as nobody:
        directives.escalate(actor=actor, directive=directive, reason=nobody.reason)


def ask_again(actor: Actor, directive: Directive) -> Request:
    """Open the confirmation of a locked directive once more, after it was refused or when somebody can give it at last."""
    if not directive.to_be_confirmed:
        raise WrongState(f"{directive.reference} has no emergency activation to confirm.")
    request = _open(actor, directive)
    directives.record(actor, directive, "confirmation_asked")
    return request


def _open(actor: Actor, directive: Directive) -> Request:
    version = directive.version_in_force
    assert version is not None
    return approvals.open_request(
        actor=actor, kind=CONFIRMATION, subject=directive.subject, content_digest=version.digest,
        summary=f"Confirm the emergency activation of {directive.reference}", reason=version.emergency_reason,
        conflicts=[*conflicts.writers(directive, version), *_involved(directive)],
        relations=relations.of_request(actor.user, directive),
    )  # fmt: skip


def _involved(directive: Directive) -> list[ConflictSpec]:
    """Whoever submitted or activated an emergency version that nobody confirmed, the present one and those before it."""
    assert directive.confirm_by is not None, "an emergency is owed a confirmation"
    began = directive.confirm_by - directives.EMERGENCY_CONFIRMATION
    unconfirmed = directive.versions.filter(in_force_at__gte=began).exclude(emergency_reason="")
    pairs = unconfirmed.values_list("submitter_id", "activated_by_id")
    ids = {user_id for pair in pairs for user_id in pair if user_id is not None}
    return [ConflictSpec("You submitted it or put it in force.", user_id=user_id) for user_id in sorted(ids)]
