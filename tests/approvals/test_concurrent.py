"""Acts on one request at the same moment, with real transactions: one outcome, and the loser is told what happened."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.accounts.rights import EXECUTIVE, LEAD
from governance.approvals import services
from governance.approvals.models import Request, Vote
from governance.errors import PermissionRefused, Refused, WrongState
from governance.ledger.models import Entry
from governance.moments import now
from tests.approvals.policies import first_of_its_kind, put_in_force
from tests.races import at_once

pytestmark = pytest.mark.django_db
DIGEST = "d" * 64
KIND = "directive.suspension"
MACHINE = Actor.machine("cli:test")


def act(name: str) -> Actor:
    return Actor.for_user(User.objects.get(username=name))


def policy(*stages: dict[str, Any]) -> Any:
    return put_in_force(KIND, *stages)


def approving(*stages: dict[str, Any]) -> Callable[[], Any]:
    """The last approval of a policy that was written: it takes force with it."""
    proposed = services.propose_policy(actor=act("admin"), kind=KIND, stages=stages)
    actor, version = act("maren"), int(proposed.subject.rpartition(":")[2])
    return lambda: services.decide_policy(actor=actor, kind=KIND, version=version, verdict="approve")


def asked(subject: str = "directive:X", kind: str = KIND) -> Request:
    return services.open_request(
        actor=act("lucia"), kind=kind, subject=subject, content_digest=DIGEST, summary="x", reason="y"
    )


def voting(request: Request, name: str, verdict: str = "approve") -> Callable[[], Any]:
    actor = act(name)
    return lambda: services.vote(actor=actor, request=request, verdict=verdict, content_digest=DIGEST)


def sorted_out(results: list[Any]) -> tuple[list[Any], list[Refused]]:
    """What was done, and the refusals; anything else that was raised fails the test."""
    refusals = [each for each in results if isinstance(each, Exception)]
    assert all(isinstance(each, Refused) for each in refusals), refusals
    return [each for each in results if not isinstance(each, Exception)], refusals


def in_the_ledger(request: Request, *acts: str) -> int:
    actions = [f"approval.{name}" for name in acts]
    return Entry.objects.filter(subject=f"approval:{request.pk}", action__in=actions).count()


def later(first: threading.Event, deed: Callable[[], Any]) -> Callable[[], Any]:
    def wait() -> Any:
        assert first.wait(10)
        return deed()

    return wait


@pytest.fixture
def holding(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], threading.Event]:
    """The first act that writes ``action`` to the ledger holds its locks for a moment, in which the other one begins."""
    from governance.ledger import services as ledger

    real = ledger.append

    def hold(action: str) -> threading.Event:
        begun = threading.Event()

        def append(**options: Any) -> Any:
            if options["action"] == action and not begun.is_set():
                begun.set()
                threading.Event().wait(0.3)
            return real(**options)

        monkeypatch.setattr(ledger, "append", append)
        return begun

    return hold


@pytest.mark.parametrize("verdicts", ["approve", "mixed"])
def test_twenty_approvers_at_one_request_of_two_decide_it_once(verdicts: str, committed: None) -> None:
    lead = Group.objects.get(name=LEAD)
    for number in range(20):
        User.objects.create_user(f"a{number}", f"a{number}@example.com").groups.add(lead)
    policy({"name": "Two", "position": 1, "groups": [LEAD], "quorum": 2})
    request = asked()
    acts = [
        voting(request, f"a{number}", "reject" if verdicts == "mixed" and number % 2 else "approve")
        for number in range(20)
    ]
    done, refusals = sorted_out(at_once(*acts))
    request.refresh_from_db()
    votes = list(Vote.objects.filter(request=request).order_by("pk").values_list("verdict", flat=True))
    assert len(done) == len(votes) == in_the_ledger(request, "voted")
    assert [outcome.state for outcome in done if outcome.state != "open"] == [request.state], "exactly one outcome"
    assert in_the_ledger(request, "approved", "rejected") == 1
    if request.state == "approved":
        assert votes == ["approve", "approve"], "exactly two decisions counted"
    else:
        assert votes in (["reject"], ["approve", "reject"])
    assert len(refusals) == 20 - len(votes)
    assert {(type(refusal), refusal.code) for refusal in refusals} == {(WrongState, "closed")}
    assert all(request.get_state_display().lower() in refusal.reason for refusal in refusals)


def test_two_approvers_at_the_same_instant_in_a_stage_of_one(committed: None) -> None:
    request = asked()
    done, (refused,) = sorted_out(at_once(voting(request, "idris"), voting(request, "peter")))
    assert [outcome.state for outcome in done] == ["approved"]
    assert refused.reason == "This request is closed: approved."
    assert Vote.objects.filter(request=request).count() == in_the_ledger(request, "voted") == 1


def test_one_account_from_two_windows_decides_once(committed: None) -> None:
    policy({"name": "Two", "position": 1, "groups": [LEAD, EXECUTIVE], "quorum": 2})
    request = asked()
    done, (refused,) = sorted_out(at_once(voting(request, "idris"), voting(request, "idris")))
    assert [outcome.state for outcome in done] == ["open"]
    assert (type(refused), refused.code) == (PermissionRefused, "decided")


def test_a_delegate_and_whom_they_decide_for_count_once(committed: None) -> None:
    policy({"name": "Two", "position": 1, "groups": [LEAD, EXECUTIVE], "quorum": 2})
    moment = now()
    services.delegate(
        actor=act("idris"), to=User.objects.get(username="tomas"), starts_at=moment, ends_at=moment + timedelta(days=1),
        reason="away",
    )  # fmt: skip
    request = asked()
    done, refusals = sorted_out(at_once(voting(request, "idris"), voting(request, "tomas")))
    assert [outcome.state for outcome in done] == ["open"]
    assert [type(refusal) for refusal in refusals] == [PermissionRefused]


@pytest.mark.parametrize("first", ["vote", "withdrawal"])
def test_an_approval_against_a_withdrawal(first: str, committed: None, holding: Any) -> None:
    request, lucia = asked(), act("lucia")
    begun = holding("approval.voted" if first == "vote" else "approval.withdrawn")
    approve, withdraw = voting(request, "idris"), lambda: services.withdraw(actor=lucia, request=request)
    acts = (approve, later(begun, withdraw)) if first == "vote" else (later(begun, approve), withdraw)
    _, (refused,) = sorted_out(at_once(*acts))
    request.refresh_from_db()
    assert request.state == ("approved" if first == "vote" else "withdrawn")
    assert refused.reason == f"This request is closed: {request.state}."
    assert in_the_ledger(request, "approved", "withdrawn") == 1


@pytest.mark.parametrize("first", ["vote", "edit"])
def test_an_approval_against_an_edit(first: str, committed: None, holding: Any) -> None:
    policy({"name": "Two", "position": 1, "groups": [LEAD, EXECUTIVE], "quorum": 2})
    request, lucia = asked(), act("lucia")
    begun = holding("approval.voted" if first == "vote" else "approval.revised")
    approve = voting(request, "idris")

    def edit() -> Any:
        return services.revise(actor=lucia, request=request, content_digest="e" * 64, summary="edited")

    acts = (approve, later(begun, edit)) if first == "vote" else (later(begun, approve), edit)
    _, refusals = sorted_out(at_once(*acts))
    request.refresh_from_db()
    assert (request.revision, request.state) == (2, "open")
    assert [refusal.code for refusal in refusals] == ([] if first == "vote" else ["content_changed"])
    assert not request.votes.filter(revision=2).exists(), "what was decided before the edit is void"


@pytest.mark.parametrize("first", ["request", "policy"])
def test_a_request_against_a_policy_that_takes_force(first: str, committed: None, holding: Any) -> None:
    """The request has the stages of one version, whole: of the version that it names."""
    activate = approving(
        {"name": "Lead", "position": 1, "groups": [LEAD]}, {"name": "Executive", "position": 2, "groups": [EXECUTIVE]}
    )
    begun = holding("approval.opened" if first == "request" else "approval_policy.activated")

    acts = (asked, later(begun, activate)) if first == "request" else (later(begun, asked), activate)
    _, refusals = sorted_out(at_once(*acts))
    assert refusals == []
    request = Request.objects.select_related("policy").get(subject="directive:X")
    version, names = request.policy.version, [stage.name for stage in request.stages.order_by("position")]
    assert (version, names) in [(1, ["Second person"]), (2, ["Lead", "Executive"])]
    assert version == (1 if first == "request" else 2)


def test_an_approval_against_a_policy_that_takes_force_keeps_its_stages(committed: None) -> None:
    request = asked()
    activate = approving({"name": "Two", "position": 1, "groups": [LEAD, EXECUTIVE], "quorum": 2})
    _, refusals = sorted_out(at_once(voting(request, "idris"), activate))
    assert refusals == []
    request.refresh_from_db()
    assert request.state == "approved", "it was opened under the version that needs one"


@pytest.mark.parametrize("first", ["vote", "revocation"])
def test_a_decision_against_the_revocation_of_its_delegation(first: str, committed: None, holding: Any) -> None:
    moment = now()
    held = services.delegate(
        actor=act("idris"), to=User.objects.get(username="tomas"), starts_at=moment, ends_at=moment + timedelta(days=1),
        reason="away",
    )  # fmt: skip
    request, idris = asked(), act("idris")
    begun = holding("approval.voted" if first == "vote" else "delegation.revoked")
    decide, revoke = voting(request, "tomas"), lambda: services.revoke(actor=idris, delegation_id=held.pk)
    acts = (decide, later(begun, revoke)) if first == "vote" else (later(begun, decide), revoke)
    _, refusals = sorted_out(at_once(*acts))
    request.refresh_from_db()
    held.refresh_from_db()
    assert held.revoked_at is not None
    if first == "vote":
        assert (request.state, refusals) == ("approved", [])
        assert request.votes.get().at < held.revoked_at
    else:
        (refused,) = refusals
        assert (request.state, refused.code) == ("open", "not_eligible")


def test_two_requests_about_one_subject_at_once_are_one(committed: None) -> None:
    done, (refused,) = sorted_out(at_once(asked, asked))
    assert len(done) == 1
    assert isinstance(refused, WrongState)
    assert "open already" in refused.reason


def test_an_escalation_from_two_schedules_comes_once(committed: None) -> None:
    first_of_its_kind(
        "test.late",
        {
            "name": "Lead",
            "position": 1,
            "groups": [LEAD],
            "due_hours": 0,
            "at_end": "escalate",
            "escalate_to": [EXECUTIVE],
        },
    )
    request = asked(kind="test.late")
    acts = [lambda: services.pass_time(actor=MACHINE, request_id=request.pk)] * 4
    done, refusals = sorted_out(at_once(*acts))
    assert refusals == []
    assert [outcome is None for outcome in done].count(False) == 1
    assert in_the_ledger(request, "escalated") == 1
