"""Which stages a request passes, who may fill them, in which order, and how many it takes."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.accounts.rights import COUNSEL, EXECUTIVE, LEAD
from governance.approvals import eligibility, queries
from governance.approvals.models import StageApprover, Vote
from governance.approvals.services import ConflictSpec, Risk, revise
from governance.approvals.states import StageState
from governance.errors import Invalid, PermissionRefused, WrongState
from tests.approvals.engine import act, ask, decide, person, policy, stages, user
from tests.approvals.policies import put_in_force
from tests.extended import examples

pytestmark = pytest.mark.django_db
OPEN, WAITING, APPROVED, CLOSED = StageState.OPEN, StageState.WAITING, StageState.APPROVED, StageState.CLOSED


# -- order and number --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [("idris", "peter"), ("peter", "idris")])
def test_parallel_stages_are_open_side_by_side_and_the_next_waits_for_all(order: tuple[str, str]) -> None:
    policy(
        {"name": "Lead", "groups": [LEAD]}, {"name": "Counsel", "groups": [COUNSEL]},
        {"name": "Executive", "groups": [EXECUTIVE], "position": 4},
    )  # fmt: skip
    request = ask()
    assert stages(request, OPEN) == ["Counsel", "Lead"]
    assert decide(request, order[0]).state == "open"
    assert stages(request, WAITING) == ["Executive"]
    with pytest.raises(PermissionRefused, match="not your stage's turn"):
        decide(request, "maren")
    decide(request, order[1])
    assert stages(request, OPEN) == ["Executive"]
    assert decide(request, "maren").state == "approved"


def test_a_rejection_in_one_of_parallel_stages_closes_the_others(db: None) -> None:
    policy({"name": "Lead", "groups": [LEAD]}, {"name": "Counsel", "groups": [COUNSEL]})
    request = ask()
    assert decide(request, "peter", verdict="reject").state == "rejected"
    assert stages(request, CLOSED) == ["Lead"]
    with pytest.raises(WrongState, match="closed: rejected"):
        decide(request, "idris")


def test_a_quorum_of_two_takes_two_different_people(db: None) -> None:
    person("second", LEAD)
    policy({"name": "Two", "groups": [LEAD], "quorum": 2})
    request = ask()
    assert decide(request, "idris").state == "open"
    assert stages(request, OPEN) == ["Two"]
    with pytest.raises(PermissionRefused, match="decided in this request already"):
        decide(request, "idris")
    assert decide(request, "second").state == "approved"


def test_somebody_who_may_decide_two_open_stages_decides_the_first(db: None) -> None:
    user("idris").groups.add(*user("peter").groups.all())
    policy({"name": "Counsel", "groups": [COUNSEL]}, {"name": "Lead", "groups": [LEAD]})
    person("second", LEAD)
    request = ask()
    assert decide(request, "idris").stage.name == "Counsel"
    with pytest.raises(PermissionRefused):
        decide(request, "peter")
    assert decide(request, "second").state == "approved"


@pytest.mark.parametrize(
    ("risk", "passed"),
    [
        (Risk(), ["Lead"]),
        (Risk(tier=4, days=7), ["Lead"]),
        (Risk(tier=4, days=8), ["Lead", "Executive"]),
        (Risk(people=101), ["Lead", "Many"]),
        (Risk(people=100), ["Lead"]),
        (Risk(effect="deny"), ["Lead", "Denying"]),
        (Risk(effect="monitor"), ["Lead"]),
    ],
)
def test_a_stage_is_passed_over_unless_its_conditions_hold(risk: Risk, passed: list[str]) -> None:
    policy(
        {"name": "Lead", "groups": [LEAD]},
        {"name": "Executive", "groups": [EXECUTIVE], "position": 2, "min_tier": 4, "more_than_days": 7},
        {"name": "Many", "groups": [EXECUTIVE], "position": 3, "more_than_people": 100},
        {"name": "Denying", "groups": [EXECUTIVE], "position": 4, "effects": ["deny"]},
    )
    request = ask(risk=risk)
    assert stages(request) == passed
    names = {"Lead": "idris", "Executive": "maren", "Many": "maren", "Denying": "maren"}
    assert decide(request, *[names[name] for name in passed]).state == "approved"


def test_a_policy_without_a_stage_for_the_request_refuses_it(db: None) -> None:
    policy({"name": "Tier 4", "groups": [EXECUTIVE], "min_tier": 4})
    with pytest.raises(Invalid, match="no stage for this request"):
        ask(risk=Risk(tier=1))


# -- who may fill a stage ----------------------------------------------------------------------------------------------


def test_a_right_makes_an_approver_as_a_role_does(db: None) -> None:
    policy({"name": "Revealing", "permission": "reveal_sensitive"})
    request = ask()
    assert "have the right “reveal sensitive values with a purpose”" in (queries.why_not(user("idris"), request) or "")
    assert {account.username for account in queries.eligible(request.stages.get())} == {"peter", "anjali", "teo"}
    assert decide(request, "teo").state == "approved"


def test_a_relation_makes_approvers_of_those_who_stand_in_it_and_have_no_conflict(db: None) -> None:
    policy({"name": "Steward", "relations": ["steward"]})
    ids = {user(name).pk: [] for name in ("lucia", "jonas", "wei")}
    request = ask(
        relations={"steward": ids, "else": {user("teo").pk: []}},
        conflicts=[ConflictSpec("It is for you.", person_id="p009")],
    )
    assert list(StageApprover.objects.values_list("user__username", "path")) == [("jonas", "steward")]
    with pytest.raises(PermissionRefused, match="the relation to it that the policy names"):
        decide(request, "teo")
    assert decide(request, "jonas").state == "approved"


@pytest.mark.parametrize("stewards", [[], ["lucia"], ["jonas"]])
def test_the_fallback_decides_only_where_nobody_else_could(stewards: list[str]) -> None:
    policy({"name": "Steward", "relations": ["steward"], "fallback": [COUNSEL]})
    request = ask(relations={"steward": {user(name).pk: [] for name in stewards}})
    fallen_back = "jonas" not in stewards
    assert set(StageApprover.objects.values_list("user__username", "path")) == (
        {("peter", "fallback")} if fallen_back else {("jonas", "steward")}
    )
    assert (queries.why_not(user("peter"), request) is None) == fallen_back


def test_a_stage_that_nobody_could_fill_is_refused_at_once_and_says_who_could_be_added(db: None) -> None:
    policy({"name": "Steward", "relations": ["steward"]})
    with pytest.raises(Invalid, match="Nobody could decide the stage “Steward”"):
        ask()
    policy({"name": "Two", "groups": [EXECUTIVE], "quorum": 2})
    with pytest.raises(Invalid, match="needs 2 different people.*have the role executive"):
        ask()


def test_two_stages_that_only_the_same_person_could_fill_are_refused(db: None) -> None:
    policy({"name": "A", "groups": [EXECUTIVE]}, {"name": "B", "groups": [EXECUTIVE], "position": 2})
    with pytest.raises(Invalid, match="Nobody could decide the stage"):
        ask()


def test_a_request_that_two_could_fill_the_other_way_round_is_taken(db: None) -> None:
    """Filling greedily would give the first stage to the only one who can fill the second."""
    user("idris").groups.add(*user("maren").groups.all())
    policy({"name": "A", "groups": [LEAD, COUNSEL]}, {"name": "B", "groups": [LEAD], "position": 2})
    assert decide(ask(), "peter", "idris").state == "approved"


@dataclass(frozen=True)
class Named:
    """A stage, as far as filling it goes."""

    pk: int
    quorum: int


@settings(max_examples=examples(150), deadline=None)
@given(st.data())
def test_unfillable_stages_are_found_exactly(data: Any) -> None:
    """Held against trying every order of every set of people."""
    quorums = data.draw(st.lists(st.integers(1, 2), min_size=1, max_size=3))
    named = [Named(number, quorum) for number, quorum in enumerate(quorums)]
    could: Any = {stage: data.draw(st.sets(st.integers(0, 4))) for stage in named}
    places: Any = [stage for stage in named for _ in range(stage.quorum)]
    people = sorted(set().union(*could.values()))
    fillable = any(
        all(account in could[place] for account, place in zip(order, places, strict=True))
        for order in permutations(people, len(places))
    )
    found = eligibility.unfilled(places, could)
    assert (found is None) == fillable
    assert found is None or found in named


# -- changes -----------------------------------------------------------------------------------------------------------


def test_an_edit_voids_what_was_decided_and_begins_again_under_the_same_policy(db: None) -> None:
    kind = policy({"name": "Lead", "groups": [LEAD]}, {"name": "Counsel", "groups": [COUNSEL], "position": 2})
    request = ask()
    decide(request, "idris")
    put_in_force(kind, {"name": "Anybody", "position": 1, "groups": [LEAD, COUNSEL, EXECUTIVE]})
    revise(actor=act("lucia"), request=request, content_digest="e" * 64, summary="edited")
    assert stages(request, OPEN) == ["Lead"]
    assert stages(request, WAITING) == ["Counsel"]
    assert (request.revision, request.votes.count()) == (2, 1)
    assert decide(request, "idris", "peter").state == "approved", "whoever decided before may decide again"
    assert Vote.objects.filter(request=request, revision=2).count() == 2


def test_only_the_requester_edits_and_an_edit_of_nothing_voids_nothing(db: None) -> None:
    person("second", LEAD)
    policy({"name": "Two", "groups": [LEAD], "quorum": 2})
    request = ask()
    decide(request, "idris")
    with pytest.raises(PermissionRefused):
        revise(actor=act("tomas"), request=request, content_digest="e" * 64, summary="edited")
    revise(actor=act("lucia"), request=request, content_digest="d" * 64, summary="the same")
    assert decide(request, "second").state == "approved"


def test_a_decision_counts_only_while_its_maker_is_eligible(db: None) -> None:
    person("second", LEAD)
    policy({"name": "Lead", "groups": [LEAD]}, {"name": "Counsel", "groups": [COUNSEL], "position": 2})
    request = ask()
    decide(request, "idris")
    user("idris").groups.clear()
    decide(request, "peter")
    assert stages(request, OPEN) == ["Lead"]
    assert stages(request, WAITING) == ["Counsel"]
    assert decide(request, "second").state == "approved", "counsel's decision still counts"
