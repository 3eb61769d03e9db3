"""A request of somebody signed in, as the middleware leaves it, and how refusals are answered."""

from __future__ import annotations

from django.http import HttpRequest

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.errors import Invalid, NotFound, PermissionRefused, Refused, WrongState

_STATUS: dict[type[Refused], int] = {NotFound: 404, PermissionRefused: 403, WrongState: 409, Invalid: 422}


class Visit(HttpRequest):
    """Typing only: every view that is not open to strangers is called with one."""

    user: User  # type: ignore[assignment]
    actor: Actor
    waiting: int


def status_of(refused: Refused) -> int:
    return _STATUS.get(type(refused), 409)
