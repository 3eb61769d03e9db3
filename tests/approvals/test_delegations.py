"""Deciding for somebody else: one's own right first, never onward, for a time, and over at once when it is revoked."""

from __future__ import annotations

from datetime import timedelta

import pytest

from governance.accounts.rights import COUNSEL, LEAD
from governance.approvals import eligibility, queries, services
from governance.errors import Invalid, NotFound, PermissionRefused, WrongState
from governance.ledger.models import Entry
from governance.moments import now
from tests.approvals.engine import act, ask, decide, delegate, person, policy, user
from tests.clock import moved_clock

pytestmark = pytest.mark.django_db


def test_a_delegate_decides_for_whom_they_were_asked_to_and_the_record_names_both(db: None) -> None:
    delegate("peter", "tomas")
    policy({"name": "Counsel", "groups": [COUNSEL]})
    request = ask()
    assert request in queries.inbox(user("tomas"))
    assert decide(request, "tomas").state == "approved"
    assert request.votes.get().by == "Tomas Berg for Peter Osei"
    assert '"for":"peter"' in Entry.objects.get(action="approval.voted", subject=f"approval:{request.pk}").record


def test_ones_own_right_comes_first(db: None) -> None:
    delegate("idris", "maren")
    request = ask()
    decide(request, "maren")
    assert request.votes.get().on_behalf_of is None


def test_what_was_delegated_is_not_passed_on(db: None) -> None:
    delegate("peter", "tomas")
    delegate("tomas", "teo")
    policy({"name": "Counsel", "groups": [COUNSEL]})
    request = ask()
    assert request not in queries.inbox(user("teo"))
    with pytest.raises(PermissionRefused, match="not an approver"):
        decide(request, "teo")


def test_a_revoked_delegation_is_over_at_once_also_in_the_inbox(db: None) -> None:
    held = delegate("peter", "tomas")
    policy({"name": "Counsel", "groups": [COUNSEL]})
    request = ask()
    services.revoke(actor=act("peter"), delegation_id=held.pk)
    assert eligibility.principals(user("tomas")) == []
    assert request not in queries.inbox(user("tomas"))
    with pytest.raises(PermissionRefused):
        decide(request, "tomas")


def test_a_decision_made_in_time_counts_on_after_the_delegation_ended(db: None) -> None:
    person("second", LEAD)
    held = delegate("idris", "tomas")
    policy({"name": "Two", "groups": [LEAD], "quorum": 2})
    request = ask()
    decide(request, "tomas")
    services.revoke(actor=act("tomas"), delegation_id=held.pk)
    assert decide(request, "second").state == "approved"


def test_a_delegation_runs_from_its_first_moment_to_its_last(db: None) -> None:
    with moved_clock() as clock:
        delegate("peter", "tomas", begins=1, hours=2)
        seen = []
        for _ in range(4):
            seen.append([str(each) for each in eligibility.principals(user("tomas"))])
            clock.pass_time(hours=1, seconds=1)
        assert seen == [[], ["Peter Osei"], ["Peter Osei"], []]


@pytest.mark.parametrize("who", ["peter", "tomas", "admin"])
def test_it_is_revoked_by_either_of_the_two_or_an_administrator_and_once(who: str) -> None:
    held = delegate("peter", "tomas")
    for other in ("idris", "auditor"):
        with pytest.raises(NotFound):
            services.revoke(actor=act(other), delegation_id=held.pk)
    services.revoke(actor=act(who), delegation_id=held.pk)
    with pytest.raises(WrongState, match="ended already"):
        services.revoke(actor=act("peter"), delegation_id=held.pk)


def test_what_is_wrong_with_a_delegation_is_said_by_field(db: None) -> None:
    moment = now()
    cases = [
        ({"to": user("peter")}, "delegate"), ({"ends_at": moment - timedelta(hours=1)}, "ends_at"),
        ({"ends_at": moment + timedelta(days=61)}, "ends_at"),
        ({"starts_at": moment - timedelta(hours=1)}, "starts_at"), ({"reason": "  "}, "reason"), ({"reason": "x" * 201}, "reason"),
    ]  # fmt: skip
    for changes, field in cases:
        values = {
            "to": user("tomas"), "starts_at": moment, "ends_at": moment + timedelta(days=1), "reason": "away",
        } | changes  # fmt: skip
        with pytest.raises(Invalid) as refused:
            services.delegate(actor=act("peter"), **values)
        assert [name for name, _ in refused.value.errors] == [field]
    delegate("peter", "tomas")
    with pytest.raises(WrongState, match="decides for you in that time already"):
        delegate("peter", "tomas", begins=1)
