"""Letting somebody decide for oneself, for a time."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.approvals.models import Delegation
from governance.approvals.services.common import account
from governance.errors import Invalid, NotFound, WrongState
from governance.ledger import services as ledger
from governance.moments import now
from governance.values import Unfit, text

LONGEST = timedelta(days=60)
_JUST_NOW = timedelta(minutes=5)  # a form that says now takes a while to be sent


@transaction.atomic
def delegate(*, actor: Actor, to: User, starts_at: datetime, ends_at: datetime, reason: str) -> Delegation:
    """Let ``to`` decide what the actor may, from ``starts_at`` to ``ends_at``. Nothing that was delegated is passed on.

    Raises ``Invalid`` with the field named.
    """
    user = account(actor)
    moment = now()
    errors = []
    if to.pk == user.pk or not to.is_active:
        errors.append(("delegate", "must be another, active account"))
    if starts_at < moment - _JUST_NOW:
        errors.append(("starts_at", "lies in the past"))
    if ends_at <= max(starts_at, moment):
        errors.append(("ends_at", "must be later than the beginning, and than now"))
    if ends_at - max(starts_at, moment) > LONGEST:
        errors.append(("ends_at", f"may be at most {LONGEST.days} days after the beginning"))
    try:
        reason = text(reason, 200).strip()
    except Unfit as unfit:
        errors.append(("reason", unfit.reason))
    if not reason:
        errors.append(("reason", "is required"))
    if errors:
        raise Invalid("The delegation is not acceptable.", errors)
    overlapping = Delegation.objects.filter(
        principal=user, delegate=to, revoked_at=None, starts_at__lt=ends_at, ends_at__gt=max(starts_at, moment)
    )
    if overlapping.exists():
        raise WrongState(f"{to} decides for you in that time already.")
    found = Delegation.objects.create(
        principal=user, delegate=to, starts_at=max(starts_at, moment), ends_at=ends_at, reason=reason
    )
    _record(actor, found, "begun", starts_at=found.starts_at.isoformat(), ends_at=ends_at.isoformat())
    return found


@transaction.atomic
def revoke(*, actor: Actor, delegation_id: int) -> Delegation:
    """End a delegation at once: by who gave it, who holds it, or an administrator."""
    found = Delegation.objects.select_for_update().filter(pk=delegation_id).first()
    own = found is not None and actor.user is not None and actor.user.pk in (found.principal_id, found.delegate_id)
    if found is None or not (own or actor.has("administer")):
        raise NotFound("There is no such delegation of yours.")
    if found.revoked_at is not None or found.ends_at <= now():
        raise WrongState("This delegation has ended already.")
    found.revoked_at = now()
    found.save(update_fields=["revoked_at"])
    _record(actor, found, "revoked")
    return found


def _record(actor: Actor, delegation: Delegation, act: str, **data: object) -> None:
    names = {"principal": delegation.principal.username, "delegate": delegation.delegate.username}
    ledger.append(
        action=f"delegation.{act}", actor=actor.name, via=actor.via, subject=f"delegation:{delegation.pk}",
        data=names | data,
    )  # fmt: skip
    ledger.publish(
        topic=f"delegation.{act}",
        key=f"delegation:{delegation.pk}",
        payload={"delegation": delegation.pk, "by": actor.name},
    )
