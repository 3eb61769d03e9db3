"""Policies that name relations: who is asked then, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from governance.accounts import objects
from governance.accounts.models import User
from governance.accounts.object_services import give
from governance.approvals import queries, services
from governance.approvals.models import Request
from governance.approvals.relations import RELATIONS, offered_by
from governance.catalog.models import AIModel
from governance.directives.models import Directive
from governance.enforcement.services import lifecycle
from governance.enforcement.services.exceptions import file_exception
from governance.errors import Invalid, PermissionRefused
from tests.approvals.policies import put_in_force
from tests.conftest import REFERENCE

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
