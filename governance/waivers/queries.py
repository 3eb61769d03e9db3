"""Reads about exception requests, waivers and licences."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection
from django.db.models import Count, Q, QuerySet
from django.db.models.functions import Coalesce

from governance.accounts.models import User
from governance.catalog.models import ModelCapability
from governance.directives.models import DirectiveVersion
from governance.people import queries as people
from governance.people.models import Person
from governance.waivers.models import ExceptionRequest, Licence, Waiver
from governance.waivers.states import ExceptionState

WHO_MAY_FILE = "You can file exceptions for people who report to you, or who belong to an organisation that you own."


def may_file_for(user: User, person: Person) -> bool:
    """Whether the person reports to the user, directly or indirectly, or belongs to an organisation of theirs; never oneself."""
    return user.is_active and people_in_care_of(user).filter(pk=person.pk).exists()


def people_in_care_of(user: User) -> QuerySet[Person]:
    """For whom the account may file: the reports of its person, and the members of organisations that it owns."""
    me = people.person_of(user)
    found = Q(organisation__in=people.organisations_of(user))
    if me is not None:
        found |= Q(pk__in=people.reports_of(me.pk).values("pk"))
    return Person.objects.filter(found).exclude(pk=me.pk if me else "")


def licence_has(licence: Licence, items: Sequence[ModelCapability]) -> bool:
    """Whether the licence's scope has every model capability of ``items``."""
    lines = {(line.model_id, line.capability_id) for line in licence.scope.all()}
    return all((item.model_id, None) in lines or (item.model_id, item.capability_id) in lines for item in items)


_IN_SCOPE = """
    WITH RECURSIVE covered(model_id, capability_id) AS (
        SELECT model_id, capability_id FROM directives_scopeitem WHERE version_id = %s
        UNION SELECT m.id, c.capability_id FROM covered c JOIN catalog_aimodel m ON m.derived_from_id = c.model_id
               WHERE %s)
    SELECT DISTINCT i.id FROM catalog_modelcapability i
      JOIN covered c ON c.model_id = i.model_id AND (c.capability_id IS NULL OR c.capability_id = i.capability_id)
      JOIN catalog_aimodel m ON m.id = i.model_id JOIN catalog_provider p ON p.id = m.provider_id AND p.own
"""


def model_capabilities_in_scope(version: DirectiveVersion) -> set[int]:
    """The ids of the model capabilities in a version's scope now, through lineage if it includes derived models."""
    with connection.cursor() as cursor:
        cursor.execute(_IN_SCOPE, [version.pk, version.include_derived])
        return {row[0] for row in cursor.fetchall()}


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
    """All exception requests for those who may view them; else those one filed, or that concern oneself or people in one's care."""
    requests = ExceptionRequest.objects.select_related("directive", "person", "filer", "licence", "version")
    if user.has_right("view_exceptions"):
        return requests
    person = people.person_of(user)
    found = Q(filer=user) | Q(person__in=people_in_care_of(user).values("pk"))
    return requests.filter(found | Q(person_id=person.pk) if person is not None else found)
