"""Writing accounts, roles and tokens."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence

from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, Permission
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from governance.accounts.actor import Actor
from governance.accounts.demo import DEMO_ACCOUNTS
from governance.accounts.models import ApiToken, Scope, Theme, User
from governance.accounts.rights import ROLES
from governance.errors import Invalid, NotFound, PermissionRefused
from governance.ledger import services as ledger

TOKEN_PREFIX = "pct_"


@transaction.atomic
def ensure_roles() -> None:
    """Make the roles and their rights what ``rights.ROLES`` says; runs after every migration."""
    permissions = {p.codename: p for p in Permission.objects.filter(content_type__app_label="accounts")}
    for role, rights in ROLES.items():
        group, _ = Group.objects.get_or_create(name=role)
        group.permissions.set([permissions[right] for right in rights])


@transaction.atomic
def ensure_demo_accounts(*, actor: Actor, password: str) -> list[str]:
    """Create the demo accounts that are missing, with one password; returns the names created.

    An account that exists keeps its password and roles.
    """
    actor.require("administer")
    created = []
    encoded = make_password(password)  # once: it is one password, and making it takes most of a first start
    for account in DEMO_ACCOUNTS:
        if User.objects.filter(username=account.username).exists():
            continue
        user = User.objects.create(
            username=account.username, email=account.email, full_name=account.full_name, is_demo=True, password=encoded
        )
        user.groups.set(Group.objects.filter(name__in=account.roles))
        created.append(account.username)
        ledger.append(
            action="account.created", actor=actor.name, via=actor.via, subject=f"account:{user.username}",
            data={"roles": sorted(account.roles), "demo": True},
        )  # fmt: skip
    return created


@transaction.atomic
def create_account(
    *, actor: Actor, username: str, email: str, full_name: str, roles: Sequence[str], password: str
) -> User:
    """Create an account with its roles. Raises ``Invalid`` for a name or address that is taken, or an unknown role."""
    actor.require("administer")
    errors = [("role", f"there is no role {role}") for role in sorted(set(roles) - set(ROLES))]
    if User.objects.filter(username=username).exists():
        errors.append(("username", "is taken"))
    if User.objects.filter(email__iexact=email).exists():
        errors.append(("email", "is taken"))
    user = User(username=username, email=email, full_name=full_name)
    try:
        user.clean_fields(exclude=["password"])
        validate_password(password, user)
    except ValidationError as error:
        errors.append(("account", " ".join(error.messages)))
    if errors:
        raise Invalid("The account was not created.", errors)
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save()
    except IntegrityError:  # another session was first
        raise Invalid("The account was not created.", [("account", "its name or its address is taken")]) from None
    user.groups.set(Group.objects.filter(name__in=roles))
    ledger.append(
        action="account.created", actor=actor.name, via=actor.via, subject=f"account:{username}",
        data={"roles": sorted(roles), "demo": False},
    )  # fmt: skip
    return user


@transaction.atomic
def change_password(*, actor: Actor, old: str, new: str) -> User:
    """An account changes its own password. Raises ``Invalid`` when the old one is wrong or the new one too weak."""
    if actor.user is None:
        raise PermissionRefused("Only an account has a password.")
    user = User.objects.select_for_update().get(pk=actor.user.pk)
    if not user.check_password(old):
        raise Invalid("The password was not changed.", [("old", "is not your present password")])
    try:
        validate_password(new, user)
    except ValidationError as error:
        raise Invalid("The password was not changed.", [("new", " ".join(error.messages))]) from None
    user.set_password(new)
    user.save(update_fields=["password"])
    ledger.append(
        action="account.password_changed", actor=actor.name, via=actor.via, subject=f"account:{user.username}"
    )
    return user


@transaction.atomic
def set_theme(*, actor: Actor, theme: str) -> None:
    """An account chooses light, dark or as the system has it. A preference: the ledger does not record it."""
    if actor.user is None or theme not in Theme.values:
        raise Invalid("There is no such theme.")
    User.objects.filter(pk=actor.user.pk).update(theme=theme)


def _lock(username: str) -> User:
    """The account, locked: a decision it takes at this moment comes before the change or meets it."""
    user = User.objects.select_for_update().filter(username=username).first()
    if user is None:
        raise NotFound(f"There is no account {username}.")
    return user


def require_to_give(*, actor: Actor, username: str, roles: Sequence[str]) -> None:
    """Raise ``PermissionRefused`` unless the actor may give roles to the account, ``Invalid`` for a role that there is not."""
    actor.require("administer")
    if actor.user is not None and actor.user.username == username:
        raise PermissionRefused("Nobody changes their own roles. Another administrator does.")
    unknown = [("role", f"there is no role {role}") for role in sorted(set(roles) - set(ROLES))]
    if unknown:
        raise Invalid("The roles were not changed.", unknown)


@transaction.atomic
def set_roles(*, actor: Actor, username: str, roles: Sequence[str]) -> User:
    """Give an account exactly these roles. What it may do changes at the commit. Nobody gives themselves any.

    Which of them wait for a second person is for ``enforcement.services.roles`` to judge.
    """
    require_to_give(actor=actor, username=username, roles=roles)
    user = _lock(username)
    put_roles(actor=actor, user=user, roles=roles)
    return user


def put_roles(*, actor: Actor, user: User, roles: Sequence[str]) -> None:
    """Write the roles of an account that is locked; whoever calls has asked who may."""
    before = sorted(user.groups.values_list("name", flat=True))
    user.groups.set(Group.objects.filter(name__in=roles))
    ledger.append(
        action="account.roles_changed", actor=actor.name, via=actor.via, subject=f"account:{user.username}",
        data={"before": before, "after": sorted(set(roles))},
    )  # fmt: skip


@transaction.atomic
def deactivate(*, actor: Actor, username: str) -> User:
    """Close an account: it signs in no more, and decides nothing."""
    actor.require("administer")
    user = _lock(username)
    user.is_active = False
    user.save(update_fields=["is_active"])
    ledger.append(action="account.deactivated", actor=actor.name, via=actor.via, subject=f"account:{username}")
    return user


def digest_token(plain: str) -> str:
    return hashlib.sha256(plain.encode()).hexdigest()


@transaction.atomic
def create_token(*, actor: Actor, name: str, scopes: Sequence[str]) -> str:
    """Create a machine client's token and return it: the only moment it can be read."""
    actor.require("administer")
    unknown = sorted(set(scopes) - set(Scope.values))
    if unknown or not scopes:
        raise Invalid("The token was not created.", [("scope", f"must be one of {', '.join(Scope.values)}")])
    if not name.strip() or ApiToken.objects.filter(name=name).exists():
        raise Invalid("The token was not created.", [("name", "is taken" if name.strip() else "is required")])
    plain = TOKEN_PREFIX + secrets.token_urlsafe(32)
    try:
        with transaction.atomic():
            ApiToken.objects.create(
                name=name, digest=digest_token(plain), scopes=sorted(set(scopes)), created_by=actor.name
            )
    except IntegrityError:  # another session was first
        raise Invalid("The token was not created.", [("name", "is taken")]) from None
    ledger.append(
        action="token.created", actor=actor.name, via=actor.via, subject=f"token:{name}",
        data={"scopes": sorted(set(scopes))},
    )  # fmt: skip
    return plain
