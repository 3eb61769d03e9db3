"""Reads about accounts and tokens."""

from __future__ import annotations

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from django.db.models.functions import Now

from governance.accounts.models import ApiToken, PersonalToken, User
from governance.accounts.services import digest_token


def find_token(plain: str) -> ApiToken | None:
    """The token that was not revoked, found by its digest."""
    return ApiToken.objects.filter(digest=digest_token(plain), revoked_at__isnull=True).first()


_TO_CHOOSE_FROM = 500


def to_choose_from() -> list[User]:
    """Active accounts by name, for a field that proposes some; any other can be typed."""
    return list(User.objects.filter(is_active=True).order_by("full_name", "username")[:_TO_CHOOSE_FROM])


def with_right(right: str) -> QuerySet[User]:
    """Active accounts that have a right through one of their roles."""
    return User.objects.filter(
        groups__permissions__codename=right, groups__permissions__content_type__app_label="accounts",
        groups__permissions__content_type__model="right", is_active=True,
    ).distinct()  # fmt: skip


def find_user(username: str) -> User | None:
    return User.objects.filter(username=username).first()


def find_personal_token(plain: str) -> PersonalToken | None:
    """The personal token that still counts, with its account: not revoked, not expired, and the account is active."""
    return usable_tokens().select_related("user").filter(digest=digest_token(plain), user__is_active=True).first()


def tokens_of(user: User) -> QuerySet[PersonalToken]:
    """The personal tokens of an account, the newest first; ``over`` where one was revoked or has expired."""
    over = ExpressionWrapper(Q(revoked_at__isnull=False) | Q(expires_at__lte=Now()), BooleanField())
    return PersonalToken.objects.filter(user=user).annotate(over=over).order_by("-pk")


def usable_tokens() -> QuerySet[PersonalToken]:
    return PersonalToken.objects.filter(revoked_at=None, expires_at__gt=Now())
