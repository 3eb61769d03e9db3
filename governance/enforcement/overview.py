"""Reads for pages: directives with their figures, who can use what, a person's decisions, affected people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce
from django.utils import timezone

from governance.catalog.models import AIModel
from governance.directives.models import Directive
from governance.directives.states import DirectiveState
from governance.enforcement import policy as policies
from governance.enforcement.decision import Decision, evaluate, subject_and_policy
from governance.enforcement.models import Restriction
from governance.enforcement.policy import ModelCapability, Policy
from governance.enforcement.population import (
    POPULATION,
    Sql,
    from_people,
    join_sql,
    on_one_epoch,
    permitted,
)
from governance.people.models import Person, PersonKind
from governance.waivers import queries as waivers
from governance.waivers.models import ExceptionRequest, Waiver
from governance.waivers.states import ExceptionState


def running_waivers() -> QuerySet[Waiver]:
    """Waivers in force now: by their dates, and not ended."""
    now = timezone.now()
    return Waiver.objects.filter(starts_at__lte=now, ends_at__gt=now, ended_at=None)


def directives() -> QuerySet[Directive]:
    """Directives with the version in force and counts of restrictions and running waivers, in one query."""
    restrictions = (
        Restriction.objects.filter(directive=OuterRef("pk")).order_by().values("directive").annotate(n=Count("person"))
    )
    waivers = (
        running_waivers()
        .filter(directive=OuterRef("pk"))
        .order_by()
        .values("directive")
        .annotate(n=Count("person", distinct=True))
    )
    return Directive.objects.select_related("version_in_force").annotate(
        restricted=Coalesce(Subquery(restrictions.values("n")), 0),
        waived=Coalesce(Subquery(waivers.values("n")), 0),
    )


@dataclass(frozen=True)
class MatrixRow:
    item: ModelCapability
    counts: Sequence[int]
    total: int


@dataclass(frozen=True)
class Matrix:
    """Models × capabilities × kinds of person: how many may use each, in one statement."""

    kinds: Sequence[tuple[str, str]]
    totals: Sequence[int]
    rows: Sequence[MatrixRow]
    policy: Policy


def matrix() -> Matrix:
    def build(policy: Policy) -> Sql:
        items = _sorted_items(policy)
        counts = join_sql(
            [Sql("count(*) FILTER (WHERE ") + permitted(policy, item) + Sql(")") for item in items], ",\n"
        )
        return (
            Sql(
                "SELECT (SELECT value FROM enforcement_policyepoch), k.kind, s.* FROM unnest(%s::text[]) k(kind) LEFT JOIN ("
            )
            + Sql("SELECT p.kind, count(*)" + (",\n" if items else ""))
            + counts
            + Sql(f" FROM {from_people(organisation=True, permissions=True)}\nWHERE {POPULATION} GROUP BY p.kind")
            + Sql(") s ON s.kind = k.kind ORDER BY k.kind")
        )

    def with_kinds(policy: Policy) -> Sql:
        statement = build(policy)
        return Sql(statement.text, ([str(kind) for kind in PersonKind.values], *statement.params))

    policy, rows = on_one_epoch(with_kinds)
    by_kind = {row[1]: [int(value or 0) for value in row[3:]] for row in rows}
    kinds = [(str(kind), str(PersonKind(kind).label)) for kind in PersonKind.values]
    totals = [by_kind[kind][0] for kind, _ in kinds]
    return Matrix(
        kinds=kinds,
        totals=totals,
        rows=[
            MatrixRow(item, counts := [by_kind[kind][index + 1] for kind, _ in kinds], sum(counts))
            for index, item in enumerate(_sorted_items(policy))
        ],
        policy=policy,
    )


def model_capability(name: str) -> ModelCapability | None:
    """A model capability by its name, *model/capability*."""
    model, _, capability = name.partition("/")
    return policies.load().model_capabilities.get((model, capability))


def able(people: QuerySet[Person], name: str) -> QuerySet[Person]:
    """Those of the population who may use a model capability, by the policy that holds now; nobody for an unknown one."""
    policy = policies.load()
    model, _, capability = name.partition("/")
    item = policy.model_capabilities.get((model, capability))
    if item is None:
        return people.none()
    wanted = Sql(f"SELECT p.id FROM {from_people(organisation=True, permissions=True)} WHERE {POPULATION} AND ")
    wanted += permitted(policy, item)
    return people.filter(pk__in=RawSQL(wanted.text, wanted.params))


def _sorted_items(policy: Policy) -> list[ModelCapability]:
    return sorted(policy.model_capabilities.values(), key=lambda item: item.name)


def decisions_of(person_id: str) -> list[Decision]:
    """Every decision about one person, from one reading of them."""
    subject, policy = subject_and_policy(person_id)
    return [evaluate(policy, subject, item.model, item.capability) for item in _sorted_items(policy)]


def affected(people: QuerySet[Person]) -> QuerySet[Restriction]:
    """Restrictions by denying directives in force of some people, with what was asked and given for each."""
    newest = ExceptionRequest.objects.filter(person=OuterRef("person"), directive=OuterRef("directive")).order_by("-id")
    waiver = running_waivers().filter(person=OuterRef("person"), directive=OuterRef("directive")).order_by("-ends_at")
    ended = waivers.ended_early().filter(person=OuterRef("person"), directive=OuterRef("directive"))
    return (
        Restriction.objects.filter(person__in=people, directive__state=DirectiveState.ACTIVE)
        .filter(directive__version_in_force__effect="deny")
        .select_related("person", "directive", "person__organisation")
        .annotate(
            exception_id=Subquery(newest.values("id")[:1]),
            exception_state=Subquery(newest.values("state")[:1]),
            waived_until=Subquery(waiver.values("ends_at")[:1]),
            renewable_id=Subquery(waiver.filter(request__isnull=False).values("pk")[:1]),
            ended_waiver_id=Subquery(ended.values("pk")[:1]),
        )
    )


def affected_counts(people: QuerySet[Person]) -> dict[str, int]:
    """How many rows each saved view of a manager's affected people has, in one statement."""
    return affected(people).aggregate(
        everybody=Count("person"),
        off=Count("person", filter=Q(waived_until=None)),
        waived=Count("person", filter=Q(waived_until__isnull=False)),
        asked=Count("person", filter=Q(exception_state=ExceptionState.OPEN)),
    )


