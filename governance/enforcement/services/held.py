"""A second person confirms or refuses a change that was held because it would loosen."""

from __future__ import annotations

from django.db import IntegrityError, InternalError, ProgrammingError, transaction

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.enforcement import locks
from governance.enforcement import policy as policies
from governance.enforcement.held_models import ROLES, WHAT
from governance.enforcement.models import HeldChange
from governance.enforcement.services import changes, roles
from governance.enforcement.services.people import reevaluate_changed
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.ledger import services as ledger
from governance.people import queries as people
from governance.people import services as people_services
from governance.people.models import HeldOrganisation, HeldPerson, HeldVerdict, HeldWhat


@transaction.atomic
def decide(*, actor: Actor, what: str, key: str, verdict: str, seen: str) -> None:
    """``confirm`` or ``refuse``: put a held state in force, or drop it, in one transaction with the restrictions that follow.

    ``seen`` is when the state that the page showed was proposed: another one has another moment. (A digest of it would let
    anybody who reads the ledger try out citizenships.) Raises ``PermissionRefused`` without the right, for whoever proposed the
    change or whom it is about; ``WrongState`` for a change that has become another or cannot be made any more.
    """
    if what in dict(WHAT):
        _decide_change(actor, what, key, verdict, seen)
        return
    actor.require("confirm_held")
    if verdict not in ("confirm", "refuse"):
        raise Invalid("A decision confirms or refuses.")
    confirmed = verdict == "confirm"
    user = _account(actor)
    locks.change_people()
    found = _find(what, key)
    if found.proposed_at.isoformat() != seen:
        raise WrongState("What was proposed has changed. Read it again before you decide.")
    _refuse_conflict(actor, user, found)
    HeldVerdict.objects.create(
        what=what, key=key, confirmed=confirmed, proposed_by=found.proposed_by, proposed_at=found.proposed_at,
        decided_by=user,
    )  # fmt: skip
    try:
        with transaction.atomic():
            people_services.settle_held(what, key, confirmed=confirmed)
    except (
        IntegrityError,
        InternalError,
        ProgrammingError,
    ):  # an address, a manager or a parent that others have taken since
        raise WrongState(
            "It does not fit what is on record by now: the address is somebody else’s, or it would close a circle. "
            "Refuse it, and have it proposed again."
        ) from None
    changed = reevaluate_changed(policies.load())
    act = "confirmed" if confirmed else "refused"
    ledger.append(
        action=f"held_change.{act}", actor=actor.name, via=actor.via, subject=f"{what}:{key}",
        data={"proposed_by": found.proposed_by, "proposed_at": seen, "restrictions": changed},
    )  # fmt: skip
    ledger.publish(
        topic=f"held_change.{act}", key=f"{what}:{key}",
        payload={"what": what, "id": key, "proposed_by": found.proposed_by, "by": actor.name},
    )  # fmt: skip


def _decide_change(actor: Actor, what: str, key: str, verdict: str, seen: str) -> None:
    """The same for a change of the catalog, or of the roles of an account."""
    if not changes.may_decide(actor, what):
        actor.require("confirm_held")
    if verdict not in ("confirm", "refuse"):
        raise Invalid("A decision confirms or refuses.")
    user = _accounts(actor, key if what == ROLES else "")
    locks.change_people()
    found = HeldChange.objects.select_for_update().filter(what=what, key=key).first()
    if found is None:
        raise NotFound("There is no such held change. Somebody may have decided it, or it was taken back.")
    if found.proposed_at.isoformat() != seen:
        raise WrongState("What was proposed has changed. Read it again before you decide.")
    changes.refuse_conflict(actor, found)
    if what == ROLES and verdict == "confirm":
        roles.put(actor, key, found.before["roles"], found.proposed["roles"])
    changes.settle(actor=actor, user=user, held=found, confirmed=verdict == "confirm")


def _accounts(actor: Actor, about: str) -> User:
    """The account that decides, locked together with the one whose roles it decides about: in one order, whoever decides."""
    if actor.user is None:
        raise PermissionRefused("A decision needs an account.")
    names = {actor.user.username, about} - {""}
    # Not FOR UPDATE: whoever shares the people lock may be writing a row that refers to the account.
    found = User.objects.select_for_update(no_key=True).filter(username__in=names).order_by("pk")
    locked = {user.pk: user for user in found}
    return locked[actor.user.pk]


def _account(actor: Actor) -> User:
    if actor.user is None:
        raise PermissionRefused("A decision needs an account.")
    return User.objects.select_for_update(no_key=True).get(pk=actor.user.pk)


def _find(what: str, key: str) -> HeldPerson | HeldOrganisation:
    found: HeldPerson | HeldOrganisation | None = None
    if what == HeldWhat.PERSON:
        found = HeldPerson.objects.select_for_update(of=("self",)).filter(pk=key).first()
    elif what == HeldWhat.ORGANISATION:
        found = HeldOrganisation.objects.select_for_update(of=("self",)).filter(pk=key).first()
    if found is None:
        raise NotFound("There is no such held change. Somebody may have decided it, or it was taken back.")
    return found


def mine(user: User) -> frozenset[str]:
    """What an account decides nothing about: the person it is joined with, and their organisation, as they are on record."""
    me = people.person_of(user)
    return frozenset() if me is None else frozenset({f"person:{me.pk}", f"organisation:{me.organisation_id}"})


def why_not(user: User, own: frozenset[str], found: HeldPerson | HeldOrganisation, via: str = "") -> str | None:
    """The conflict that keeps an account from deciding about a held change; None if nothing does. ``own`` is ``mine(user)``."""
    if found.proposed_by == user.username or (via and found.proposed_by == via and not user.is_demo):
        return "You cannot decide this one. You proposed it."
    about = f"person:{found.person_id}" if isinstance(found, HeldPerson) else f"organisation:{found.organisation_id}"
    return "You cannot decide this one. It is about you, or your own organisation." if about in own else None


def _refuse_conflict(actor: Actor, user: User, found: HeldPerson | HeldOrganisation) -> None:
    conflict = why_not(user, mine(user), found, actor.via)
    if conflict is not None:
        raise PermissionRefused(conflict)
