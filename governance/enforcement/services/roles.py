"""Giving and taking roles: taking acts at once; what a restriction could be loosened by waits while a directive is in force."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import Q, QuerySet

from governance.accounts import objects
from governance.accounts import services as accounts
from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.accounts.rights import LOOSENING
from governance.approvals.models import PolicyStage
from governance.enforcement import locks
from governance.enforcement import policy as policies
from governance.enforcement.held_models import ROLES
from governance.enforcement.services import changes
from governance.enforcement.who_can_do_what import KINDS
from governance.errors import NotFound, WrongState


@dataclass(frozen=True)
class Given:
    """The roles that an account has now, and those that wait for a second person."""

    user: User
    roles: Sequence[str]
    held: Sequence[str] = ()


@transaction.atomic
def set_roles(*, actor: Actor, username: str, roles: Sequence[str]) -> Given:
    """Give an account exactly these roles: at once what takes away, or by which nothing could be loosened; the rest is held.

    Raises ``WrongState`` when roles of the account are held already and others would have to wait.
    """
    accounts.require_to_give(actor=actor, username=username, roles=roles)
    user = User.objects.select_for_update(no_key=True).filter(username=username).first()
    if user is None:
        raise NotFound(f"There is no account {username}.")
    locks.change_people()
    before = set(user.roles())
    held = _waiting(set(roles) - before)
    now = set(roles) - held
    if now != before:
        accounts.set_roles(actor=actor, username=username, roles=sorted(now))
    return _hold(actor, user, now, held)


@transaction.atomic
def create_account(
    *, actor: Actor, username: str, email: str, full_name: str, roles: Sequence[str], password: str
) -> Given:
    """Create an account with its roles; those that have to wait for a second person come when one has confirmed them."""
    accounts.require_to_give(actor=actor, username=username, roles=roles)
    locks.change_people()
    held = _waiting(set(roles))
    now = set(roles) - held
    user = accounts.create_account(
        actor=actor, username=username, email=email, full_name=full_name, roles=sorted(now), password=password
    )
    return _hold(actor, user, now, held)


def _hold(actor: Actor, user: User, now: Collection[str], held: Collection[str]) -> Given:
    if held:
        changes.refuse_held_already([(ROLES, user.username)])
        changes.write(
            actor=actor, what=ROLES, key=user.username, before={"roles": sorted(now)},
            proposed={"roles": sorted({*now, *held})}, parties=[user.pk],
        )  # fmt: skip
    return Given(user, sorted(now), sorted(held))


def _waiting(roles: Collection[str]) -> set[str]:
    """Those of the roles that two people give: all by which something could be loosened, while a directive is in force."""
    return loosening(roles) if roles and policies.load().directives else set()


def loosening(roles: Collection[str]) -> set[str]:
    """The roles that carry a right to loosen, decide a stage of a policy in force, or have a permission on some object."""
    groups = Group.objects.filter(name__in=roles)
    may = Q(
        permissions__codename__in={*LOOSENING, *_in_force().values_list("permission", flat=True)},
        permissions__content_type__app_label="accounts",
        permissions__content_type__model="right",
    )
    for kind in KINDS.values():
        may |= Q(pk__in=objects.tables_of(kind.model)[1].objects.values("group_id"))
    return set(groups.filter(may).values_list("name", flat=True)) | (set(roles) & deciding())


def _in_force() -> QuerySet[PolicyStage]:
    return PolicyStage.objects.filter(policy__active=True)


def deciding() -> set[str]:
    """The roles that a policy in force names as approvers, at first or later."""
    lists = _in_force().values_list("groups", "fallback", "escalate_to")
    return {name for row in lists for names in row for name in names}


def put(actor: Actor, username: str, before: Sequence[str], proposed: Sequence[str]) -> None:
    """Put held roles in force. Raises ``WrongState`` when the account is not what it was when they were proposed."""
    user = User.objects.select_for_update(no_key=True).get(username=username)
    if not user.is_active or sorted(user.roles()) != sorted(before):
        raise WrongState(
            f"The account {username} has changed since this was proposed. Refuse it, and have it proposed again."
        )
    accounts.put_roles(actor=actor, user=user, roles=proposed)