def waived_until(person: Person) -> datetime | None:
    """When the first of a person's running waivers ends."""
    return running_waivers().filter(person=person).order_by("ends_at").values_list("ends_at", flat=True).first()


def covered_people(directive: Directive) -> QuerySet[Person]:
    """The people a directive restricts, with the waiver that runs for them."""
    waiver = running_waivers().filter(person=OuterRef("pk"), directive=directive).order_by("-ends_at")
    return (
        Person.objects.filter(restrictions__directive=directive)
        .select_related("organisation")
        .annotate(since=F("restrictions__since"), waived_until=Subquery(waiver.values("ends_at")[:1]))
    )


def open_exceptions() -> int:
    return ExceptionRequest.objects.filter(state=ExceptionState.OPEN).count()


def figures() -> dict[str, Any]:
    """The overview's strip, for directives that deny, now."""
    active = Directive.objects.filter(state=DirectiveState.ACTIVE)
    restrictions = Restriction.objects.filter(
        directive__state=DirectiveState.ACTIVE, directive__version_in_force__effect="deny"
    )
    first = running_waivers().order_by("ends_at").values_list("ends_at", flat=True).first()
    return {
        "population": Person.objects.exclude(status="departed").count(),
        "active": active.count(),
        "restricted": restrictions.values("person").distinct().count(),
        "waived": running_waivers().values("person").distinct().count(),
        "first_waiver_ends": first,
        "open_exceptions": open_exceptions(),
    }


def licences(directive: Directive) -> QuerySet[Any]:
    """A directive's licences with the number of people who draw on each now."""
    waivers = running_waivers().filter(licence=OuterRef("pk")).order_by().values("licence")
    drawing = waivers.annotate(n=Count("person", distinct=True))
    return directive.licences.annotate(drawn=Coalesce(Subquery(drawing.values("n")), 0))


def open_questions(directive: Directive) -> QuerySet[Any]:
    """What the authority was asked and has not answered, oldest first; documents stay unread."""
    return directive.case_file.filter(kind="clarification", state="open").defer("content").order_by("at")


def model_names(slugs: Sequence[str]) -> list[str]:
    """The names of models, in order of their slugs."""
    return list(AIModel.objects.filter(slug__in=slugs).order_by("slug").values_list("name", flat=True))
