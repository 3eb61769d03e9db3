"""Two acts on a waiver's life at the same moment, with two real transactions: one wins, the other is told why."""

from __future__ import annotations

import time
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import transaction

from governance.accounts.models import User
from governance.accounts.rights import BREAK_GLASS
from governance.directives import services as directives
from governance.enforcement.decision import decide
from governance.enforcement.services import lifecycle
from governance.enforcement.services.waivers import renew_waiver
from governance.ledger.models import Entry
from governance.waivers.models import BreakGlass, ExceptionRequest, Waiver
from governance.waivers.services import revoke_waiver
from tests.conftest import REFERENCE, put_in_force
from tests.races import at_once
from tests.waivers.test_break_glass import ask, confirm
from tests.waivers.test_exceptions import approve, file
from tests.waivers.test_life import accept, accepting
from tests.waivers.test_races import refusals
from tests.waivers.test_version_in_force import activate, new_version

pytestmark = pytest.mark.django_db


def test_two_who_confirm_at_once_open_one_waiver(committed: None, act_as: Any) -> None:
    put_in_force(act_as)
    activate(act_as, waivable="company")
    User.objects.get(username="lucia").groups.add(Group.objects.get(name=BREAK_GLASS))
    asked, maren, lucia = ask(act_as("idris")), act_as("maren"), act_as("lucia")
    (refused,) = refusals(at_once(lambda: confirm(maren, asked), lambda: confirm(lucia, asked)))
    assert "opened already" in refused.reason
    assert (Waiver.objects.count(), Entry.objects.filter(action="break_glass.opened").count()) == (1, 1)


def test_two_that_were_asked_for_at_once_are_not_both_opened(committed: None, act_as: Any) -> None:
    """The review of the first comes before the second, whichever that is."""
    put_in_force(act_as)
    activate(act_as, waivable="company")
    first, second, maren, idris = ask(act_as("idris")), ask(act_as("maren")), act_as("maren"), act_as("idris")
    (refused,) = refusals(at_once(lambda: confirm(maren, first), lambda: confirm(idris, second)))
    assert "waits for its review" in refused.reason
    assert BreakGlass.objects.filter(confirmed_at__isnull=False).count() == Waiver.objects.count() == 1


def test_a_waiver_is_renewed_once_and_revoked_once(committed: None, act_as: Any) -> None:
    put_in_force(act_as)
    approve(act_as, file(act_as("hana")), "idris", "peter")
    pk, hana, maren = Waiver.objects.get().pk, act_as("hana"), act_as("maren")
    again = [lambda actor=actor: renew_waiver(actor=actor, waiver_id=pk) for actor in (hana, maren)]
    assert len(refusals(at_once(*again))) == 1
    assert ExceptionRequest.objects.filter(renews=pk).count() == 1
    ends = [
        lambda actor=actor: revoke_waiver(actor=actor, waiver_id=pk, reason="x")
        for actor in (act_as("lucia"), act_as("anjali"))
    ]
    assert len(refusals(at_once(*ends))) == 1
    assert Entry.objects.filter(action="waiver.revoked").count() == 1


def test_acceptance_against_a_version_that_ends_waivers_leaves_none(committed: None, act_as: Any) -> None:
    put_in_force(act_as)
    request = accepting(act_as)
    new_version(act_as, waivers="end")
    lucia = act_as("lucia")
    refusals(at_once(lambda: accept(act_as, request), lambda: lifecycle.activate(actor=lucia, reference=REFERENCE)))
    assert decide("p009", "fable-5", "use").code == "directive"
    assert not Waiver.objects.filter(ended_at=None).exists()


def test_a_confirmation_and_whoever_refers_to_its_account_meanwhile_do_not_wait_for_each_other(
    committed: None, act_as: Any
) -> None:
    """A request about the directive keeps the accounts that it covers: rows that refer to them."""
    put_in_force(act_as)
    activate(act_as, waivable="company")
    asked, maren = ask(act_as("idris")), act_as("maren")

    def refer() -> None:
        with transaction.atomic():
            directives.lock(REFERENCE)
            time.sleep(1)
            list(User.objects.raw("SELECT * FROM accounts_user WHERE id = %s FOR KEY SHARE", [maren.user.pk]))

    def confirm_meanwhile() -> Any:
        time.sleep(0.3)
        return confirm(maren, asked)

    assert [type(done).__name__ for done in at_once(refer, confirm_meanwhile)] == ["NoneType", "Waiver"]
