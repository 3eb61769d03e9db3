"""Reads about exception requests, waivers and licences."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce, Lower, Now

from governance.accounts import objects
from governance.accounts.models import User
from governance.accounts.rights import OPERATOR
from governance.approvals import queries as approvals
from governance.approvals.relations import MODEL_STEWARD, through_permission
from governance.catalog.models import AIModel, ModelCapability
from governance.directives import relations
from governance.directives.models import Directive, DirectiveVersion
from governance.ledger.models import Entry
from governance.people import queries as people
from governance.people.models import Person
from governance.waivers.models import (
    CONFIRM_WITHIN,
    BreakGlass,
    ExceptionCapability,
    ExceptionDraft,
    ExceptionRequest,
    Licence,
    Waiver,
    WaiverCapability,
)
from governance.waivers.states import DraftState, ExceptionState


def people_to_file_for(user: User) -> QuerySet[Person]:
    """Those whom an account may file for: who reports to it, directly or indirectly, and the members of organisations that it
    owns; for operators also who has no manager.

    Never oneself, whatever the account's role.
    """
    if not user.is_active:
        return Person.objects.none()
    me = people.person_of(user)
    theirs = _in_care_of(user, me)
    if OPERATOR in user.roles():
        theirs |= Q(manager=None)
    found = Person.objects.filter(theirs)
    return found if me is None else found.exclude(pk=me.pk)


def people_in_care_of(user: User) -> QuerySet[Person]:
    """The reports of an account's person, and the members of organisations that it owns; never oneself."""
    me = people.person_of(user)
    return Person.objects.filter(_in_care_of(user, me)).exclude(pk=me.pk if me else "")


def _in_care_of(user: User, me: Person | None) -> Q:
    found = Q(organisation__in=people.organisations_of(user))
    return found | Q(pk__in=people.reports_of(me.pk).values("pk")) if me is not None else found


def may_file_for(user: User, person: Person) -> bool:
    """Whether the account may file for the person."""
    return people_to_file_for(user).filter(pk=person.pk).exists()


def may_ask_for(user: User, person: Person, renews: Waiver | None) -> bool:
    """Whether the user may file for the person; what goes on from a waiver may also be asked by who asked for that one."""
    if may_file_for(user, person):
        return True
    if renews is None or renews.request is None or renews.person_id != person.pk or not user.is_active:
        return False
    own = people.person_of(user)
    return renews.request.filer_id == user.pk and (own is None or own.pk != person.pk)


def related_to(user: User | None, directive: Directive, models: Collection[AIModel]) -> dict[str, dict[int, list[str]]]:
    """For every relation that a policy for exceptions may name, the accounts that stand in it to a request of ``user``."""
    stewards: dict[int, list[str]] = {}
    for pk, model_id in objects.holders_of_each(objects.STEWARD, *models):
        stewards.setdefault(pk, []).append(through_permission("catalog.aimodel", objects.STEWARD, model_id))
    return relations.of_request(user, directive) | {MODEL_STEWARD.name: stewards}


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


def running() -> QuerySet[Waiver]:
    """Waivers in force now, by the database's clock."""
    return Waiver.objects.filter(starts_at__lte=Now(), ends_at__gt=Now(), ended_at=None)


def has_some_of(items: Collection[int]) -> Exists:
    """Waivers of which at least one model capability is among ``items``."""
    return Exists(WaiverCapability.objects.filter(waiver=OuterRef("pk"), model_capability__in=items))


def outcome_of_waivers(
    directive: Directive, scope: Collection[int], *, ends: bool, limit: datetime | None
) -> dict[str, int]:
    """How many running waivers a version with that scope would keep, shorten to ``limit`` and end, in one statement."""
    found = running().filter(directive=directive).annotate(in_scope=has_some_of(scope))
    over = Q(pk__isnull=False) if ends else Q(in_scope=False)
    if limit is not None:
        over |= Q(starts_at__gte=limit)
    shorter = ~over & Q(ends_at__gt=limit) if limit is not None else Q(pk=None)
    return found.aggregate(
        kept=Count("pk", filter=~over & ~shorter), shortened=Count("pk", filter=shorter), ended=Count("pk", filter=over)
    )


def waivers_visible_to(user: User) -> QuerySet[Waiver]:
    """All waivers for those who may view exceptions; else those one asked for, or that concern oneself or one's reports."""
    waivers = Waiver.objects.select_related("directive", "person", "request__filer", "licence", "break_glass")
    if user.has_right("view_exceptions"):
        return waivers
    return waivers.filter(_concerns(user, filer="request__filer"))


def _concerns(user: User, *, filer: str) -> Q:
    person = people.person_of(user)
    found = Q(**{filer: user}) | Q(person__in=people_in_care_of(user).values("pk"))
    return found | Q(person_id=person.pk) if person is not None else found


RUNNING, ENDING_SOON, ENDED = "running", "soon", "ended"
SOON = timedelta(days=3)


