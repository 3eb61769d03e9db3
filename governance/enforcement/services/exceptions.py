"""Exceptions: checks that the person is covered, then leaves the rest to ``waivers``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from django.db import transaction

from governance.accounts.actor import Actor
from governance.catalog.models import ModelCapability
from governance.directives import services as directives
from governance.directives.models import Directive, Waivable
from governance.enforcement import filing
from governance.enforcement.decision import Subject, people_and_policy, rule_truth, subject_and_policy
from governance.enforcement.policy import DirectiveRule, Policy
from governance.errors import Invalid, PermissionRefused, Refused, WrongState
from governance.people import queries as people
from governance.people.models import Person
from governance.waivers import queries as waiver_queries
from governance.waivers import services as waivers
from governance.waivers.answers import Answers
from governance.waivers.attachments import Attached
from governance.waivers.models import ExceptionDraft, ExceptionRequest, Waiver
from governance.waivers.services import MOST_PEOPLE, NOT_YOURS

Items = Sequence[tuple[str, str]]
_SHARED = frozenset({"days", "reason", "mitigation", "conditions", "licence", "attachments"})


@dataclass(frozen=True)
class Wanted:
    """What one person is to keep: (model, capability) slugs in the directive's scope."""

    person_id: str
    items: Items


@transaction.atomic
def file_exception(
    *,
    actor: Actor,
    reference: str,
    person_id: str,
    items: Items,
    days: int,
    reason: str,
    licence: str | None = None,
    mitigation: str = "",
    conditions: str = "",
    attached: Sequence[Attached] = (),
    renews: Waiver | None = None,
) -> ExceptionRequest:
    """File an exception for one person. ``items`` are (model, capability) slugs in the directive's scope.

    Raises ``PermissionRefused`` before it says anything about the person, then ``Invalid`` for a person who is not covered or
    a capability outside the scope.
    """
    filing_of = _Filing.begin(actor, reference, [person_id], renews)
    filed = filing_of.file(
        Wanted(person_id, items),
        days=days,
        reason=reason,
        licence=licence,
        mitigation=mitigation,
        conditions=conditions,
        attached=attached,
    )
    waivers.settle_asks(actor, [filed])
    return filed


@transaction.atomic
def file_exceptions(
    *,
    actor: Actor,
    reference: str,
    wanted: Sequence[Wanted],
    days: int,
    reason: str,
    licence: str | None = None,
    mitigation: str = "",
    conditions: str = "",
    attached: Sequence[Attached] = (),
    draft: UUID | None = None,
) -> list[ExceptionRequest]:
    """File one request for each of several people in one go, on the same terms; all of them or none.

    All or none, because it is one statement by one person: nobody has to work out afterwards who is missing, and sending the
    form again cannot file anybody twice. Each person is tried, so that ``Invalid`` names every refusal at once: a field that all
    share by its name, a person by ``person-ID``. A ``draft`` is over in the same transaction.
    """
    filing_of = _Filing.begin(actor, reference, [one.person_id for one in wanted])
    filed: list[ExceptionRequest] = []
    refusals: list[tuple[str, str]] = []
    for one in wanted:
        try:
            with transaction.atomic():
                filed.append(
                    filing_of.file(
                        one,
                        days=days,
                        reason=reason,
                        licence=licence,
                        mitigation=mitigation,
                        conditions=conditions,
                        attached=attached,
                    )
                )
        except Refused as refusal:
            refusals += _named(filing_of.people[one.person_id], refusal, alone=len(wanted) == 1)
    if refusals:
        raise Invalid("Nothing was filed.", list(dict.fromkeys(refusals)))
    if draft is not None:
        waivers.mark_filed(actor, draft, filing_of.directive, filed)
    waivers.settle_asks(actor, filed)
    return filed


@transaction.atomic
def file_draft(*, actor: Actor, key: UUID) -> list[ExceptionRequest]:
    """File what a draft says, for everybody in it or nobody. Raises ``NotFound`` for whoever may not go on with it."""
    draft = waivers.draft_to_go_on_with(actor=actor, key=key)
    answers = Answers.from_values(draft.values)
    answers.refuse_unanswered()
    return file_exceptions(
        actor=actor, reference=draft.directive.reference,
        wanted=[Wanted(pk, answers.slugs(pk)) for pk in answers.people], days=answers.number_of_days,
        reason=answers.reason, mitigation=answers.mitigation, conditions=answers.conditions,
        licence=answers.licence or None, attached=[Attached.from_json(one) for one in draft.attachments], draft=key,
    )  # fmt: skip


def _named(person: Person, refusal: Refused, *, alone: bool) -> Iterable[tuple[str, str]]:
    """A refusal by field; what concerns one of several people names them."""
    errors = refusal.errors if isinstance(refusal, Invalid) else []
    for field, words in errors or [("", refusal.reason)]:
        if field in _SHARED or (alone and field not in ("", "person")):
            yield field, words
        elif alone or field == "person":
            yield f"person-{person.pk}", words
        else:
            yield f"person-{person.pk}", f"{person.name}: {f'{field} {words}' if field else words}"


