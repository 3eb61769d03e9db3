"""Writing the tokens of people's own programs."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now

from governance.accounts.actor import Actor
from governance.accounts.models import PersonalToken, Reach, User
from governance.accounts.services import digest_token
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.ledger import services as ledger
from governance.values import Unfit, longest, text

PERSONAL_PREFIX = "pcp_"
DEFAULT_DAYS, MOST_DAYS = 30, 90


@transaction.atomic
def create_personal_token(*, actor: Actor, name: str, reach: str, days: int = DEFAULT_DAYS) -> str:
    """An account makes a token for its own programs; returned at this moment only. It has the account's rights, no more.

    Raises ``Invalid`` with the field named.
    """
    if actor.user is None:
        raise PermissionRefused("A personal token belongs to an account.")
    user = User.objects.select_for_update().get(pk=actor.user.pk)
    errors = []
    try:
        name = text(name, longest(PersonalToken, "name")).strip()
        if not name:
            raise Unfit("is required")
        if user.personal_tokens.filter(name=name, revoked_at=None).exists():
            raise Unfit("is taken; revoke the token of that name first")
    except Unfit as unfit:
        errors.append(("name", unfit.reason))
    if reach not in Reach.values:
        errors.append(("reach", f"must be one of {', '.join(Reach.values)}"))
    if isinstance(days, bool) or not 1 <= days <= MOST_DAYS:
        errors.append(("days", f"must be from 1 to {MOST_DAYS}"))
    if errors:
        raise Invalid("The token was not created.", errors)
    plain = PERSONAL_PREFIX + secrets.token_urlsafe(32)
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        moment = cursor.fetchone()[0]
    token = PersonalToken.objects.create(
        user=user, name=name, digest=digest_token(plain), reach=reach, expires_at=moment + timedelta(days=days)
    )
    ledger.append(
        action="personal_token.created", actor=actor.name, via=actor.via, subject=f"account:{user.username}",
        data={"token": token.pk, "name": name, "reach": reach, "days": days},
    )  # fmt: skip
    return plain


@transaction.atomic
def revoke_personal_token(*, actor: Actor, token_id: int) -> None:
    """End a token at once: by its account, or an administrator."""
    token = PersonalToken.objects.select_for_update(of=("self",)).select_related("user").filter(pk=token_id).first()
    own = token is not None and actor.user is not None and token.user_id == actor.user.pk
    if token is None or not (own or actor.has("administer")):
        raise NotFound("There is no such token of yours.")
    if token.revoked_at is not None:
        raise WrongState("This token was revoked already.")
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        token.revoked_at = cursor.fetchone()[0]
    token.save(update_fields=["revoked_at"])
    ledger.append(
        action="personal_token.revoked", actor=actor.name, via=actor.via, subject=f"account:{token.user.username}",
        data={"token": token.pk, "name": token.name},
    )  # fmt: skip


def note_use(token: PersonalToken) -> None:
    """Keep when a token was last used, to the minute: a program that asks often writes seldom."""
    if token.last_used_at is None or datetime.now(UTC) - token.last_used_at > _A_MINUTE:
        PersonalToken.objects.filter(pk=token.pk).filter(
            Q(last_used_at=None) | Q(last_used_at__lt=Now() - _A_MINUTE)
        ).update(last_used_at=Now())


_A_MINUTE = timedelta(minutes=1)
