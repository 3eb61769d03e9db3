"""Approval policies change by versions that somebody else than their author approves, and never so that nobody could decide."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import DatabaseError, transaction

from governance.accounts.models import User
from governance.approvals import selection, services
from governance.approvals.models import ApprovalPolicy, PolicyStage, Request
from governance.approvals.selection import Risk
from governance.enforcement.services import deciding, policies
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from tests.approvals.policies import act
from tests.approvals.policies import put_in_force as policy
from tests.conftest import put_in_force
from tests.races import at_once
from tests.waivers.test_exceptions import file

pytestmark = pytest.mark.django_db
LEAD, COUNSEL, EXECUTIVE = "trust-and-safety lead", "export-control counsel", "executive"
ONE = {"position": 1, "name": "Executive", "groups": [EXECUTIVE]}


def propose(*stages: dict[str, Any], kind: str = "exception", who: str = "admin", note: str = "") -> Request:
    return policies.propose(actor=act(who), kind=kind, stages=stages, note=note)


def decide(asked: Request, who: str, verdict: str = "approve") -> Request:
    return deciding.decide(actor=act(who), request_id=asked.pk, verdict=verdict, seen=asked.content_digest)


def in_force(kind: str = "exception") -> int:
    return ApprovalPolicy.objects.get(kind=kind, active=True).version


def test_a_version_takes_force_with_its_approval() -> None:
    asked = propose(ONE, note="Only executives from now on")
    assert in_force() == 1
    decide(asked, "peter")
    assert in_force() == 2
    assert [stage.name for stage in ApprovalPolicy.objects.get(kind="exception", active=True).stages.all()] == [
        "Executive"
    ]


def test_only_administrators_write_policies_and_nobody_approves_their_own() -> None:
    with pytest.raises(PermissionRefused, match="right"):
        propose(ONE, who="idris")
    User.objects.get(username="admin").groups.add(Group.objects.get(name=LEAD))
    asked = propose(ONE)
    with pytest.raises(PermissionRefused, match="You asked for it"):
        decide(asked, "admin")
    decide(asked, "idris", "reject")
    assert in_force() == 1


def test_the_database_lets_no_version_take_force_that_nobody_approved() -> None:
    asked = propose(ONE)
    written = ApprovalPolicy.objects.get(kind="exception", version=2)
    first = ApprovalPolicy.objects.get(kind="exception", version=1)
    for change in (
        lambda: ApprovalPolicy.objects.filter(pk=written.pk).update(active=True),
        lambda: ApprovalPolicy.objects.create(kind="other", version=2, active=True),
        lambda: ApprovalPolicy.objects.filter(pk=written.pk).update(author=User.objects.get(username="peter")),
        lambda: written.stages.create(position=9, name="sneaked in", groups=[LEAD]),
        lambda: written.stages.update(groups=[LEAD]),
    ):
        ApprovalPolicy.objects.filter(pk=first.pk).update(active=False)
        with pytest.raises(DatabaseError), transaction.atomic():
            change()
        ApprovalPolicy.objects.filter(pk=first.pk).update(active=True)
    decide(asked, "peter")
    ApprovalPolicy.objects.filter(pk=written.pk).update(active=False)
    with pytest.raises(DatabaseError, match="superseded"), transaction.atomic():
        ApprovalPolicy.objects.filter(pk=first.pk).update(active=True)


def test_a_request_by_somebody_else_than_the_author_puts_nothing_in_force() -> None:
    machine_written = ApprovalPolicy.objects.create(kind="exception", version=2, active=False)
    machine_written.stages.create(**ONE)
    asked = services.open_request(
        actor=act("admin"), kind="approval.policy", subject="approval-policy:exception:2", content_digest="d" * 64, summary="x"
    )  # fmt: skip
    services.vote(actor=act("peter"), request=asked, verdict="approve", content_digest="d" * 64)
    ApprovalPolicy.objects.filter(kind="exception", version=1).update(active=False)
    with pytest.raises(DatabaseError, match="somebody else than its author"), transaction.atomic():
        ApprovalPolicy.objects.filter(pk=machine_written.pk).update(active=True)


@pytest.mark.parametrize(
    ("stages", "words"),
    [
        ([{**ONE, "quorum": 9}], "needs 9 people of its own"),
        ([{**ONE, "min_tier": 4}], "would pass no stage"),
        ([{**ONE, "groups": ["auditor"]}, {"position": 2, "name": "Again", "groups": ["auditor"]}], "needs somebody of its own"),
        ([{**ONE, "groups": []}], "names nobody"),
        ([{**ONE, "groups": ["nobody"]}], "there is no role nobody"),
        ([{**ONE, "quorum": 0}], "quorum: must be a whole number"),
        ([{**ONE, "quorum": "two"}], "quorum: must be a whole number"),
        ([{**ONE, "name": " "}], "name: is required"),
        ([{**ONE, "at_end": "refuse"}], "due_hours: is needed"),
        ([{**ONE, "at_end": "escalate", "due_hours": 4}], "to whom"),
        ([{**ONE, "due_hours": 4, "remind_hours": 4}], "must come before"),
        ([{**ONE, "permission": "everything"}], "there is no right"),
        ([ONE, ONE], "stands there twice"),
        ([], "must be from 1 to 12"),
        ([{**ONE, "name": f"s{n}"} for n in range(13)], "must be from 1 to 12"),
    ],
)  # fmt: skip
def test_a_policy_that_nobody_could_fill_or_that_says_nothing_clear_is_refused_whole(
    stages: list[dict[str, Any]], words: str
) -> None:
    with pytest.raises(Invalid, match=words):
        propose(*stages)
    assert not ApprovalPolicy.objects.filter(version=2).exists()


def test_the_policy_of_policies_changes_the_same_way_and_stays_fillable() -> None:
    with pytest.raises(Invalid, match="needs"):
        propose({**ONE, "quorum": 2}, kind="approval.policy")
    decide(propose(ONE, kind="approval.policy"), "idris")
    asked = propose(ONE)
    with pytest.raises(PermissionRefused, match="not an approver"):
        decide(asked, "idris")
    decide(asked, "maren")
    assert in_force() == 2
    with pytest.raises(NotFound):
        propose(ONE, kind="nothing")


def test_the_confirmation_of_an_emergency_is_owed_so_no_policy_lets_time_refuse_it() -> None:
    with pytest.raises(Invalid, match="is owed"):
        propose({**ONE, "due_hours": 4, "at_end": "refuse"}, kind="directive.confirmation")


def test_a_later_version_that_took_force_closes_the_request_for_an_earlier_one() -> None:
    second, third = propose(ONE), propose({**ONE, "name": "Chief"})
    decide(third, "peter")
    second.refresh_from_db()
    assert (second.state, in_force()) == ("withdrawn", 3)
    with pytest.raises(WrongState, match="closed"):
        decide(second, "peter")


def test_a_written_version_is_taken_back_by_its_author() -> None:
    asked = propose(ONE)
    deciding.withdraw(actor=act("admin"), request_id=asked.pk)
    asked.refresh_from_db()
    assert (asked.state, in_force()) == ("withdrawn", 1)


def test_the_preview_names_whom_each_stage_selects_for_a_risk() -> None:
    stages = [PolicyStage(**ONE), PolicyStage(position=2, name="Tier 4", groups=[LEAD, COUNSEL], quorum=2, min_tier=4)]
    low, high = selection.selects(stages, Risk(tier=1)), selection.selects(stages, Risk(tier=4))
    assert [each.passed for each in low] == [True, False]
    assert [each.passed for each in high] == [True, True]
    assert [[str(user) for user in each.accounts] for each in high] == [
        ["Maren Holt"],
        ["Idris Vale", "Peter Osei"],
    ]
    User.objects.filter(username="peter").update(is_active=False)
    assert "needs 2 people" in (selection.unfillable(stages) or "")
    stages[1].fallback = [LEAD, EXECUTIVE, "operator"]
    assert selection.unfillable(stages) is None


def test_a_stage_by_right_selects_who_has_it() -> None:
    (found,) = selection.selects([PolicyStage(position=1, name="x", permission="hand_over_approvals")], Risk())
    assert {user.username for user in found.accounts} == {"idris", "maren"}


def test_a_request_and_a_change_of_its_policy_at_once_come_one_after_the_other(committed: None, act_as: Any) -> None:
    put_in_force(act_as)
    asked = propose(ONE)
    exception, decided = at_once(lambda: file(act_as("hana")), lambda: decide(asked, "peter"))
    assert (decided.state, in_force()) == ("approved", 2)
    filed = Request.objects.get(subject=exception.subject)
    names = [stage.name for stage in filed.stages.all()]
    assert names == (
        ["Executive"] if filed.policy.version == 2 else ["Trust-and-safety lead", "Export-control counsel"]
    )


def test_two_versions_approved_at_once_leave_one_in_force(committed: None) -> None:
    second, third = propose(ONE), propose({**ONE, "name": "Chief"})
    at_once(lambda: decide(second, "peter"), lambda: decide(third, "idris"))
    assert in_force() == 3
    assert not Request.objects.filter(kind="approval.policy", state="open").exists()


def test_a_request_that_was_open_before_keeps_the_version_it_began_with(act_as: Any) -> None:
    put_in_force(act_as)
    exception = file(act_as("hana"))
    policy("exception", ONE)
    stages = Request.objects.get(subject=exception.subject).stages.all()
    assert [stage.name for stage in stages] == ["Trust-and-safety lead", "Export-control counsel"]
