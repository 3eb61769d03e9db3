"""Giving and taking permissions on one object. An administrator does it, never for themselves."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group, Permission
from django.db import IntegrityError, transaction
from django.db.models import Model

from governance.accounts import objects
from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.ledger import services as ledger


@transaction.atomic
def give(*, actor: Actor, permission: str, thing: Any, account: str = "", role: str = "") -> None:
    """Give an account, or everybody who has a role, a permission on one object. It holds from the commit on.

    Raises ``PermissionRefused`` for whoever is no administrator or would give it to themselves, ``Invalid`` with the field named.
    """
    actor.require("administer")
    thing = _lock(thing)
    found = _permission(permission, thing)
    to = _receiver(account, role)
    _refuse_oneself(actor, to)
    by_name, by_role = objects.tables_of(type(thing))
    table, whom = (by_name, {"user": to}) if isinstance(to, User) else (by_role, {"group": to})
    if table.objects.filter(content_object=thing, permission=found, **whom).exists():
        raise WrongState(f"{to} has this permission already.")
    try:
        with transaction.atomic():
            table.objects.create(content_object=thing, permission=found, given_by=actor.user, **whom)
    except IntegrityError:  # another session was first
        raise WrongState(f"{to} has this permission already.") from None
    _record(actor, thing, "given", permission, to)


@transaction.atomic
def take(*, actor: Actor, permission: str, thing: Any, account: str = "", role: str = "") -> None:
    """Take a permission on one object away. Whoever had it by this path alone has it no more from the commit on."""
    actor.require("administer")
    thing = _lock(thing)
    found = _permission(permission, thing)
    by_name, by_role = objects.tables_of(type(thing))
    table, whom = (by_name, {"user__username": account}) if account else (by_role, {"group__name": role})
    row = table.objects.select_for_update(of=("self",)).filter(content_object=thing, permission=found, **whom).first()
    if row is None:
        raise NotFound("There is no such permission to take away.")
    to = row.user if account else row.group
    row.delete()
    _record(actor, thing, "taken", permission, to)


def _lock(thing: Any) -> Any:
    found = type(thing)._default_manager.select_for_update(of=("self",)).filter(pk=thing.pk).first()
    if found is None:
        raise NotFound("There is no such object.")
    return found


def _permission(codename: str, thing: Model) -> Permission:
    if codename not in objects.permissions_of(type(thing)):
        raise Invalid("The permission was not given.", [("permission", "there is no such permission on this object")])
    return Permission.objects.get(
        codename=codename, content_type__app_label=thing._meta.app_label, content_type__model=thing._meta.model_name
    )


def _receiver(account: str, role: str) -> User | Group:
    if bool(account) == bool(role):
        raise Invalid("The permission was not given.", [("account", "name an account or choose a role, one of both")])
    if account:
        user = User.objects.select_for_update().filter(username=account, is_active=True).first()
        if user is None:
            raise Invalid("The permission was not given.", [("account", "there is no active account of that name")])
        return user
    group = Group.objects.filter(name=role).first()
    if group is None:
        raise Invalid("The permission was not given.", [("role", "there is no such role")])
    return group


def _refuse_oneself(actor: Actor, to: User | Group) -> None:
    if actor.user is None:
        return
    own = to.pk == actor.user.pk if isinstance(to, User) else actor.user.groups.filter(pk=to.pk).exists()
    if own:
        raise PermissionRefused("Nobody gives a permission to themselves, nor to a role of their own.")


def _record(actor: Actor, thing: Any, act: str, permission: str, to: User | Group) -> None:
    whom = {"account": to.username} if isinstance(to, User) else {"role": to.name}
    ledger.append(
        action=f"object_permission.{act}", actor=actor.name, via=actor.via, subject=thing.subject,
        also=[f"account:{to.username}"] if isinstance(to, User) else [],
        data={"permission": permission, **whom},
    )  # fmt: skip
    ledger.publish(
        topic=f"object_permission.{act}", key=thing.subject, payload={"object": thing.subject, "permission": permission}
    )
