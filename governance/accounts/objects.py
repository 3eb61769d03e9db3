"""Permissions on one object: who has them, by which path, and which objects somebody has them on.

Every check of access to an object, not to a kind of object, asks here. Permissions count that are held by name or through a
role that the account has now; inactive accounts hold none, and ``is_superuser`` gives none (``User.has_right`` says the same of
rights). Answers are querysets: a list is filtered by them in SQL, never row by row.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from django.contrib.auth.models import Group
from django.db.models import Model, Q, QuerySet
from guardian.utils import get_group_obj_perms_model, get_user_obj_perms_model

from governance.accounts.models import User

COUNSEL, REVIEWER, STEWARD, OWNER = "counsel_case", "review_case", "steward_model", "own_organisation"
CASE = (COUNSEL, REVIEWER)

M = TypeVar("M", bound=Model)


def permissions_of(model: type[Model]) -> dict[str, str]:
    """The permissions that can be given on an object of this kind, in words."""
    return {codename: str(label) for codename, label in model._meta.permissions}


def tables_of(model: type[Model]) -> tuple[Any, Any]:
    """Where permissions on objects of this kind are kept: of accounts, and of roles."""
    any_of_it: Any = model  # guardian says it takes an object, and looks at its class alone
    return get_user_obj_perms_model(any_of_it), get_group_obj_perms_model(any_of_it)


def holders(permission: str, *objects: Model) -> QuerySet[User]:
    """Active accounts that have the permission on any of the objects, which are of one kind."""
    if not objects:
        return User.objects.none()
    by_name, by_role = tables_of(type(objects[0]))
    wanted: dict[str, Any] = {"permission__codename": permission, "content_object__in": objects}
    members = User.groups.through.objects.filter(group_id__in=by_role.objects.filter(**wanted).values("group_id"))
    return User.objects.filter(
        Q(pk__in=by_name.objects.filter(**wanted).values("user_id")) | Q(pk__in=members.values("user_id")),
        is_active=True,
    )


def holders_of_each(permission: str, *objects: Model) -> list[tuple[int, int]]:
    """Active accounts that have the permission, each with the key of an object they have it on. One query."""
    if not objects:
        return []
    by_name, by_role = tables_of(type(objects[0]))
    wanted: dict[str, Any] = {"permission__codename": permission, "content_object__in": objects}
    named = by_name.objects.filter(user__is_active=True, **wanted).values_list("user_id", "content_object_id")
    through_roles = by_role.objects.filter(group__user__is_active=True, **wanted)
    found: list[tuple[int, int]] = list(named.union(through_roles.values_list("group__user", "content_object_id")))
    return sorted(found)


def objects_for(user: User, permission: str | Collection[str], model: type[M]) -> QuerySet[M]:
    """The objects of a kind on which the account has the permission, or any of several."""
    manager: Any = model._default_manager
    if not user.is_active:
        return manager.none()
    by_name, by_role = tables_of(model)
    names = [permission] if isinstance(permission, str) else list(permission)
    roles = User.groups.through.objects.filter(user_id=user.pk).values("group_id")
    return manager.filter(
        Q(pk__in=by_name.objects.filter(user=user, permission__codename__in=names).values("content_object_id"))
        | Q(
            pk__in=by_role.objects.filter(group_id__in=roles, permission__codename__in=names).values(
                "content_object_id"
            )
        )
    )


def has(user: User, permission: str | Collection[str], thing: Model) -> bool:
    return objects_for(user, permission, type(thing)).filter(pk=thing.pk).exists()


@dataclass(frozen=True)
class Holding:
    """One permission on one object, and by which path somebody has it: by name, or through a ``role``."""

    thing: Any
    permission: str
    label: str
    user: User
    role: str
    given_by: User | None
    given_at: datetime


def holdings_of(user: User, model: type[Model]) -> list[Holding]:
    """Every permission of an account on objects of a kind, with its path."""
    if not user.is_active:
        return []
    by_name, by_role = tables_of(model)
    direct = by_name.objects.filter(user=user).select_related("content_object", "permission", "given_by")
    through = by_role.objects.filter(group__in=user.groups.all())
    labels = permissions_of(model)
    rows = [*direct, *through.select_related("content_object", "permission", "given_by", "group")]
    return _sorted(_holding(row, row.content_object, user, labels) for row in rows)


def holdings_on(thing: Model) -> list[Holding]:
    """Every active account with a permission on an object, once for each path."""
    by_name, by_role = tables_of(type(thing))
    labels = permissions_of(type(thing))
    direct = by_name.objects.filter(content_object=thing, user__is_active=True)
    found = [_holding(row, thing, row.user, labels) for row in direct.select_related("user", "permission", "given_by")]
    through = list(by_role.objects.filter(content_object=thing).select_related("group", "permission", "given_by"))
    members = User.groups.through.objects.filter(
        group_id__in=[row.group_id for row in through], user__is_active=True
    ).select_related("user")
    by_group: dict[int, list[User]] = {}
    for member in members:
        by_group.setdefault(member.group_id, []).append(member.user)
    found += [_holding(row, thing, user, labels) for row in through for user in by_group.get(row.group_id, ())]
    return _sorted(found)


def given_on(thing: Model) -> list[tuple[str, str, str, str]]:
    """What can be taken away from an object: (permission, label, *account* or *role*, its name)."""
    by_name, by_role = tables_of(type(thing))
    labels = permissions_of(type(thing))
    rows = [
        (row.permission.codename, "account", row.user.username)
        for row in by_name.objects.filter(content_object=thing).select_related("permission", "user")
    ] + [
        (row.permission.codename, "role", row.group.name)
        for row in by_role.objects.filter(content_object=thing).select_related("permission", "group")
    ]
    return sorted((codename, labels[codename], what, name) for codename, what, name in rows)


def _holding(row: Any, thing: Any, user: User, labels: dict[str, str]) -> Holding:
    group: Group | None = getattr(row, "group", None)
    return Holding(
        thing, row.permission.codename, labels[row.permission.codename], user,
        group.name if group else "", row.given_by, row.given_at,
    )  # fmt: skip


def _sorted(found: Any) -> list[Holding]:
    return sorted(found, key=lambda one: (str(one.thing), one.label, str(one.user), one.role))