def _ending_soon() -> Q:
    return Q(starts_at__lte=Now(), ends_at__gt=Now(), ends_at__lte=Now() + SOON, ended_at=None)


def _over() -> Q:
    return Q(ended_at__isnull=False) | Q(ends_at__lte=Now())


def in_state(waivers: QuerySet[Waiver], name: str) -> QuerySet[Waiver]:
    """Those that run, end soon, or have ended; all of them for any other name."""
    conditions = {RUNNING: Q(pk__in=running().values("pk")), ENDING_SOON: _ending_soon(), ENDED: _over()}
    return waivers.filter(conditions[name]) if name in conditions else waivers


def exception_counts(user: User) -> dict[str, int]:
    """How many exceptions each view of the list has for an account."""
    running = Waiver.objects.filter(starts_at__lte=Now()).exclude(_over())
    state = ExceptionState
    return exceptions_visible_to(user).aggregate(
        all=Count("pk"),
        open=Count("pk", filter=Q(state=state.OPEN)),
        accepting=Count("pk", filter=Q(state=state.ACCEPTING)),
        waived=Count("pk", filter=Q(waiver__in=running)),
        rejected=Count("pk", filter=Q(state=state.REJECTED)),
    )


def waiver_counts(user: User) -> dict[str, int]:
    """How many waivers, and exceptions that wait to be accepted, each view of the list has for an account."""
    counts = waivers_visible_to(user).aggregate(
        all=Count("pk"),
        running=Count("pk", filter=Q(starts_at__lte=Now()) & ~_over()),
        soon=Count("pk", filter=_ending_soon()),
        ended=Count("pk", filter=_over()),
    )
    return counts | {"accepting": exceptions_visible_to(user).filter(state=ExceptionState.ACCEPTING).count()}


def directives_of_waivers(user: User) -> QuerySet[Directive]:
    """The directives from which the account sees a waiver."""
    seen = waivers_visible_to(user).order_by().values("directive").distinct()
    return Directive.objects.filter(pk__in=seen).order_by("reference")


def of_break_glass(name: str) -> Q:
    """Those that still wait for a second person, for their review, or for an overdue one."""
    unreviewed = Q(confirmed_at__isnull=False, reviewed_at=None)
    views = {
        "asked": Q(confirmed_at=None, opened_at__gt=Now() - CONFIRM_WITHIN),
        "unreviewed": unreviewed,
        "overdue": unreviewed & Q(review_due__lte=Now()),
    }
    return views.get(name, Q())


def ended_early() -> QuerySet[Waiver]:
    """Waivers that somebody or a new version ended within the last 30 days, the newest first."""
    return Waiver.objects.filter(ended_at__gte=Now() - timedelta(days=30)).order_by("-ended_at")


def may_review(user: User) -> bool:
    """Whether the account says afterwards if a break-glass was needed: one that could approve exceptions, or legal."""
    return user.has_right("edit_case_file") or approvals.approvers("exception").filter(pk=user.pk).exists()


def reviews_owed_by(user: User) -> QuerySet[BreakGlass]:
    """What was opened without stages, has no review, and is for the account to review; the most urgent first."""
    waiting = BreakGlass.objects.filter(confirmed_at__isnull=False, reviewed_at=None)
    # There is hardly ever one, and every page asks: who may review it is looked at only then.
    if not waiting.exists() or not may_review(user):
        return BreakGlass.objects.none()
    person = people.person_of(user)
    return (
        waiting.exclude(opened_by=user)
        .exclude(confirmed_by=user)
        .exclude(person_id=person.pk if person else "")
        .select_related("person", "directive", "opened_by", "confirmed_by", "waiver")
        .order_by("review_due")
    )


@dataclass(frozen=True)
class Overlap:
    """A model capability that is asked for already for a person, or that a waiver gives them (``until`` then)."""

    person_id: str
    item_id: int
    exception_id: int
    until: datetime | None

    @property
    def words(self) -> str:
        if self.until is None:
            return f"Exception {self.exception_id} for the same person asks for that already and is still open"
        return f"The waiver of exception {self.exception_id} gives that already, until {self.until:%Y-%m-%d}"


def overlaps(directive: Directive, person_ids: Collection[str]) -> list[Overlap]:
    """What is asked for or given already from a directive for some people, one entry for each model capability."""
    asked = ExceptionCapability.objects.filter(
        request__directive=directive, request__person__in=person_ids,
        request__state__in=[ExceptionState.OPEN, ExceptionState.WAITING, ExceptionState.ACCEPTING],
    )  # fmt: skip
    given = WaiverCapability.objects.filter(
        waiver__directive=directive, waiver__person__in=person_ids, waiver__ended_at=None, waiver__ends_at__gt=Now(),
        waiver__request__isnull=False,
    )  # fmt: skip
    found = [
        Overlap(person, item, exception, None)
        for person, item, exception in asked.values_list("request__person", "model_capability", "request").order_by(
            "request"
        )
    ]
    return found + [
        Overlap(*row)
        for row in given.values_list(
            "waiver__person", "model_capability", "waiver__request", "waiver__ends_at"
        ).order_by("waiver")
    ]


