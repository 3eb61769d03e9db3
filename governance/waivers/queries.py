"""Reads about exception requests, waivers and licences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Coalesce

from governance.accounts.models import User
from governance.catalog.models import ModelCapability
from governance.people import queries as people
from governance.people.models import Person
from governance.waivers.models import ExceptionRequest, Licence, Waiver
from governance.waivers.states import ExceptionState


def may_file_for(user: User, person: Person) -> bool:
    """Whether the person reports to the user, directly or indirectly; never for oneself."""
    manager = people.person_of(user)
    return (
        user.is_active
        and manager is not None
        and manager.pk != person.pk
        and people.reports_of(manager.pk).filter(pk=person.pk).exists()
    )


def licence_has(licence: Licence, items: Sequence[ModelCapability]) -> bool:
    """Whether the licence's scope has every model capability of ``items``."""
    lines = {(line.model_id, line.capability_id) for line in licence.scope.all()}
    return all((item.model_id, None) in lines or (item.model_id, item.capability_id) in lines for item in items)


def people_drawing(licence: Licence, starts: datetime, ends: datetime, *, other_than: str = "") -> int:
    """How many people have a waiver under the licence at some moment from ``starts`` to ``ends``."""
    return (
        Waiver.objects.filter(licence=licence, starts_at__lt=ends)
        .annotate(until=Coalesce("ended_at", "ends_at"))
        .filter(until__gt=starts)
        .exclude(person_id=other_than)
        .values("person_id")
        .distinct()
        .count()
    )


def decided_before(request: ExceptionRequest) -> dict[str, int]:
    """How many other exceptions from the same directive were approved and rejected."""
    return (
        ExceptionRequest.objects.filter(directive=request.directive_id)
        .exclude(pk=request.pk)
        .aggregate(
            approved=Count("id", filter=Q(state=ExceptionState.APPROVED)),
            rejected=Count("id", filter=Q(state=ExceptionState.REJECTED)),
        )
    )


def exceptions_visible_to(user: User) -> QuerySet[ExceptionRequest]:
    """All exception requests for those who may view them; else those one filed, or that concern oneself or one's reports."""
    requests = ExceptionRequest.objects.select_related("directive", "person", "filer", "licence", "version")
    if user.has_right("view_exceptions"):
        return requests
    person = people.person_of(user)
    if person is None:
        return requests.filter(filer=user)
    return requests.filter(Q(filer=user) | Q(person_id=person.pk) | Q(person__in=people.reports_of(person.pk)))
