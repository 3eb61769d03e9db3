"""Two real transactions on one directive at the same moment: one order or the other, never both halves and never a failure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection, transaction

from governance.directives import services as directives
from governance.directives.content import DirectiveStatement, VersionStatement
from governance.directives.models import Directive
from governance.enforcement import locks
from governance.enforcement.models import PreviewMember, Restriction, Run, StoredPreview
from governance.enforcement.services import lifecycle, runs
from governance.errors import Refused
from governance.ledger.models import Entry
from tests.conftest import REFERENCE, put_in_force
from tests.directives.steps import (
    WIDER,
    approved,
    ask,
    emergency,
    end_term,
    find,
    new_version,
    pause,
    states,
    submit,
    vote,
)
from tests.races import at_once


class Race:
    """Acts with their actors looked up before the race begins."""

    def __init__(self, act_as: Any) -> None:
        self.act_as = act_as

    def vote(self, who: str, verdict: str = "approve", reference: str = REFERENCE) -> Callable[[], Any]:
        actor = self.act_as(who)
        return lambda: lifecycle.vote(actor=actor, reference=reference, verdict=verdict)

    def emergency(self, who: str) -> Callable[[], Any]:
        actor = self.act_as(who)
        return lambda: lifecycle.activate(actor=actor, reference=REFERENCE, emergency=True, reason="at once")

    def activate(self, who: str = "lucia") -> Callable[[], Any]:
        actor = self.act_as(who)
        return lambda: lifecycle.activate(actor=actor, reference=REFERENCE)

    def submit(self, who: str = "tomas") -> Callable[[], Any]:
        actor = self.act_as(who)
        return lambda: lifecycle.submit(actor=actor, reference=REFERENCE)

    def ask(self, who: str, act: str) -> Callable[[], Any]:
        actor = self.act_as(who)
        return lambda: lifecycle.ask(actor=actor, reference=REFERENCE, act=act, reason="x")

    def draft(self, who: str) -> Callable[[], Any]:
        actor = self.act_as(who)
        return lambda: directives.draft_new_version(actor=actor, reference=REFERENCE)

    def edit(self, who: str = "anjali", **changes: Any) -> Callable[[], Any]:
        actor = self.act_as(who)
        statement = VersionStatement.of(directives.draft_of(find()))
        changed = VersionStatement(**{**statement.__dict__, **changes})
        return lambda: directives.edit_draft(actor=actor, reference=REFERENCE, statement=changed)

    def escalate(self) -> Callable[[], Any]:
        actor = self.act_as("lucia")
        return lambda: lifecycle.escalate_unconfirmed(actor=actor)

    def follow_clock(self) -> Callable[[], Any]:
        actor = self.act_as("lucia")
        return lambda: runs.start_due(actor=actor)


@pytest.fixture
def race(committed: None, act_as: Any) -> Race:
    return Race(act_as)


def outcomes(results: list[Any]) -> list[bool]:
    """Which acts were done; the others were refused, in words."""
    for result in results:
        assert not isinstance(result, Exception) or isinstance(result, Refused), repr(result)
    return [not isinstance(result, Exception) for result in results]


def consistent() -> None:
    """What must hold after any race: versions and directive agree, and restrictions are what the rules say."""
    for directive in Directive.objects.select_related("version_in_force"):
        alive = directive.state in ("active", "suspended")
        in_force = directive.versions.filter(state="in_force")
        assert list(in_force) == ([directive.version_in_force] if alive else [])
    for run in Run.objects.filter(state__in=["queued", "running"]):
        runs.complete(run_id=run.pk, worker="test")
    assert runs.measure_drift()[0].total == 0


# -- before it is in force -------------------------------------------------------------------------------------------------


def test_approval_against_rejection_has_one_winner(race: Race) -> None:
    submit(race.act_as)
    done = outcomes(at_once(race.vote("peter"), race.vote("maren", "reject")))
    assert sum(done) == 1
    assert states() == ([(1, "approved")] if done[0] else [(1, "rejected"), (2, "draft")])


def test_two_emergencies_at_once_are_one(race: Race) -> None:
    assert sum(outcomes(at_once(race.emergency("lucia"), race.emergency("tomas")))) == 1
    assert Entry.objects.filter(action="directive.activated").count() == 1
    consistent()


def test_an_emergency_against_the_approval_of_the_same_version_leaves_one_outcome(race: Race) -> None:
    submit(race.act_as)
    done = outcomes(at_once(race.emergency("tomas"), race.vote("peter")))
    assert done in ([True, False], [False, True])
    assert find().state == ("active" if done[0] else "approved")
    assert find().to_be_confirmed == done[0]
    consistent()


def test_an_emergency_against_the_submission_of_the_same_draft_wins_in_the_end(race: Race) -> None:
    done = outcomes(at_once(race.emergency("lucia"), race.submit("tomas")))
    assert done[0]
    assert states() == [(1, "in_force")]
    assert find().to_be_confirmed
    consistent()


def test_an_edit_against_a_submission_is_in_it_or_refused(race: Race) -> None:
    edit, send = at_once(race.edit(rule=WIDER), race.submit())
    assert outcomes([edit, send])[1]
    version = find().versions.get()
    assert (version.rule == WIDER) == (not isinstance(edit, Exception))
    stored = StoredPreview.objects.get()
    assert stored.figures["covered"] + stored.figures["unknown"] == PreviewMember.objects.count()


def test_a_submission_against_a_change_of_people_stores_those_it_counted(race: Race) -> None:
    def change_people() -> Any:
        with transaction.atomic(), connection.cursor() as cursor:
            locks.change_people()
            cursor.execute(
                "UPDATE people_person SET citizenships = '{GB}' WHERE id IN ('p001', 'p002', 'p003', 'p004')"
            )

    assert all(outcomes(at_once(race.submit(), change_people)))
    stored = StoredPreview.objects.get()
    assert stored.figures["covered"] + stored.figures["unknown"] == PreviewMember.objects.count()


def test_directives_of_one_reference_created_at_once_are_one(race: Race) -> None:
    actor = race.act_as("anjali")
    stated = DirectiveStatement("R-1", "Pause", VersionStatement(rule=True), kind="pause")
    create = lambda: directives.create_directive(actor=actor, statement=stated)  # noqa: E731
    assert sum(outcomes(at_once(create, create, create))) == 1


# -- the confirmation ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["confirm", "escalate", "emergency"])
def test_a_confirmation_races_with_another_with_the_clock_and_with_the_next_emergency(other: str, race: Race) -> None:
    emergency(race.act_as)
    against = {"confirm": race.vote("maren"), "escalate": race.escalate(), "emergency": None}[other]
    if other == "escalate":
        Directive.objects.filter(reference=REFERENCE).update(confirm_by=find().activated_at)
    if other == "emergency":
        new_version(race.act_as, rule=WIDER)
        against = race.emergency("tomas")
    assert against is not None
    done = outcomes(at_once(race.vote("peter"), against))
    if other == "confirm":
        assert sum(done) == 1
    else:
        assert done[1]
    if other == "emergency":
        assert find().to_be_confirmed, "whatever came first, the second emergency is confirmed by nobody yet"
    else:
        assert not find().to_be_confirmed
    consistent()


# -- in force --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["suspension", "resumption", "rescission"])
def test_two_approvers_at_once_carry_an_act_out_once(act: str, race: Race) -> None:
    put_in_force(race.act_as)
    if act == "resumption":
        ask(race.act_as, "suspension")
        vote(race.act_as, "idris")
        assert sum(outcomes(at_once(race.ask("lucia", act), race.ask("tomas", act)))) == 1
    else:
        ask(race.act_as, act)
    before = Run.objects.count()
    assert sum(outcomes(at_once(race.vote("idris"), race.vote("maren")))) == 1
    assert Run.objects.count() == before + 1
    assert find().state == {"suspension": "suspended", "resumption": "active", "rescission": "rescinded"}[act]
    consistent()


@pytest.mark.parametrize("act", ["suspension", "rescission"])
def test_an_act_approved_while_a_new_version_is_activated_has_one_winner(act: str, race: Race) -> None:
    put_in_force(race.act_as)
    new_version(race.act_as, rule=WIDER)
    approved(race.act_as)
    ask(race.act_as, act)
    voted, activated = outcomes(at_once(race.vote("idris"), race.activate()))
    assert voted != activated, "the vote was on version 1 only"
    if activated:
        assert (find().state, find().version_in_force.number) == ("active", 2)
    else:
        assert find().state == ("suspended" if act == "suspension" else "rescinded")
    consistent()


@pytest.mark.parametrize("act", ["suspension", "rescission"])
def test_a_replacement_against_an_act_on_what_it_replaces_leaves_no_gap(act: str, race: Race) -> None:
    pause(race.act_as, replaced=True)
    approved(race.act_as)
    ask(race.act_as, act, reference="PAUSE-1")
    activated, voted = outcomes(at_once(race.activate(), race.vote("idris", reference="PAUSE-1")))
    assert activated or act == "rescission"
    assert not (activated and voted and act == "rescission")
    assert find("PAUSE-1").state == "rescinded"
    assert find().state == ("active" if activated else "approved")
    consistent()


def test_two_new_drafts_at_once_are_one(race: Race) -> None:
    put_in_force(race.act_as)
    assert sum(outcomes(at_once(race.draft("lucia"), race.draft("anjali")))) == 1
    assert states() == [(1, "in_force"), (2, "draft")]


def test_a_new_draft_against_the_activation_of_the_approved_version_leaves_one_on_its_way(race: Race) -> None:
    approved(race.act_as)
    drafted, activated = outcomes(at_once(race.draft("anjali"), race.activate()))
    assert drafted
    assert states() == [(1, "in_force" if activated else "withdrawn"), (2, "draft")]
    assert find().state == ("active" if activated else "draft")
    consistent()


@pytest.mark.parametrize("other", ["clock", "activation", "suspension"])
def test_the_clock_ends_a_directive_once_whatever_else_happens(other: str, race: Race) -> None:
    put_in_force(race.act_as)
    if other == "activation":
        new_version(race.act_as, rule=WIDER)
        approved(race.act_as)
    if other == "suspension":
        ask(race.act_as, "suspension")
    end_term()
    against = {"clock": race.follow_clock(), "activation": race.activate(), "suspension": race.vote("idris")}[other]
    done = outcomes(at_once(race.follow_clock(), against))
    assert done == [True, other == "clock"], "what has ended by the clock is neither activated nor suspended"
    assert find().state == "expired"
    assert Entry.objects.filter(action="directive.expired").count() == 1
    consistent()
    assert not Restriction.objects.exists()
