"""Ways in which somebody who must not decide tries to: each sets the scene in the founding scenario and names the attempt.

The words are those of docs/security.md; a test holds the two together.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group

from governance.accounts import object_services, objects
from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.accounts.rights import COUNSEL, EXECUTIVE, LEAD
from governance.approvals import services
from governance.approvals.models import Request
from governance.catalog.models import AIModel
from governance.directives import services as directives
from governance.directives.content import DirectiveStatement, VersionStatement
from governance.directives.models import Directive
from governance.enforcement.services import lifecycle
from governance.enforcement.services.exceptions import file_exception
from governance.moments import now
from governance.people.models import Person
from governance.waivers.services import decide_exception, withdraw_exception
from tests.approvals.doors import Attempt, os_user
from tests.approvals.policies import put_in_force as put_policy_in_force
from tests.clock import Clock
from tests.conftest import PASSWORD, REFERENCE

ADMIN = Actor.machine("cli:test")
ALL = ("page", "api", "command", "sql", "unchecked")


def user(name: str) -> User:
    return User.objects.get(username=name)


def act(name: str, via: str = "") -> Actor:
    return Actor.for_user(user(name), via=via)


def give(name: str, *roles: str) -> None:
    user(name).groups.add(*Group.objects.filter(name__in=roles))


def account(name: str, email: str, *roles: str) -> str:
    made = User.objects.create_user(name, email, PASSWORD)
    made.groups.set(Group.objects.filter(name__in=roles))
    return name


def move(name: str, email: str) -> None:
    User.objects.filter(username=name).update(email=email)


def of(subject: str) -> Request:
    return Request.objects.get(subject=subject, state="open")


def filed(via: str = "", by: str = "hana") -> Request:
    """An exception that Hana files for Wei (p009): a lead decides, then counsel."""
    made = file_exception(
        actor=act(by, via),
        reference=REFERENCE,
        person_id="p009",
        items=[("fable-5", "use")],
        days=10,
        reason="evaluation",
    )
    return of(made.subject)


def approved(request: Request, *names: str) -> Request:
    for name in names:
        decide_exception(actor=act(name), exception_id=int(request.subject.partition(":")[2]), verdict="approve")
    request.refresh_from_db()
    return request


def rescission() -> Request:
    lifecycle.ask(actor=act("lucia"), reference=REFERENCE, act="rescission", reason="withdrawn")
    return of(f"directive:{REFERENCE}")


def activation(author: str = "anjali") -> Request:
    original = Directive.objects.get(reference=REFERENCE).versions.order_by("number").first()
    statement = DirectiveStatement(
        reference="US-WAY", title="Another", authority="U.S. government", version=VersionStatement.of(original)
    )
    directives.create_directive(actor=act(author), statement=statement)
    lifecycle.submit(actor=act("lucia"), reference="US-WAY")
    return of("directive:US-WAY")


def policy(*stages: dict[str, Any]) -> None:
    """A new version of the policy for exceptions takes force."""
    put_policy_in_force("exception", *stages)


def two_leads() -> None:
    give("tomas", LEAD)
    policy({"name": "Two leads", "position": 1, "groups": [LEAD], "quorum": 2})


def delegate(principal: str, to: str, begins: float = 0, hours: float = 5) -> Any:
    moment = now()
    return services.delegate(
        actor=act(principal), to=user(to), starts_at=moment + timedelta(hours=begins),
        ends_at=moment + timedelta(hours=begins + hours), reason="away",
    )  # fmt: skip


# -- the scenes --------------------------------------------------------------------------------------------------------


def requester(clock: Clock) -> Attempt:
    give("hana", LEAD)
    return Attempt(filed(), "hana")


def requesters_other_account(clock: Clock) -> Attempt:
    asked = filed()
    move("hana", "private@example.com")
    return Attempt(asked, account("hana2", "HANA.KIMURA@example.com", LEAD))


def submitter(clock: Clock) -> Attempt:
    give("lucia", LEAD)
    return Attempt(activation(), "lucia")


def beneficiary(clock: Clock) -> Attempt:
    give("wei", LEAD)
    return Attempt(filed(), "wei")


def beneficiary_with_another_address(clock: Clock) -> Attempt:
    give("wei", LEAD)
    asked = filed()
    move("wei", "somebody@example.com")
    return Attempt(asked, "wei")


def beneficiary_whose_record_changed(clock: Clock) -> Attempt:
    give("wei", LEAD)
    asked = filed()
    Person.objects.filter(pk="p009").update(email="somebody@example.com")
    return Attempt(asked, "wei")


def beneficiarys_later_account(clock: Clock) -> Attempt:
    move("wei", "somebody@example.com")
    asked = filed()
    return Attempt(asked, account("wei2", "Wei.Zhang@example.com", LEAD))


def author(clock: Clock) -> Attempt:
    give("anjali", LEAD)
    return Attempt(activation("anjali"), "anjali")


def authors_other_account(clock: Clock) -> Attempt:
    asked = activation("anjali")
    move("anjali", "somebody@example.com")
    return Attempt(asked, account("anjali2", "anjali.rao@example.com", LEAD))


def covered(clock: Clock) -> Attempt:
    give("hana", EXECUTIVE)
    return Attempt(rescission(), "hana")


def covered_with_another_address(clock: Clock) -> Attempt:
    give("hana", EXECUTIVE)
    asked = rescission()
    move("hana", "somebody@example.com")
    return Attempt(asked, "hana")


def twice_in_a_stage(clock: Clock) -> Attempt:
    two_leads()
    return Attempt(approved(filed(), "idris"), "idris")


def in_two_stages(clock: Clock) -> Attempt:
    give("idris", COUNSEL)
    return Attempt(approved(filed(), "idris"), "idris")


def delegate_of_the_requester(clock: Clock) -> Attempt:
    give("maren", LEAD)  # somebody else could decide
    delegate("hana", "idris")
    return Attempt(filed(), "idris")


def delegate_of_the_requester_later(clock: Clock) -> Attempt:
    asked = filed()
    delegate("hana", "idris")
    return Attempt(asked, "idris")


def delegate_of_the_beneficiary(clock: Clock) -> Attempt:
    give("maren", LEAD)  # somebody else could decide
    delegate("wei", "idris")
    return Attempt(filed(), "idris")


def delegation_from_the_requester_revoked(clock: Clock) -> Attempt:
    give("maren", LEAD)  # somebody else could decide
    held = delegate("hana", "idris")
    asked = filed()
    services.revoke(actor=act("hana"), delegation_id=held.pk)
    return Attempt(asked, "idris")


def for_a_requester_who_may(clock: Clock) -> Attempt:
    give("hana", LEAD)
    delegate("hana", "tomas")
    return Attempt(filed(), "tomas", on_behalf_of="hana")


def revoked(clock: Clock) -> Attempt:
    held = delegate("idris", "tomas")
    asked = filed()
    services.revoke(actor=act("idris"), delegation_id=held.pk)
    return Attempt(asked, "tomas", on_behalf_of="idris")


def expired(clock: Clock) -> Attempt:
    delegate("idris", "tomas", hours=1)
    asked = filed()
    clock.pass_time(hours=2)
    return Attempt(asked, "tomas", on_behalf_of="idris")


def not_begun(clock: Clock) -> Attempt:
    delegate("idris", "tomas", begins=2)
    return Attempt(filed(), "tomas", on_behalf_of="idris")


def onward(clock: Clock) -> Attempt:
    delegate("idris", "lucia")
    delegate("lucia", "tomas")
    return Attempt(filed(), "tomas", on_behalf_of="idris")


def without_delegation(clock: Clock) -> Attempt:
    return Attempt(filed(), "tomas", on_behalf_of="idris")


def principal_deactivated(clock: Clock) -> Attempt:
    delegate("idris", "tomas")
    asked = filed()
    User.objects.filter(username="idris").update(is_active=False)
    return Attempt(asked, "tomas", on_behalf_of="idris")


def delegate_after_principal(clock: Clock) -> Attempt:
    two_leads()
    delegate("idris", "lucia")
    return Attempt(approved(filed(), "idris"), "lucia", on_behalf_of="idris")


def principal_after_delegate(clock: Clock) -> Attempt:
    two_leads()
    delegate("idris", "lucia")
    return Attempt(approved(filed(), "lucia"), "idris")


def delegate_for_two(clock: Clock) -> Attempt:
    two_leads()
    delegate("idris", "lucia")
    delegate("tomas", "lucia")
    return Attempt(approved(filed(), "lucia"), "lucia", on_behalf_of="tomas")


def other_content(clock: Clock) -> Attempt:
    return Attempt(rescission(), "idris", digest="0" * 64)


def older_revision(clock: Clock) -> Attempt:
    asked = rescission()
    stage, digest = asked.stages.get(), asked.content_digest
    services.revise(actor=act("lucia"), request=asked, content_digest="1" * 64, summary="edited")
    return Attempt(asked, "idris", stage=stage, digest=digest, revision=1)


def after_the_end(clock: Clock) -> Attempt:
    asked = filed()
    withdraw_exception(actor=act("hana"), exception_id=int(asked.subject.partition(":")[2]))
    return Attempt(asked, "idris")


def before_its_turn(clock: Clock) -> Attempt:
    asked = filed()
    return Attempt(asked, "peter", stage=asked.stages.get(state="waiting"))


def deactivated(clock: Clock) -> Attempt:
    asked = filed()
    User.objects.filter(username="idris").update(is_active=False)
    return Attempt(asked, "idris")


def _for_stewards() -> Request:
    """A request that the steward of its model decides: jonas is it."""
    put_policy_in_force("exception", {"name": "Steward", "position": 1, "relations": ["model.steward"]})
    object_services.give(actor=ADMIN, permission=objects.STEWARD, thing=_fable(), account="jonas")
    return filed()


def _fable() -> AIModel:
    return AIModel.objects.get(slug="fable-5")


def steward_no_more(clock: Clock) -> Attempt:
    request = _for_stewards()
    object_services.take(actor=ADMIN, permission=objects.STEWARD, thing=_fable(), account="jonas")
    return Attempt(request, "jonas")


def for_a_steward_no_more(clock: Clock) -> Attempt:
    request = _for_stewards()
    delegate("jonas", "tomas")
    object_services.take(actor=ADMIN, permission=objects.STEWARD, thing=_fable(), account="jonas")
    return Attempt(request, "tomas", on_behalf_of="jonas")


def manager_no_more(clock: Clock) -> Attempt:
    put_policy_in_force("exception", {"name": "Manager", "position": 1, "relations": ["requester.manager"]})
    request = filed()
    Person.objects.filter(email=user("hana").email).update(manager=Person.objects.get(email=user("idris").email))
    return Attempt(request, "maren")


def without_the_role(clock: Clock) -> Attempt:
    asked = filed()
    user("idris").groups.clear()
    return Attempt(asked, "idris")


def outsider(clock: Clock) -> Attempt:
    return Attempt(filed(), "lucia")


def administrator(clock: Clock) -> Attempt:
    give("admin", LEAD)
    return Attempt(filed(), "admin")


def delegate_who_administers(clock: Clock) -> Attempt:
    delegate("idris", "admin")
    return Attempt(filed(), "admin", on_behalf_of="idris")


def superuser(clock: Clock) -> Attempt:
    User.objects.filter(username="auditor").update(is_superuser=True)
    return Attempt(filed(), "auditor")


def same_hands(clock: Clock) -> Attempt:
    User.objects.filter(username__in=["hana", "idris"]).update(is_demo=False)
    for each in User.objects.filter(username__in=["hana", "idris"]):
        each.set_password(PASSWORD)
        each.save()
    return Attempt(filed(via=os_user()), "idris", via=os_user())


def same_hands_in_two_stages(clock: Clock) -> Attempt:
    User.objects.filter(username="peter").update(is_demo=False)
    peter = user("peter")
    peter.set_password(PASSWORD)
    peter.save()
    asked = filed()
    number = int(asked.subject.partition(":")[2])
    decide_exception(actor=act("idris", os_user()), exception_id=number, verdict="approve")
    return Attempt(asked, "peter", via=os_user())


def anothers_stage(clock: Clock) -> Attempt:
    asked, other = filed(), rescission()
    return Attempt(asked, "peter", stage=other.stages.get())


@dataclass(frozen=True)
class Way:
    """One way, in words; what refuses it in the services and in the database; and through which doors it is tried."""

    words: str
    services: str
    database: str
    scene: Callable[[Clock], Attempt]
    doors: Sequence[str] = ALL


PARTY = "`eligibility.conflict_of`"
PARTY_SQL = "`vote_separation_of_duties` (`approvals_in_conflict`)"
DELEGATION = "`eligibility.principals`"
DELEGATION_SQL = "`vote_separation_of_duties` (a delegation that runs)"
RIGHT = "`eligibility.has_right`"
RIGHT_SQL = "`vote_separation_of_duties` (`approvals_has_right`)"
ONCE = "`eligibility.standing` (`involves`)"
ONCE_SQL = "`vote_separation_of_duties`, `vote_once_in_a_request`"
WAYS = (
    Way("The requester decides", PARTY, PARTY_SQL, requester),
    Way("The requester decides by another account of theirs, which has the e-mail address of their record since",
        PARTY, "`requester_is_party`, then `approvals_in_conflict`", requesters_other_account),
    Way("Whoever submitted a directive decides on its activation", PARTY, PARTY_SQL, submitter),
    Way("The person who benefits decides", PARTY, PARTY_SQL, beneficiary),
    Way("The person who benefits changes the e-mail address of their account, then decides",
        PARTY, "`conflict_of_both` keeps account and person", beneficiary_with_another_address),
    Way("The e-mail address in the record of the person who benefits is changed, then they decide",
        PARTY, "`conflict_of_both` keeps account and person", beneficiary_whose_record_changed),
    Way("The person who benefits decides by an account that was made after the request", PARTY, PARTY_SQL,
        beneficiarys_later_account),
    Way("Whoever wrote the version decides on it", PARTY, PARTY_SQL + ", `version_second_person`", author),
    Way("Whoever wrote the version decides on it by another account", PARTY, "`conflict_of_both` keeps account and person",
        authors_other_account),
    Way("An approver whom the directive covers decides on its rescission", "`conflicts.covered_approvers`, `conflicts.covered`",
        PARTY_SQL, covered),
    Way("An approver whom it covers changes their address first", "`conflicts.covered_approvers`", PARTY_SQL,
        covered_with_another_address),
    Way("Somebody decides twice in a stage that needs two", ONCE, ONCE_SQL, twice_in_a_stage),
    Way("Somebody with both roles decides in two stages", ONCE, ONCE_SQL, in_two_stages),
    Way("A delegate of the requester decides by their own right", PARTY, PARTY_SQL, delegate_of_the_requester),
    Way("Somebody becomes the requester's delegate while the request is open, and decides", PARTY, PARTY_SQL,
        delegate_of_the_requester_later),
    Way("A delegate of the person who benefits decides by their own right", PARTY, PARTY_SQL, delegate_of_the_beneficiary),
    Way("The requester's delegate decides when the delegation was revoked after the request", PARTY, PARTY_SQL,
        delegation_from_the_requester_revoked),
    Way("A delegate decides for a requester who could decide requests of others", PARTY, PARTY_SQL, for_a_requester_who_may),
    Way("A delegate decides after the delegation was revoked", DELEGATION, DELEGATION_SQL, revoked),
    Way("A delegate decides after the delegation ended", DELEGATION, DELEGATION_SQL, expired),
    Way("A delegate decides before the delegation begins", DELEGATION, DELEGATION_SQL, not_begun),
    Way("A delegate passes on what was delegated to them", DELEGATION, DELEGATION_SQL, onward),
    Way("Somebody decides for an approver who delegated nothing", DELEGATION, DELEGATION_SQL, without_delegation),
    Way("A delegate decides for an approver whose account was deactivated", DELEGATION, RIGHT_SQL, principal_deactivated),
    Way("A delegate decides after the approver they decide for", ONCE, ONCE_SQL + ", `vote_once_for_whom_it_counts`",
        delegate_after_principal),
    Way("An approver decides after their delegate did", ONCE, ONCE_SQL + ", `vote_once_for_whom_it_counts`",
        principal_after_delegate),
    Way("A delegate of two approvers decides for both", ONCE, ONCE_SQL, delegate_for_two),
    Way("Somebody decides on another content than is asked about", "`votes.vote` (content digest)",
        "`vote_separation_of_duties` (digest)", other_content, ("page", "api", "sql", "unchecked")),
    Way("Somebody decides on what was asked before an edit", "`votes.vote` (content digest)",
        "`vote_separation_of_duties` (revision)", older_revision),
    Way("Somebody decides after the request was closed", "`common.lock_open`", "`vote_separation_of_duties` (open request)",
        after_the_end),
    Way("Somebody decides in a stage whose turn has not come", "`eligibility.standing`",
        "`vote_separation_of_duties` (open stage)", before_its_turn),
    Way("A deactivated account decides", "`common.account`", RIGHT_SQL, deactivated),
    Way("An account decides that lost its role while the request was open", RIGHT, RIGHT_SQL, without_the_role),
    Way("A steward of the model decides who is none any more", "`eligibility.has_right` (`approvals_still_stands`)",
        RIGHT_SQL, steward_no_more),
    Way("Somebody decides for a steward of the model who is none any more",
        "`eligibility.has_right` (`approvals_still_stands`)", RIGHT_SQL, for_a_steward_no_more),
    Way("The requester's manager decides who is it no more", "`eligibility.has_right` (`approvals_still_stands`)",
        RIGHT_SQL, manager_no_more),
    Way("Somebody without the role decides", RIGHT, RIGHT_SQL, outsider),
    Way("An administrator who has the role decides", "`eligibility.standing`; `set_roles` refuses one's own",
        "`approvals_administers`", administrator),
    Way("An administrator decides for somebody who delegated to them", "`eligibility.standing`", "`approvals_administers`",
        delegate_who_administers),
    Way("A superuser decides", RIGHT, RIGHT_SQL, superuser),
    Way("One operating-system user asks by one account and decides by another", "`votes._same_hands`",
        "`vote_separation_of_duties` (via)", same_hands, ("command", "sql", "unchecked")),
    Way("One operating-system user decides two stages by two accounts", "`votes._same_hands`",
        "`vote_separation_of_duties` (via)", same_hands_in_two_stages, ("command", "sql", "unchecked")),
    Way("A decision names the stage of another request", "`eligibility.standing` looks at the request's own",
        "`vote_separation_of_duties` (stage of the request)", anothers_stage, ("sql", "unchecked")),
)  # fmt: skip
