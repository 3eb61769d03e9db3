"""Reads about accounts and tokens."""

from __future__ import annotations

from governance.accounts.models import ApiToken, User
from governance.accounts.services import digest_token


def find_token(plain: str) -> ApiToken | None:
    """The token that was not revoked, found by its digest."""
    return ApiToken.objects.filter(digest=digest_token(plain), revoked_at__isnull=True).first()


_TO_CHOOSE_FROM = 500


def to_choose_from() -> list[User]:
    """Active accounts by name, for a field that proposes some; any other can be typed."""
    return list(User.objects.filter(is_active=True).order_by("full_name", "username")[:_TO_CHOOSE_FROM])


def find_user(username: str) -> User | None:
    return User.objects.filter(username=username).first()
