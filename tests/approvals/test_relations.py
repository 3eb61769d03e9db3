"""Policies that name relations: who is asked then, and what is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from governance.accounts import objects
from governance.accounts.models import User
from governance.accounts.object_services import give, take
from governance.accounts.services import set_roles
from governance.approvals import progress, queries, services
from governance.approvals.models import Request, Vote
from governance.approvals.relations import RELATIONS, offered_by
from governance.catalog.models import AIModel
from governance.directives.models import Directive
from governance.enforcement.services import lifecycle
from governance.enforcement.services.exceptions import file_exception
from governance.errors import Invalid, PermissionRefused
from governance.people.models import Person
from tests.approvals.policies import put_in_force
from tests.conftest import REFERENCE
from tests.conftest import put_in_force as put
from tests.races import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def policy(machine: Any) -> Any:
    """``policy("exception", "model.steward")`` puts a policy in force with one stage for that relation."""

    def put(kind: str, relation: str) -> None:
        put_in_force(kind, {"name": "Related", "position": 1, "relations": [relation]})

    return put


def asked(subject: str) -> set[str]:
    """Who could decide the open stage of a request."""
    request = Request.objects.get(subject=subject, state="open")
    return {user.username for user in queries.eligible(request.stages.get(state="open"))}


def file(actor: Any, person: str = "p009", item: str = "fable-5") -> str:
    found = file_exception(
        actor=actor, reference=REFERENCE, person_id=person, items=[(item, "use")], days=10, reason="evaluation"
    )
    return found.subject


def test_a_steward_of_the_model_is_asked_and_of_another_is_not(
    policy: Any, machine: Any, act_as: Any, in_force: Any
) -> None:
    policy("exception", "model.steward")
    give(actor=machine, permission=objects.STEWARD, thing=AIModel.objects.get(slug="fable-5"), account="jonas")
    give(actor=machine, permission=objects.STEWARD, thing=AIModel.objects.get(slug="mythos-5"), account="teo")
    subject = file(act_as("hana"))
    assert asked(subject) == {"jonas"}
    assert queries.inbox(User.objects.get(username="jonas")).count() == 1
    assert queries.why_not(User.objects.get(username="teo"), Request.objects.get(subject=subject)) is not None


def test_a_steward_who_files_or_benefits_is_not_asked(policy: Any, machine: Any, act_as: Any, in_force: Any) -> None:
    policy("exception", "model.steward")
    for name in ("hana", "wei"):
        give(actor=machine, permission=objects.STEWARD, thing=AIModel.objects.get(slug="fable-5"), account=name)
    with pytest.raises(Invalid, match="has nobody"):
        file(act_as("hana"))
    give(actor=machine, permission=objects.STEWARD, thing=AIModel.objects.get(slug="fable-5"), account="jonas")
    assert asked(file(act_as("hana"))) == {"jonas"}


@pytest.mark.parametrize(
    ("relation", "expected"), [("requester.manager", {"lucia"}), ("requester.manager.manager", {"idris"})]
)
def test_the_managers_above_the_requester_are_asked(
    relation: str, expected: set[str], policy: Any, act_as: Any, in_force: Any
) -> None:
    policy("directive.suspension", relation)
    lifecycle.ask(actor=act_as("tomas"), reference=REFERENCE, act="suspension", reason="court")
    assert asked(f"directive:{REFERENCE}") == expected


def test_who_has_nobody_above_cannot_ask_where_they_would_decide(policy: Any, act_as: Any, in_force: Any) -> None:
    policy("exception", "requester.manager.manager")
    with pytest.raises(Invalid, match="Nobody could decide"):
        file(act_as("hana"))


def test_the_manager_above_decides_an_exception(policy: Any, act_as: Any, in_force: Any) -> None:
    policy("exception", "requester.manager")
    assert asked(file(act_as("hana"))) == {"maren"}


def test_counsel_of_the_case_is_asked_about_the_directive_and_its_exceptions(
    policy: Any, machine: Any, act_as: Any, in_force: Any
) -> None:
    directive = Directive.objects.get(reference=REFERENCE)
    for kind in ("exception", "directive.suspension"):
        policy(kind, "case.counsel")
    with pytest.raises(Invalid, match="Nobody could decide"):
        lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act="suspension", reason="court")
    give(actor=machine, permission=objects.COUNSEL, thing=directive, account="anjali")
    give(actor=machine, permission=objects.REVIEWER, thing=directive, account="teo")
    give(actor=machine, permission=objects.COUNSEL, thing=directive, account="wei")  # whom it covers
    assert asked(file(act_as("hana"), "p010")) == {"anjali", "wei"}
    lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act="suspension", reason="court")
    assert asked(f"directive:{REFERENCE}") == {"anjali"}
    with pytest.raises(PermissionRefused):
        lifecycle.vote(actor=act_as("wei"), reference=REFERENCE, verdict="approve")
    assert lifecycle.vote(actor=act_as("anjali"), reference=REFERENCE, verdict="approve").state == "approved"


def test_a_policy_names_only_relations_that_its_kind_offers(act_as: Any) -> None:
    assert {relation.name for relation in offered_by("exception")} == set(RELATIONS)
    for kind, relation in (("exception", "a.friend"), ("directive.suspension", "model.steward")):
        with pytest.raises(Invalid, match="relations"):
            services.propose_policy(
                actor=act_as("admin"), kind=kind, stages=[{"name": "Related", "position": 1, "relations": [relation]}]
            )


# -- a relation that ends while the request is open --------------------------------------------------------------------


def two_stages(relation: str, kind: str = "exception") -> None:
    put_in_force(
        kind,
        {"name": "Related", "position": 1, "relations": [relation]},
        {"name": "Counsel", "position": 2, "groups": ["export-control counsel"]},
    )


def vote(name: str, act_as: Any, subject: str) -> Any:
    request = Request.objects.get(subject=subject)
    return services.vote(actor=act_as(name), request=request, verdict="approve", content_digest=request.content_digest)


def stage_of(subject: str, name: str) -> str:
    return str(Request.objects.get(subject=subject).stages.get(name=name).state)


def by_hand(name: str, subject: str) -> None:
    """The decision as a row, past the services."""
    request = Request.objects.get(subject=subject, state="open")
    with transaction.atomic():
        Vote.objects.create(
            request=request, stage=request.stages.get(name="Related"), approver=User.objects.get(username=name),
            verdict="approve", content_digest=request.content_digest, at=timezone.now(),
        )  # fmt: skip


def test_a_steward_who_is_one_no_more_does_not_decide(policy: Any, machine: Any, act_as: Any, in_force: Any) -> None:
    policy("exception", "model.steward")
    model = AIModel.objects.get(slug="fable-5")
    for name in ("jonas", "lucia"):
        give(actor=machine, permission=objects.STEWARD, thing=model, account=name)
    subject = file(act_as("hana"))
    take(actor=machine, permission=objects.STEWARD, thing=model, account="jonas")
    assert asked(subject) == {"lucia"}
    assert queries.inbox(User.objects.get(username="jonas")).count() == 0
    with pytest.raises(PermissionRefused, match="not an approver"):
        vote("jonas", act_as, subject)
    with pytest.raises(DatabaseError, match="may decide this stage"):
        by_hand("jonas", subject)
    assert vote("lucia", act_as, subject).state == "approved"


def test_a_decision_of_a_steward_counts_no_more_once_they_are_none(machine: Any, act_as: Any, in_force: Any) -> None:
    two_stages("model.steward")
    model = AIModel.objects.get(slug="fable-5")
    give(actor=machine, permission=objects.STEWARD, thing=model, account="jonas")
    subject = file(act_as("hana"))
    vote("jonas", act_as, subject)
    assert stage_of(subject, "Related") == "approved"
    take(actor=machine, permission=objects.STEWARD, thing=model, account="jonas")
    assert vote("peter", act_as, subject).state == "open"
    assert (stage_of(subject, "Related"), stage_of(subject, "Counsel")) == ("open", "waiting")
    with pytest.raises(DatabaseError), transaction.atomic():
        Request.objects.filter(subject=subject).update(state="approved")
    shown = progress.of(Request.objects.get(subject=subject))
    assert [[decision.counts for decision in each.decisions] for each in shown] == [[False], [True]]


def test_another_who_stands_in_the_relation_takes_the_place(machine: Any, act_as: Any, in_force: Any) -> None:
    two_stages("model.steward")
    model = AIModel.objects.get(slug="fable-5")
    for name in ("jonas", "lucia"):
        give(actor=machine, permission=objects.STEWARD, thing=model, account=name)
    subject = file(act_as("hana"))
    vote("jonas", act_as, subject)
    take(actor=machine, permission=objects.STEWARD, thing=model, account="jonas")
    vote("peter", act_as, subject)
    assert vote("lucia", act_as, subject).state == "approved"


def test_a_steward_by_role_is_one_as_long_as_they_have_it(
    policy: Any, machine: Any, act_as: Any, in_force: Any
) -> None:
    policy("exception", "model.steward")
    give(actor=machine, permission=objects.STEWARD, thing=AIModel.objects.get(slug="fable-5"), role="legal")
    subject = file(act_as("hana"))
    assert asked(subject) == {"anjali"}
    set_roles(actor=machine, username="anjali", roles=[])
    assert asked(subject) == set()
    set_roles(actor=machine, username="anjali", roles=["legal"])
    assert asked(subject) == {"anjali"}


def test_a_steward_of_one_of_two_models_stays_while_steward_of_either(machine: Any, act_as: Any, in_force: Any) -> None:
    put_in_force("exception", {"name": "Related", "position": 1, "relations": ["model.steward"]})
    models = [AIModel.objects.get(slug=slug) for slug in ("fable-5", "mythos-5")]
    for model in models:
        give(actor=machine, permission=objects.STEWARD, thing=model, account="jonas")
    subject = file_exception(
        actor=act_as("hana"), reference=REFERENCE, person_id="p009", items=[("fable-5", "use"), ("mythos-5", "use")],
        days=10, reason="evaluation",
    ).subject  # fmt: skip
    take(actor=machine, permission=objects.STEWARD, thing=models[0], account="jonas")
    assert asked(subject) == {"jonas"}
    take(actor=machine, permission=objects.STEWARD, thing=models[1], account="jonas")
    assert asked(subject) == set()


@pytest.mark.parametrize(
    ("relation", "field", "who"), [("requester.manager", "p", "lucia"), ("requester.manager.manager", "m", "idris")]
)
def test_a_manager_who_is_above_the_requester_no_more_does_not_decide(
    relation: str, field: str, who: str, policy: Any, act_as: Any, in_force: Any
) -> None:
    policy("directive.suspension", relation)
    lifecycle.ask(actor=act_as("tomas"), reference=REFERENCE, act="suspension", reason="court")
    subject = f"directive:{REFERENCE}"
    assert asked(subject) == {who}
    below = Person.objects.get(email="tomas.berg@example.com")
    below = below if field == "p" else below.manager
    Person.objects.filter(pk=below.pk).update(manager=Person.objects.get(email="maren.holt@example.com"))
    assert asked(subject) == set()
    with pytest.raises(PermissionRefused):
        lifecycle.vote(actor=act_as(who), reference=REFERENCE, verdict="approve")
    with pytest.raises(DatabaseError):
        by_hand(who, subject)


def test_counsel_who_left_the_case_does_not_decide(policy: Any, machine: Any, act_as: Any, in_force: Any) -> None:
    policy("directive.suspension", "case.counsel")
    directive = Directive.objects.get(reference=REFERENCE)
    give(actor=machine, permission=objects.COUNSEL, thing=directive, account="anjali")
    lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act="suspension", reason="court")
    take(actor=machine, permission=objects.COUNSEL, thing=directive, account="anjali")
    with pytest.raises(PermissionRefused):
        lifecycle.vote(actor=act_as("anjali"), reference=REFERENCE, verdict="approve")


def test_a_delegate_of_a_steward_who_is_none_any_more_does_not_decide(
    policy: Any, machine: Any, act_as: Any, in_force: Any
) -> None:
    policy("exception", "model.steward")
    model = AIModel.objects.get(slug="fable-5")
    give(actor=machine, permission=objects.STEWARD, thing=model, account="jonas")
    subject = file(act_as("hana"))
    now = timezone.now()
    services.delegate(
        actor=act_as("jonas"), to=User.objects.get(username="teo"), starts_at=now, ends_at=now + timedelta(days=1),
        reason="leave",
    )  # fmt: skip
    assert queries.why_not(User.objects.get(username="teo"), Request.objects.get(subject=subject)) is None
    take(actor=machine, permission=objects.STEWARD, thing=model, account="jonas")
    with pytest.raises(PermissionRefused):
        vote("teo", act_as, subject)


def test_who_fell_back_decides_while_they_have_the_role(machine: Any, act_as: Any, in_force: Any) -> None:
    put_in_force(
        "exception",
        {"name": "Related", "position": 1, "relations": ["model.steward"], "fallback": ["executive"]},
    )
    subject = file(act_as("hana"), "p010")
    assert asked(subject) == {"maren"}
    set_roles(actor=machine, username="maren", roles=[])
    assert asked(subject) == set()


def test_whom_a_lead_named_decides_whatever_else_ends(machine: Any, act_as: Any, in_force: Any) -> None:
    two_stages("model.steward")
    model = AIModel.objects.get(slug="fable-5")
    give(actor=machine, permission=objects.STEWARD, thing=model, account="jonas")
    subject = file(act_as("hana"))
    request = Request.objects.get(subject=subject)
    services.hand_over(
        actor=act_as("idris"), request=request, stage_id=request.stages.get(name="Related").pk,
        to=User.objects.get(username="tomas"), reason="ill",
    )  # fmt: skip
    take(actor=machine, permission=objects.STEWARD, thing=model, account="jonas")
    assert asked(subject) == {"tomas"}
    vote("tomas", act_as, subject)
    assert vote("peter", act_as, subject).state == "approved"


def test_a_decision_and_the_loss_of_the_permission_at_once(committed: None, machine: Any, act_as: Any) -> None:
    """Either the decision came first, and counts for nothing afterwards, or the permission was gone."""
    put(act_as)
    two_stages("model.steward")
    model = AIModel.objects.get(slug="fable-5")
    give(actor=machine, permission=objects.STEWARD, thing=model, account="jonas")
    subject = file(act_as("hana"))
    at_once(
        lambda: vote("jonas", act_as, subject),
        lambda: take(actor=machine, permission=objects.STEWARD, thing=model, account="jonas"),
    )
    if stage_of(subject, "Related") == "approved":
        assert vote("peter", act_as, subject).state == "open"
    assert stage_of(subject, "Related") == "open"
    assert Request.objects.get(subject=subject).state == "open"
