"""Who can do what: what an account may do and why, and who may do something about an object and by which path.

No sensitive attribute is read here. The number of queries is the same however many rows there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Now

from governance.accounts import objects
from governance.accounts.models import User
from governance.accounts.rights import RIGHTS
from governance.approvals import relations
from governance.approvals.models import Delegation, PolicyStage, StageApprover
from governance.approvals.states import RequestState, StageState
from governance.catalog.models import AIModel
from governance.directives.models import Directive
from governance.people import queries as people
from governance.people.models import Organisation, Person


@dataclass(frozen=True)
class Kind:
    """A kind of object that permissions are given on. ``seen_by``: the right that opens the same without a permission."""

    name: str
    title: str
    model: Any
    key: str
    shown: str
    relation: str
    seen_by: str
    gives: str

    def find(self, key: str) -> Any:
        return self.model.objects.filter(**{self.key: key}).first()

    def key_of(self, thing: Any) -> str:
        return str(getattr(thing, self.key))


KINDS = {
    kind.name: kind
    for kind in (
        Kind(
            "directives", "Directives", Directive, "reference", "title", relations.CASE_COUNSEL.name, "view_case_file",
            "Counsel and reviewers see the case file of this directive.",
        ),
        Kind(
            "models", "Models", AIModel, "slug", "name", relations.MODEL_STEWARD.name, "",
            "Stewards edit the audiences of this model, and approve exceptions for it where a policy says so.",
        ),
        Kind(
            "organisations", "Organisations", Organisation, "id", "name", "", "view_people",
            "Owners see the members of this organisation, and file exceptions for them.",
        ),
    )
}  # fmt: skip


@dataclass(frozen=True)
class Right:
    """A right, and the roles that give it."""

    label: str
    roles: Sequence[str]


@dataclass(frozen=True)
class Place:
    """A stage of a policy in force that somebody could decide, and what makes them an approver of it."""

    kind: str
    stage: str
    path: str


@dataclass(frozen=True)
class Account:
    """Everything that one account may do, each with its path."""

    user: User
    roles: Sequence[str]
    person: Person | None
    reports: int
    rights: Sequence[Right]
    holdings: Sequence[tuple[Kind, objects.Holding]]
    places: Sequence[Place]
    named: Sequence[StageApprover]
    held: Sequence[Delegation]
    given: Sequence[Delegation]


def of_account(user: User) -> Account:
    person = people.person_of(user)
    reports = people.reports_of(person.pk).count() if person else 0
    holdings = [(kind, held) for kind in KINDS.values() for held in objects.holdings_of(user, kind.model)]
    running = Delegation.objects.filter(revoked_at=None, ends_at__gt=Now()).select_related("principal", "delegate")
    named = StageApprover.objects.filter(
        user=user, stage__request__state=RequestState.OPEN, stage__state__in=[StageState.OPEN, StageState.WAITING]
    ).select_related("stage__request")
    return Account(
        user=user,
        roles=sorted(user.roles()),
        person=person,
        reports=reports,
        rights=_rights(user) if user.is_active else [],
        holdings=holdings,
        places=_places(user, {held.permission for _, held in holdings}, bool(reports)) if user.is_active else [],
        named=list(named.order_by("stage__request_id", "pk")) if user.is_active else [],
        held=list(running.filter(delegate=user).order_by("ends_at")),
        given=list(running.filter(principal=user).order_by("ends_at")),
    )


def _rights(user: User) -> list[Right]:
    pairs = user.groups.filter(
        permissions__content_type__app_label="accounts", permissions__content_type__model="right"
    ).values_list("permissions__codename", "name")
    roles: dict[str, list[str]] = {}
    for right, role in pairs:
        roles.setdefault(right, []).append(role)
    return [Right(label, sorted(roles[right])) for right, label in RIGHTS.items() if right in roles]


def _stages() -> QuerySet[PolicyStage]:
    return (
        PolicyStage.objects.filter(policy__active=True)
        .select_related("policy")
        .order_by("policy__kind", "position", "name")
    )


def _places(user: User, permissions: set[str], manages: bool) -> list[Place]:
    """The stages that a new request would let the account decide, conflicts aside."""
    roles, rights = user.roles(), user.rights()
    stands_in = {
        relations.MODEL_STEWARD.name: objects.STEWARD in permissions,
        relations.CASE_COUNSEL.name: objects.COUNSEL in permissions,
        relations.REQUESTER_MANAGER.name: manages,
        relations.REQUESTER_MANAGER_MANAGER.name: manages,
    }
    found = []
    for stage in _stages():
        paths = [f"role {role}" for role in stage.groups if role in roles]
        paths += [f"right “{RIGHTS[stage.permission].lower()}”"] if stage.permission in rights else []
        paths += [
            f"where it is so: {relations.RELATIONS[name].label.lower()}"
            for name in stage.relations
            if stands_in.get(name)
        ]
        paths += [f"role {role}, if nobody else can" for role in stage.fallback if role in roles]
        paths += [f"role {role}, once it escalates" for role in stage.escalate_to if role in roles]
        found += [Place(stage.policy.kind, stage.name, path) for path in paths]
    return found


@dataclass(frozen=True)
class Thing:
    """Who may do something about one object: by a permission on it, or by a right that reaches every object of its kind."""

    kind: Kind
    thing: Any
    holdings: Sequence[objects.Holding]
    given: Sequence[tuple[str, str, str, str]]
    right: str
    by_right: Sequence[tuple[User, Sequence[str]]]
    asked_by: Sequence[PolicyStage]


def of_thing(kind: Kind, thing: Any) -> Thing:
    return Thing(
        kind=kind,
        thing=thing,
        holdings=objects.holdings_on(thing),
        given=objects.given_on(thing),
        right=RIGHTS.get(kind.seen_by, ""),
        by_right=_with_right(kind.seen_by) if kind.seen_by else [],
        asked_by=list(_stages().filter(relations__contains=[kind.relation])) if kind.relation else [],
    )


def _with_right(right: str) -> list[tuple[User, Sequence[str]]]:
    """Active accounts with a right, and the roles that give it to them."""
    memberships = User.groups.through.objects.filter(
        user__is_active=True, group__permissions__content_type__model="right", group__permissions__codename=right
    ).select_related("user", "group")
    found: dict[int, tuple[User, list[str]]] = {}
    for membership in memberships:
        found.setdefault(membership.user_id, (membership.user, []))[1].append(membership.group.name)
    return sorted(((user, sorted(roles)) for user, roles in found.values()), key=lambda pair: str(pair[0]))
