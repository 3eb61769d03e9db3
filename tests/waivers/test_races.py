"""Two acts on exceptions at the same moment, with two real transactions: one wins, the other is told why."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from governance.accounts.services import deactivate, set_roles
from governance.approvals import services as approvals
from governance.approvals.models import Vote
from governance.directives.models import Directive
from governance.enforcement.decision import decide
from governance.enforcement.services import lifecycle
from governance.errors import Invalid, PermissionRefused, Refused, WrongState
from governance.waivers.models import ExceptionRequest, Licence, Waiver
from governance.waivers.services import decide_exception, open_waiting, register_licences
from tests.conftest import REFERENCE, put_in_force
from tests.races import at_once
from tests.waivers.test_exceptions import approve, file
from tests.waivers.test_version_in_force import licence, new_version, waiting

pytestmark = pytest.mark.django_db


def refusals(results: list[Any]) -> list[Any]:
    found = [result for result in results if isinstance(result, Exception)]
    assert all(isinstance(refusal, Refused) for refusal in found), found
    return found


def test_the_same_exception_filed_twice_at_once_is_filed_once(committed: None, act_as: Any) -> None:
    put_in_force(act_as)
    hana, maren = act_as("hana"), act_as("maren")
    (refused,) = refusals(at_once(lambda: file(hana), lambda: file(maren)))
    assert "still open" in refused.reason
    assert ExceptionRequest.objects.count() == 1


@pytest.mark.parametrize("verdicts", [("approve", "reject"), ("approve", "approve")])
def test_two_approvers_of_one_stage_decide_it_once(verdicts: tuple[str, str], committed: None, act_as: Any) -> None:
    """The second is in another stage by then, or before a closed request."""
    put_in_force(act_as)
    set_roles(actor=act_as("admin"), username="tomas", roles=["trust-and-safety lead"])
    request = file(act_as("hana"))
    acts = [
        lambda actor=act_as(name), verdict=verdict: decide_exception(
            actor=actor, exception_id=request.pk, verdict=verdict
        )
        for name, verdict in zip(("idris", "tomas"), verdicts, strict=True)
    ]
    assert len(refusals(at_once(*acts))) == 1
    votes = list(Vote.objects.filter(request__subject=request.subject).values_list("verdict", flat=True))
    request.refresh_from_db()
    assert len(votes) == 1
    assert request.state == ("rejected" if votes == ["reject"] else "open")


@pytest.mark.parametrize("first", ["approval", "other"])
@pytest.mark.parametrize("other", ["activation", "rescission"])
def test_the_last_approval_against_what_ends_waivers_leaves_no_waiver(
    other: str, first: str, committed: None, act_as: Any, monkeypatch: Any
) -> None:
    """Whichever comes first: a waiver that was opened is ended, a request that was not decided is closed."""
    put_in_force(act_as)
    request = file(act_as("hana"))
    approve(act_as, request, "idris")
    if other == "activation":
        new_version(act_as, waivable="never", waivers="end")
    else:
        lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act="rescission", reason="x")
    begun, peter, lucia, idris = threading.Event(), act_as("peter"), act_as("lucia"), act_as("idris")
    _pause_in(monkeypatch, "vote" if first == "approval" else "lock", begun)

    def last() -> Any:
        return decide_exception(actor=peter, exception_id=request.pk, verdict="approve")

    def ending() -> Any:
        if other == "activation":
            return lifecycle.activate(actor=lucia, reference=REFERENCE)
        return lifecycle.vote(actor=idris, reference=REFERENCE, verdict="approve")

    def second(act: Any) -> Any:
        begun.wait(10)
        return act()

    acts = (last, lambda: second(ending)) if first == "approval" else (ending, lambda: second(last))
    assert len(refusals(at_once(*acts))) == (0 if first == "approval" else 1)
    request.refresh_from_db()
    assert request.state == ("approved" if first == "approval" else "lapsed")
    directive = Directive.objects.get(reference=REFERENCE)
    if directive.state == "active":
        assert decide("p009", "fable-5", "use").code == "directive"
        assert not Waiver.objects.filter(ended_at=None).exists()
    else:
        assert decide("p009", "fable-5", "use").code == "audience"


def _pause_in(monkeypatch: Any, where: str, begun: threading.Event) -> None:
    """The first act holds its locks for a moment, in which the second begins."""
    from governance.directives import services as directives

    module = approvals if where == "vote" else directives
    real = getattr(module, where)

    def slow(*args: Any, **options: Any) -> Any:
        result = real(*args, **options)
        if not begun.is_set():
            begun.set()
            threading.Event().wait(0.3)
        return result

    monkeypatch.setattr(module, where, slow)


@pytest.mark.parametrize("act", ["recorded", "drawn on"])
def test_a_licence_is_recorded_once_and_drawn_on_once(act: str, committed: None, act_as: Any) -> None:
    put_in_force(act_as)
    request, directive = waiting(act_as), Directive.objects.get(reference=REFERENCE)
    peter, anjali = act_as("peter"), act_as("anjali")
    if act == "recorded":
        entry = licence()
        (refused,) = refusals(
            at_once(
                lambda: register_licences(actor=peter, directive=directive, entries=[entry]),
                lambda: register_licences(actor=anjali, directive=directive, entries=[entry]),
            )
        )
        assert isinstance(refused, Invalid)
        assert "a licence US-LIC-0700 already" in refused.reason
        assert Licence.objects.filter(reference="US-LIC-0700").count() == 1
    else:
        register_licences(actor=peter, directive=directive, entries=[licence(), licence(reference="US-LIC-0701")])
        (refused,) = refusals(
            at_once(
                lambda: open_waiting(actor=peter, exception_id=request.pk, licence="US-LIC-0700"),
                lambda: open_waiting(actor=anjali, exception_id=request.pk, licence="US-LIC-0701"),
            )
        )
        assert isinstance(refused, WrongState)
    assert Waiver.objects.count() == 1


@pytest.mark.parametrize("loss", ["deactivated", "without the role"])
def test_an_account_that_loses_its_role_at_this_moment_decides_nothing_more(
    loss: str, committed: None, act_as: Any, monkeypatch: Any
) -> None:
    """The vote begins while the change is not committed yet. It waits for it, and then counts no more."""
    from governance.ledger import services as ledger

    put_in_force(act_as)
    request = file(act_as("hana"))
    changed, real = threading.Event(), ledger.append

    def append(**options: Any) -> Any:
        if options["action"].startswith("account."):
            changed.set()
            threading.Event().wait(0.3)
        return real(**options)

    monkeypatch.setattr(ledger, "append", append)
    admin, idris = act_as("admin"), act_as("idris")

    def lose() -> Any:
        if loss == "deactivated":
            return deactivate(actor=admin, username="idris")
        return set_roles(actor=admin, username="idris", roles=["executive"])

    def vote() -> Any:
        changed.wait(10)
        return decide_exception(actor=idris, exception_id=request.pk, verdict="approve")

    (refused,) = refusals(at_once(lose, vote))
    assert isinstance(refused, PermissionRefused)
    assert not Vote.objects.filter(request__subject=request.subject).exists()
