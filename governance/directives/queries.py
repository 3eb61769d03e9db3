"""Reads about directives and their cases."""

from __future__ import annotations

from django.db.models import QuerySet

from governance.accounts import objects
from governance.accounts.models import User
from governance.directives.models import Directive


def cases_of(user: User) -> QuerySet[Directive]:
    """The directives of whose cases the account is counsel or reviewer, newest first."""
    return objects.objects_for(user, objects.CASE, Directive).order_by("-pk")


def may_read_case(user: User, directive: Directive) -> bool:
    return user.has_right("view_case_file") or objects.has(user, objects.CASE, directive)