def drafts_of(user: User) -> QuerySet[ExceptionDraft]:
    """The drafts that an account may go on with: its own, and those asked for that wait for it to take them up.

    What somebody asked for waits for their manager; where that one has no account, for whoever stands above them; where there
    is no manager, for the owners of their organisation and the operators.
    """
    mine = Q(author=user)
    free = Q(author=None) | Q(author__is_active=False)
    me = people.person_of(user)
    theirs = Q(asked_by__manager=None, asked_by__organisation__in=people.organisations_of(user))
    if me is not None:
        account = User.objects.annotate(address=Lower("email")).filter(
            is_active=True, address=Lower(OuterRef("asked_by__manager__email"))
        )
        theirs |= Q(asked_by__manager=me) | (Q(asked_by__in=people.reports_of(me.pk)) & ~Q(Exists(account)))
    if OPERATOR in user.roles():
        theirs |= Q(asked_by__isnull=False, asked_by__manager=None)
    found = ExceptionDraft.objects.filter(mine | (free & theirs), state=DraftState.DRAFT)
    if me is not None:
        found = found.exclude(asked_by=me)
    return found.select_related("directive", "asked_by", "author")


def may_read_reason(user: User, request: ExceptionRequest) -> bool:
    """The reason and its files are between whoever filed and whoever decides, not for the person it is about."""
    own = bool(user.email) and user.email.lower() == request.person.email.lower()
    return request.filer_id == user.pk or not own


def changed_since(exception_id: int, digest: str) -> list[str] | None:
    """Which parts of an exception its edits have changed since it had that digest; None if it never had it."""
    entries = Entry.objects.filter(
        subject=f"exception:{exception_id}", action__in=["exception.filed", "exception.edited"]
    ).order_by("pk")
    told = [json.loads(record)["data"] for record in entries.values_list("record", flat=True)]
    seen = next((place for place, data in enumerate(told) if data["digest"] == digest), None)
    if seen is None:
        return None
    return sorted({part for data in told[seen + 1 :] for part in data.get("changed", ())})


def may_go_on_with(draft: ExceptionDraft) -> QuerySet[User]:
    """The active accounts that may complete and file a draft: ``drafts_of`` the other way round."""
    active = User.objects.filter(is_active=True)
    if draft.author_id is not None and active.filter(pk=draft.author_id).exists():
        return active.filter(pk=draft.author_id)
    asking = draft.asked_by
    if asking is None:
        return active.none()
    by_address = active.annotate(address=Lower("email"))
    if asking.manager is not None:
        first = by_address.filter(address=asking.manager.email.lower())
        found = first if first.exists() else by_address.filter(address__in=people.addresses_above(asking.pk))
    else:
        owners = objects.holders(objects.OWNER, asking.organisation) if asking.organisation else active.none()
        found = by_address.filter(Q(pk__in=owners.values("pk")) | Q(groups__name=OPERATOR)).distinct()
    return found.exclude(address=asking.email.lower())


@dataclass(frozen=True)
class Concerned:
    """One account, and how many waivers that concern it a version shortened or ended; ``first`` is the oldest of them."""

    user_id: int
    waivers: int
    ended: int
    first: int


_CONCERNED = """
    WITH changed AS (
        SELECT w.id, w.person_id, w.request_id, w.ended_at IS NOT NULL AS over
          FROM waivers_waiver w JOIN directives_directive d ON d.id = w.directive_id
         WHERE d.reference = %s AND w.ended_by_id IS NULL AND starts_with(w.end_reason, %s)),
    concerned AS (
        SELECT c.id, c.over, u.id AS user_id FROM changed c JOIN people_person p ON p.id = c.person_id
          LEFT JOIN people_person m ON m.id = p.manager_id
          JOIN accounts_user u ON lower(u.email) = lower(p.email) OR lower(u.email) = lower(m.email)
        UNION SELECT c.id, c.over, e.filer_id FROM changed c JOIN waivers_exceptionrequest e ON e.id = c.request_id)
    SELECT c.user_id, count(*), count(*) FILTER (WHERE c.over), min(c.id)
      FROM concerned c JOIN accounts_user u ON u.id = c.user_id AND u.is_active GROUP BY c.user_id ORDER BY c.user_id
"""


def concerned_by_version(reference: str, version: int) -> list[Concerned]:
    """The accounts of those whose waivers a version shortened or ended, of who asked for those, and of the managers."""
    with connection.cursor() as cursor:
        cursor.execute(_CONCERNED, [reference, f"version {version} "])
        return [Concerned(*row) for row in cursor.fetchall()]


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
    return requests.filter(_concerns(user, filer="filer"))
