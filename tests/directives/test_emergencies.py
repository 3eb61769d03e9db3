"""Emergencies: what one operator may do alone, and the second person who is owed afterwards."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from governance.accounts.models import User
from governance.approvals import queries as approvals
from governance.approvals.models import Request
from governance.directives import services as directives
from governance.directives.content import DirectiveStatement, Reader, VersionStatement
from governance.directives.models import Directive
from governance.enforcement import candidates, previews
from governance.enforcement.decision import decide
from governance.enforcement.services import lifecycle
from governance.enforcement.services.exceptions import file_exception
from governance.errors import PermissionRefused, Refused, WrongState
from governance.waivers.services import decide_exception
from tests.conftest import REFERENCE
from tests.directives.steps import (
    NARROWER,
    WIDER,
    activate,
    approved,
    ask,
    change,
    emergency,
    find,
    new_version,
    pause,
    submit,
    vote,
)

pytestmark = pytest.mark.django_db
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"expires_at": -24 * HOUR}, "lies in the past"),
        ({"expires_at": 24 * HOUR}, "term would end before"),
        ({"effective_at": 24 * HOUR}, "lies ahead"),
        ({"rule": NARROWER}, "deny to permit"),
        ({"effect": "monitor"}, "monitor"),
    ],
)
def test_no_emergency_lifts_an_order_now_or_by_its_dates(changes: Any, why: str, act_as: Any, in_force: Any) -> None:
    moments = {name: timezone.now() + value for name, value in changes.items() if isinstance(value, timedelta)}
    new_version(act_as, who="lucia", **{**changes, **moments})
    with pytest.raises(Refused, match=why):
        emergency(act_as)
    assert find().version_in_force.number == 1
    assert not decide("p009", "fable-5", "use").permit


def test_an_emergency_does_not_take_effect_later(act_as: Any) -> None:
    change(act_as, effective_at=timezone.now() + HOUR)
    with pytest.raises(Refused, match="takes effect later"):
        emergency(act_as)


def test_an_emergency_ends_no_pause_and_nothing_that_is_suspended(act_as: Any) -> None:
    pause(act_as, replaced=True)
    with pytest.raises(Refused, match="deny to permit"):
        emergency(act_as)
    ask(act_as, "suspension", reference="PAUSE-1")
    vote(act_as, "idris", reference="PAUSE-1")
    with pytest.raises(Refused, match="which is suspended"):
        emergency(act_as)


def verifying(act_as: Any) -> None:
    """The order in force with 72 hours to verify, its run of no interest."""
    Directive.objects.filter(reference=REFERENCE).update(comply_immediately=False)
    change(act_as, on_unknown_then="verify", on_unknown_hours=72)
    approved(act_as)
    activate(act_as)


def test_a_verify_clock_that_ran_out_counts_in_preview_and_emergency(act_as: Any) -> None:
    verifying(act_as)
    Directive.objects.filter(reference=REFERENCE).update(verify_deadline=timezone.now() - HOUR)
    assert decide("p014", "fable-5", "use").code == "directive_unknown"
    new_version(act_as, rule=WIDER)
    preview = previews.preview_of(candidates.of_version(find().versions.get(state="draft")))
    assert (preview.decisions_regained, preview.to_verify) == (0, 0)
    emergency(act_as)
    assert decide("p014", "fable-5", "use").code == "directive_unknown"


def test_an_emergency_gives_nobody_a_longer_time_to_verify(act_as: Any) -> None:
    verifying(act_as)
    new_version(act_as, restart_verify=True, on_unknown_hours=100)
    with pytest.raises(Refused, match=r"would turn from deny to permit on \d{4}"):
        emergency(act_as)


def test_what_a_waiver_hides_is_no_way_around(act_as: Any) -> None:
    """Whom the new version lets through passes already, by waiver; without it, they would pass after its end, too."""
    (line,) = Reader.of_catalog().scope([{"model": "fable-5", "capabilities": ["use"]}], "scope")

    def covering(person: str) -> VersionStatement:
        return VersionStatement(rule={"attr": "person.id", "op": "is", "value": person}, scope=(line,))

    directives.create_directive(actor=act_as("anjali"), statement=DirectiveStatement("ONE", "One", covering("p009")))
    emergency(act_as, reference="ONE")
    vote(act_as, "idris", reference="ONE")
    filed = file_exception(
        actor=act_as("hana"), reference="ONE", person_id="p009", items=[("fable-5", "use")], days=10, reason="x"
    )
    for name in ("idris", "peter"):
        decide_exception(actor=act_as(name), exception_id=filed.pk, verdict="approve")
    assert decide("p009", "fable-5", "use").code == "waiver"
    directives.draft_new_version(actor=act_as("lucia"), reference="ONE")
    directives.edit_draft(actor=act_as("lucia"), reference="ONE", statement=covering("p001"))
    with pytest.raises(Refused, match="1 decisions of 1 people would turn from deny to permit when a waiver ends"):
        emergency(act_as, reference="ONE")


def test_what_another_directive_hides_until_it_ends_is_no_way_around(act_as: Any, in_force: Any) -> None:
    """A pause of one day denies everybody; the narrower order would let people through the day after."""
    stated = VersionStatement.of(find().version_in_force)
    pausing = replace(stated, rule=True, legal_basis="", expires_at=timezone.now() + 24 * HOUR)
    directives.create_directive(
        actor=act_as("anjali"), statement=DirectiveStatement("DAY", "One day", kind="pause", version=pausing)
    )
    emergency(act_as, reference="DAY")
    new_version(act_as, rule=NARROWER)
    with pytest.raises(Refused, match=r"would turn from deny to permit on \d{4}"):
        emergency(act_as)


# -- the confirmation ----------------------------------------------------------------------------------------------------


def test_neither_writer_nor_submitter_nor_activator_confirms(act_as: Any) -> None:
    change(act_as, who="idris")
    submit(act_as, "idris")
    emergency(act_as, "lucia")
    with pytest.raises(PermissionRefused, match="You wrote it"):
        vote(act_as, "idris")
    with pytest.raises(PermissionRefused, match="asked for it"):
        vote(act_as, "lucia")
    vote(act_as, "maren")
    assert not find().to_be_confirmed


def test_a_confirmation_cannot_be_withdrawn(act_as: Any) -> None:
    emergency(act_as)
    with pytest.raises(PermissionRefused, match="cannot be withdrawn"):
        lifecycle.withdraw(actor=act_as("lucia"), reference=REFERENCE)
    vote(act_as, "maren")


def test_a_refused_confirmation_escalates_stays_in_force_and_can_be_asked_again(act_as: Any) -> None:
    emergency(act_as)
    vote(act_as, "idris", "reject")
    directive = find()
    assert (directive.state, directive.to_be_confirmed) == ("active", True)
    assert directive.escalated_at is not None
    assert not decide("p009", "fable-5", "use").permit
    ask(act_as, "confirmation", "tomas")
    vote(act_as, "peter")
    assert not find().to_be_confirmed
    with pytest.raises(WrongState, match="no emergency activation to confirm"):
        ask(act_as, "confirmation", "tomas")


def test_who_put_it_in_force_does_not_confirm_what_somebody_else_asks_again(act_as: Any) -> None:
    submit(act_as, "tomas")
    emergency(act_as, "idris")
    vote(act_as, "maren", "reject")
    ask(act_as, "confirmation", "lucia")
    with pytest.raises(PermissionRefused, match="put it in force"):
        vote(act_as, "idris")


def test_one_emergency_after_another_does_not_put_the_confirmation_off(act_as: Any) -> None:
    emergency(act_as, "idris")
    soon = timezone.now() + timedelta(hours=23)
    Directive.objects.filter(reference=REFERENCE).update(confirm_by=soon)
    new_version(act_as, rule=WIDER)
    emergency(act_as, "tomas")
    assert find().confirm_by == soon
    assert Request.objects.filter(state="open").count() == 1


def test_who_began_a_chain_of_emergencies_confirms_none_of_it(act_as: Any) -> None:
    emergency(act_as, "idris")
    new_version(act_as, rule=WIDER)
    emergency(act_as, "tomas")
    with pytest.raises(PermissionRefused, match="put it in force"):
        vote(act_as, "idris")
    vote(act_as, "maren")


def test_an_approved_version_in_force_needs_no_confirmation_any_more(act_as: Any) -> None:
    emergency(act_as)
    vote(act_as, "idris", "reject")
    new_version(act_as, rule=WIDER)
    approved(act_as)
    activate(act_as)
    assert not find().to_be_confirmed
    assert lifecycle.escalate_unconfirmed(actor=act_as("lucia")) == 0


def test_an_emergency_that_ends_leaves_nothing_to_confirm(act_as: Any) -> None:
    emergency(act_as)
    vote(act_as, "idris", "reject")
    ask(act_as, "rescission")
    vote(act_as, "maren")
    assert not find().to_be_confirmed
    assert not approvals.inbox(User.objects.get(username="peter")).exists()
