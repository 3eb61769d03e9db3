"""What a request would go through if it were asked for now: its stages, and who could decide each. Nothing is written."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.db.models.functions import Lower, Now

from governance.accounts.models import User
from governance.approvals import eligibility
from governance.approvals.models import ApprovalPolicy, Delegation, PolicyStage
from governance.approvals.relations import Relations
from governance.approvals.selection import Risk, applies
from governance.people.models import Person


@dataclass(frozen=True)
class Foreseen:
    """One stage to come. Not ``fillable``: asked for now, the request would be refused because of it."""

    stage: PolicyStage
    people: list[User]
    fillable: bool


def foresee(
    *, kind: str, risk: Risk, requester: User, about: Collection[str], related: Relations | None = None
) -> list[Foreseen]:
    """The stages that a request of a risk would pass now, asked for by an account, for the people ``about``.

    ``related``: who stands in which relation to it, as when it is asked for. The answer of ``open_request`` is the one that counts.
    """
    policy = ApprovalPolicy.objects.get(kind=kind, active=True)
    stages = [stage for stage in policy.stages.order_by("position", "name") if applies(stage, risk)]
    free = _without_conflict(requester, about)
    could = {stage.pk: _who(stage, free, related or {}) for stage in stages}
    ids = {pk: {user.pk for user in users} for pk, users in could.items()}
    found = []
    for stage in stages:
        places = [each.pk for each in stages if each.position <= stage.position for _ in range(each.quorum)]
        found.append(Foreseen(stage, could[stage.pk], eligibility.unfilled(places, ids) != stage.pk))
    return found


def _who(stage: PolicyStage, free: QuerySet[User], related: Relations) -> list[User]:
    may = Q(groups__name__in=stage.groups)
    may |= Q(pk__in={pk for relation in stage.relations for pk in related.get(relation, ())})
    if stage.permission:
        may |= Q(
            groups__permissions__codename=stage.permission,
            groups__permissions__content_type__app_label="accounts",
            groups__permissions__content_type__model="right",
        )
    users = list(free.filter(may).distinct().order_by("full_name", "pk"))
    if stage.fallback and len(users) < stage.quorum:
        users += free.filter(groups__name__in=stage.fallback).exclude(pk__in=[user.pk for user in users]).distinct()
    return users


def _without_conflict(requester: User, about: Collection[str]) -> QuerySet[User]:
    addresses = Person.objects.filter(pk__in=about).values(address=Lower("email"))
    party = User.objects.annotate(address=Lower("email")).filter(Q(pk=requester.pk) | Q(address__in=addresses))
    running = Delegation.objects.filter(
        principal__in=party.values("pk"), revoked_at=None, starts_at__lte=Now(), ends_at__gt=Now()
    )
    return (
        eligibility.without_administrators(User.objects.filter(is_active=True))
        .exclude(pk__in=party.values("pk"))
        .exclude(pk__in=running.values("delegate_id"))
    )
