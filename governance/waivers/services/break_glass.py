"""Break-glass: two of a named few open a waiver at once, for hours, and somebody else says afterwards whether it was needed.

The first asks, the second confirms within a quarter of an hour; nothing is open in between. The triggers hold the same rules.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.db.models.functions import Now

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.approvals import hours
from governance.approvals import queries as approvals
from governance.approvals.models import Delegation
from governance.directives import services as directives
from governance.directives.models import Directive, DirectiveVersion, Waivable
from governance.directives.states import DirectiveState
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.ledger import services as ledger
from governance.moments import now
from governance.people import queries as people
from governance.people.models import Person
from governance.rules.language import canonical
from governance.values import Unfit, text
from governance.waivers import queries
from governance.waivers.models import BreakGlass, Verdict, Waiver, WaiverCapability
from governance.waivers.services import ending

MAX_HOURS = 4
REVIEW_WITHIN = 8  # business hours: one business day
_LONGEST = 2_000


@transaction.atomic
def break_glass(
    *, actor: Actor, directive: Directive, person: Person, item_ids: Sequence[int], hours: int, reason: str
) -> BreakGlass:
    """What the first person asks for. ``directive`` is locked; whether it denies the items is for the caller to know."""
    user = _few(actor)
    version = _waivable(directive)
    reason = _words("reason", reason)
    if not isinstance(hours, int) or isinstance(hours, bool) or not 1 <= hours <= MAX_HOURS:
        raise Invalid("The duration is not acceptable.", [("hours", f"must be from 1 to {MAX_HOURS}")])
    _refuse_own(user, person)
    _refuse_unreviewed(directive, person)
    stated = {
        "directive": directive.reference, "version": version.number, "person": person.pk, "items": sorted(item_ids),
        "hours": hours, "reason": reason,
    }  # fmt: skip
    found = BreakGlass.objects.create(
        person=person, directive=directive, version=version, model_capability_ids=sorted(item_ids), hours=hours,
        reason=reason, digest=hashlib.sha256(canonical(stated)).hexdigest(), opened_by=user, opened_via=actor.via,
        opened_at=now(),
    )  # fmt: skip
    record(actor, found, "asked", hours=hours, items=found.model_capability_ids)
    return found


@transaction.atomic
def confirm_break_glass(*, actor: Actor, break_glass_id: int, digest: str) -> Waiver:
    """The second person's word on what the first asked for: the waiver opens at this commit.

    Everybody who would have approved it is told in the same transaction, and a review falls due.
    """
    actor.require("break_glass")
    found = lock(break_glass_id)
    user = _few(actor)
    _waivable(found.directive)
    if found.confirmed_at is not None:
        raise WrongState(f"It was opened already, with {found.confirmed_by}.")
    if user.pk == found.opened_by_id:
        raise PermissionRefused("You asked for it. A second person confirms it.")
    if actor.via and not user.is_demo and actor.via == found.opened_via:
        raise PermissionRefused(f"{actor.via} asked for it already, with another account.")
    if digest != found.digest or found.version_id != found.directive.version_in_force_id:
        raise WrongState("What was asked for, or the directive, has changed. Read it again, or ask anew.")
    moment = now()
    if moment > found.confirm_by:
        raise WrongState("More than 15 minutes have passed since it was asked for. Ask anew.")
    if _tied(user, [found.opened_by_id]):
        raise PermissionRefused(f"One of you decides for the other ({found.opened_by}). You count as one person.")
    _few_still(found.opened_by)
    for one in (user, found.opened_by):
        _refuse_own(one, found.person)
    _refuse_unreviewed(found.directive, found.person)
    found.confirmed_by, found.confirmed_via, found.confirmed_at = user, actor.via, moment
    found.review_due = hours.after(moment, REVIEW_WITHIN, business=True)
    try:
        with transaction.atomic():
            found.save(update_fields=["confirmed_by", "confirmed_via", "confirmed_at", "review_due"])
    except IntegrityError:
        raise _unreviewed() from None
    found.refresh_from_db()
    waiver = _open(found)
    told = sorted(approvals.approvers("exception").values_list("username", flat=True))
    record(
        actor, found, "opened", waiver=waiver.pk, ends_at=waiver.ends_at.isoformat(), accounts=told,
        first=found.opened_by.username, review_due=found.review_due.isoformat() if found.review_due else "",
    )  # fmt: skip
    return waiver


def _open(found: BreakGlass) -> Waiver:
    assert found.confirmed_at is not None
    waiver = Waiver.objects.create(
        person=found.person, directive=found.directive, break_glass=found, starts_at=found.confirmed_at,
        ends_at=found.confirmed_at + timedelta(hours=found.hours),
    )  # fmt: skip
    WaiverCapability.objects.bulk_create(
        WaiverCapability(waiver=waiver, model_capability_id=item) for item in found.model_capability_ids
    )
    return waiver


@transaction.atomic
def review_break_glass(*, actor: Actor, break_glass_id: int, verdict: str, words: str) -> BreakGlass:
    """Whether it was needed, by somebody who is neither of the two. What was not needed ends at once, if it still runs."""
    found = lock(break_glass_id)
    user = _account(actor)
    if not queries.may_review(user):
        raise PermissionRefused("It is reviewed by those who approve exceptions, or by legal.")
    if user.pk in (found.opened_by_id, found.confirmed_by_id):
        raise PermissionRefused("You opened it. Somebody else reviews it.")
    _refuse_own(user, found.person)
    if found.confirmed_at is None:
        raise WrongState("It was never opened; there is nothing to review.")
    if found.reviewed_at is not None:
        raise WrongState(f"It was reviewed already, by {found.reviewed_by}.")
    if verdict not in Verdict.values:
        raise Invalid("Say whether it was needed.", [("verdict", "is required")])
    words = _words("review", words)
    moment = now()
    late = found.review_due is not None and moment > found.review_due
    found.reviewed_by, found.reviewed_at, found.verdict, found.review = user, moment, verdict, words
    found.save(update_fields=["reviewed_by", "reviewed_at", "verdict", "review"])
    record(actor, found, "reviewed", verdict=str(verdict), late=late)
    waiver = Waiver.objects.select_for_update(of=("self",)).get(break_glass=found)
    if verdict == Verdict.NOT_NEEDED and waiver.ended_at is None and waiver.ends_at > moment:
        waiver.directive, waiver.break_glass = found.directive, found
        ending.end(actor, waiver, "its review found that it should not have been opened", moment)
        ending.record(actor, waiver, "revoked", reason=waiver.end_reason)
    return found


@transaction.atomic
def tell_overdue_reviews(*, actor: Actor) -> int:
    """Tell, once, of each review that nobody wrote within its business day; how many. From the schedule."""
    late = BreakGlass.objects.filter(review_due__lte=Now(), reviewed_at=None, overdue_told_at=None)
    found = list(late.select_related("directive").select_for_update(of=("self",), skip_locked=True)[:50])
    for one in found:
        one.overdue_told_at = now()
        one.save(update_fields=["overdue_told_at"])
        told = sorted(approvals.approvers("exception").values_list("username", flat=True))
        record(actor, one, "review_overdue", accounts=told)
    return len(found)


# -- what all of them ask ----------------------------------------------------------------------------------------------


def lock(break_glass_id: int) -> BreakGlass:
    """Locked after its directive. Raises ``NotFound``."""
    reference = BreakGlass.objects.filter(pk=break_glass_id).values_list("directive__reference", flat=True).first()
    if reference is None:
        raise NotFound(f"There is no break-glass {break_glass_id}.")
    directive = directives.lock(reference)
    found = BreakGlass.objects.select_for_update(of=("self",)).select_related("person", "opened_by", "confirmed_by")
    one = found.get(pk=break_glass_id)
    one.directive = directive
    return one


def _account(actor: Actor) -> User:
    # Not FOR UPDATE: whoever holds the directive may be writing a row that refers to the account.
    locked = User.objects.select_for_update(no_key=True)
    user = locked.filter(pk=actor.user.pk, is_active=True).first() if actor.user else None
    if user is None:
        raise PermissionRefused("It takes an account that is active.")
    return user


def _few(actor: Actor) -> User:
    actor.require("break_glass")
    user = _account(actor)
    _few_still(user)
    return user


def _few_still(user: User) -> None:
    if not user.has_right("break_glass"):
        raise PermissionRefused(f"{user} is not one of the few who may do this.")


def _waivable(directive: Directive) -> DirectiveVersion:
    version = directive.version_in_force
    if directive.state != DirectiveState.ACTIVE or version is None or directive.term_ended(now()):
        raise WrongState(f"{directive.reference} is not in force.")
    if version.waivable != Waivable.COMPANY:
        raise WrongState(
            f"Only the company's own waivers can be opened at once; {directive.reference} says "
            f"“{Waivable(version.waivable).label.lower()}”."
        )
    return version


def _refuse_own(user: User, person: Person) -> None:
    """Never for oneself, nor for somebody for whom one decides, or who decides for one."""
    own = people.person_of(user)
    if own is not None and own.pk == person.pk:
        raise PermissionRefused("It would be for you. Nobody does this for themselves.")
    theirs = [account.pk for account in people.accounts_of(person)]
    if _tied(user, theirs):
        raise PermissionRefused(f"{user} and {person.name} decide for each other. Somebody else does this.")


def _tied(user: User, others: Sequence[int]) -> bool:
    running = Delegation.objects.filter(revoked_at=None, starts_at__lte=Now(), ends_at__gt=Now())
    return running.filter(Q(principal=user, delegate__in=others) | Q(delegate=user, principal__in=others)).exists()


def _refuse_unreviewed(directive: Directive, person: Person) -> None:
    if BreakGlass.objects.filter(
        directive=directive, person=person, confirmed_at__isnull=False, reviewed_at=None
    ).exists():
        raise _unreviewed()


def _unreviewed() -> WrongState:
    return WrongState("What was opened for this person before waits for its review. That comes first.")


def _words(field: str, given: str) -> str:
    try:
        words = text(given, _LONGEST).strip()
    except Unfit as unfit:
        raise Invalid("The text is not acceptable.", [(field, unfit.reason)]) from None
    if not words:
        raise Invalid("Something has to be said.", [(field, "is required")])
    return words


def record(actor: Actor, found: BreakGlass, act: str, **data: Any) -> None:
    ledger.append(
        action=f"break_glass.{act}", actor=actor.name, via=actor.via, subject=found.subject,
        also=[found.directive.subject, f"person:{found.person_id}"], data={"digest": found.digest, **data},
    )  # fmt: skip
    ledger.publish(
        topic=f"break_glass.{act}", key=found.subject,
        payload={"break_glass": found.pk, "directive": found.directive.reference, "person": found.person_id, "by": actor.name, **data},
    )  # fmt: skip
