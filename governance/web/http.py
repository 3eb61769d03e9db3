"""A request of somebody signed in, as the middleware leaves it."""

from __future__ import annotations

from django.http import HttpRequest

from governance.accounts.actor import Actor
from governance.accounts.models import User


class Visit(HttpRequest):
    """Typing only: every view that is not open to strangers is called with one."""

    user: User  # type: ignore[assignment]
    actor: Actor
    waiting: int