@dataclass(frozen=True)
class _Filing:
    """One filing: the directive is locked, everybody was read with one policy."""

    actor: Actor
    directive: Directive
    rule: DirectiveRule
    policy: Policy
    people: dict[str, Person]
    subjects: dict[str, Subject]
    renews: Waiver | None = None

    @classmethod
    def begin(cls, actor: Actor, reference: str, person_ids: Sequence[str], renews: Waiver | None = None) -> _Filing:
        wanted = list(dict.fromkeys(person_ids))
        if not wanted:
            raise Invalid("Name somebody.", [("person", "is required")])
        if len(wanted) > MOST_PEOPLE:
            raise Invalid("Too many people.", [("person", f"at most {MOST_PEOPLE} people at once")])
        if actor.user is None:
            raise PermissionRefused(NOT_YOURS)
        may = waiver_queries.people_to_file_for(actor.user)
        if renews is not None and waiver_queries.may_ask_for(actor.user, renews.person, renews):
            may = Person.objects.filter(pk=renews.person_id)
        theirs = {person.pk: person for person in may.filter(pk__in=wanted)}
        if len(theirs) < len(wanted):
            raise PermissionRefused(NOT_YOURS)
        directive = directives.lock(filing.directive_of(actor, reference).reference)
        reading, policy = people_and_policy(wanted)
        rule = policy.directive(directive.pk)
        if rule is None or not rule.counts_at(reading.now):
            raise WrongState(f"{reference} is not in force.")
        return cls(actor, directive, rule, policy, theirs, {pk: reading.of(pk) for pk in wanted}, renews)

    def file(
        self,
        one: Wanted,
        *,
        days: int,
        reason: str,
        licence: str | None,
        mitigation: str,
        attached: Sequence[Attached],
        conditions: str = "",
    ) -> ExceptionRequest:
        person = self.people[one.person_id]
        _refuse_not_covered(self.rule, self.subjects[person.pk], person)
        return waivers.file_exception(
            actor=self.actor, directive=self.directive, person=person, items=_items(self.policy, self.rule, one.items),
            days=days, reason=reason, licence=licence, mitigation=mitigation, attached=attached, conditions=conditions,
            renews=self.renews,
        )  # fmt: skip


@transaction.atomic
def edit_exception(
    *,
    actor: Actor,
    exception_id: int,
    items: Items,
    days: int,
    reason: str,
    licence: str | None = None,
    mitigation: str = "",
    conditions: str = "",
    attached: Sequence[Attached] = (),
) -> int:
    """The filer's edit of an open exception; returns how many decisions it made void."""
    directive, request = waivers.lock(exception_id)
    if actor.user is None or request.filer_id != actor.user.pk:
        raise PermissionRefused("Only the person who filed an exception can change it.")
    subject, policy = subject_and_policy(request.person_id)
    rule = policy.directive(directive.pk)
    if rule is None or not rule.counts_at(subject.now):
        raise WrongState(f"{directive.reference} is not in force.")
    _refuse_not_covered(rule, subject, request.person)
    return waivers.edit_exception(
        actor=actor, exception_id=exception_id, items=_items(policy, rule, items), days=days, reason=reason,
        licence=licence, mitigation=mitigation, conditions=conditions, attached=attached,
    )  # fmt: skip


@transaction.atomic
def ask_for_exception(*, actor: Actor, reference: str, words: str) -> ExceptionDraft:
    """Somebody asks, on *My access*, that an exception be filed for them; what they lost is chosen already.

    Raises ``WrongState`` when nothing is off for them by that directive, or an exception for it is open.
    """
    me = people.person_of(actor.user) if actor.user is not None else None
    if me is None:
        raise PermissionRefused("This needs an account that belongs to a person on record.")
    directive = directives.lock(filing.directive_of(actor, reference).reference)
    version = directive.version_in_force
    lost = filing.lost([me.pk], directive)[me.pk]
    if not lost or version is None:
        raise WrongState(f"Nothing is off for you by {reference}.")
    if version.waivable == Waivable.NEVER:
        raise WrongState(f"{reference} admits no waivers; there is nothing to ask for.")
    for overlap in waiver_queries.overlaps(directive, [me.pk]):
        if overlap.until is None:
            raise WrongState(f"Exception {overlap.exception_id} asks for access for you already, and is still open.")
    values = {"people": [me.pk], "items": {me.pk: [item.name for item in lost]}}
    return waivers.ask(actor=actor, directive=directive, person=me, words=words, values=values)


def _refuse_not_covered(rule: DirectiveRule, subject: Subject, person: Person) -> None:
    truth = rule_truth(rule, subject)
    if not (truth is True or (truth is None and rule.unknown_denies_at(subject.now))):
        words = f"{rule.reference} does not cover {person.name}; there is nothing to make an exception from"
        raise Invalid("The exception is not acceptable.", [("person", words)])


def _items(policy: Policy, rule: DirectiveRule, items: Items) -> list[ModelCapability]:
    if not items:
        raise Invalid("Name at least one capability.", [("capabilities", "is required")])
    ids = []
    for model, capability in dict.fromkeys(items):
        found = policy.model_capabilities.get((model, capability))
        if found is None or found.id not in rule.scope:
            words = f"{model}/{capability} is not in the scope of {rule.reference}"
            raise Invalid("The exception is not acceptable.", [("capabilities", words)])
        ids.append(found.id)
    return list(ModelCapability.objects.filter(pk__in=ids).select_related("model", "capability"))
