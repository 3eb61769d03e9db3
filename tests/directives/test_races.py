"""Two real transactions on one directive at the same moment: one order or the other, never both halves and never a failure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import pytest
from django.db import connection, connections, transaction

from governance.approvals import services as approvals
from governance.directives import services as directives
from governance.directives.content import DirectiveStatement, VersionStatement
from governance.directives.models import Directive
from governance.enforcement import locks
from governance.enforcement.models import PreviewMember, Restriction, StoredPreview
from governance.enforcement.services import lifecycle, runs
from governance.errors import Refused
from governance.ledger.models import Entry
from governance.people.models import Person
from tests.conftest import _maintenance
from tests.directives.steps import (
    WIDER,
    activate,
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

pytestmark = pytest.mark.django_db


class Race:
    """One directive of its own, a draft with the scenario's content, and acts whose actors are looked up before they race."""

    def __init__(self, act_as: Any, reference: str) -> None:
        self.act_as, self.reference = act_as, reference
        stated = VersionStatement.of(find().versions.get(number=1))
        directives.create_directive(
            actor=act_as("anjali"), statement=DirectiveStatement(reference, "Race", stated, authority="U.S. government")
        )

    def find(self) -> Directive:
        return find(self.reference)

    def states(self) -> list[tuple[int, str]]:
        return states(self.reference)

    def put_in_force(self) -> None:
        approved(self.act_as, self.reference)
        done = activate(self.act_as, reference=self.reference)
        runs.complete(run_id=done.run.pk, worker="test")

    def entries(self, action: str) -> int:
        return Entry.objects.filter(action=action, subject=self.find().subject).count()

    def members(self) -> int:
        return PreviewMember.objects.filter(version_id__in=self.find().versions.values("pk")).count()

    def vote(self, who: str, verdict: str = "approve", reference: str = "") -> Callable[[], Any]:
        actor = self.act_as(who)
        named = reference or self.reference
        seen = approvals.open_digest(f"directive:{named}")  # as the page shows it before both begin
        return lambda: lifecycle.vote(actor=actor, reference=named, verdict=verdict, seen=seen or None)

    def emergency(self, who: str) -> Callable[[], Any]:
        actor = self.act_as(who)
        return lambda: lifecycle.activate(actor=actor, reference=self.reference, emergency=True, reason="at once")

    def activate(self, who: str = "lucia") -> Callable[[], Any]:
        actor = self.act_as(who)
        return lambda: lifecycle.activate(actor=actor, reference=self.reference)

    def submit(self, who: str = "tomas") -> Callable[[], Any]:
        actor = self.act_as(who)
        return lambda: lifecycle.submit(actor=actor, reference=self.reference)

    def ask(self, who: str, act: str) -> Callable[[], Any]:
        actor = self.act_as(who)
        return lambda: lifecycle.ask(actor=actor, reference=self.reference, act=act, reason="x")

    def draft(self, who: str) -> Callable[[], Any]:
        actor = self.act_as(who)
        return lambda: directives.draft_new_version(actor=actor, reference=self.reference)

    def edit(self, who: str = "anjali", **changes: Any) -> Callable[[], Any]:
        actor = self.act_as(who)
        statement = VersionStatement.of(directives.draft_of(self.find()))
        changed = VersionStatement(**{**statement.__dict__, **changes})
        return lambda: directives.edit_draft(actor=actor, reference=self.reference, statement=changed)

    def escalate(self) -> Callable[[], Any]:
        actor = self.act_as("lucia")
        return lambda: lifecycle.escalate_unconfirmed(actor=actor)

    def follow_clock(self) -> Callable[[], Any]:
        actor = self.act_as("lucia")
        return lambda: runs.start_due(actor=actor)


@pytest.fixture(scope="module")
def committed(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """Real commits; one database serves all races, each on a directive of its own. Afterwards it is what it was."""
    from governance.enforcement import policy

    with django_db_blocker.unblock():
        policy.forget()
        try:
            yield
        finally:
            name = connection.settings_dict["NAME"]
            connections.close_all()
            with _maintenance() as admin:
                admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
                admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{name}_template"')
            policy.forget()


_numbers = count(1)


@pytest.fixture
def race(committed: None, act_as: Any) -> Race:
    return Race(act_as, f"RACE-{next(_numbers):03}")


def outcomes(results: list[Any]) -> list[bool]:
    """Which acts were done; the others were refused, in words."""
    for result in results:
        assert not isinstance(result, Exception) or isinstance(result, Refused), repr(result)
    return [not isinstance(result, Exception) for result in results]


def consistent(race: Race) -> None:
    """What must hold after any race: versions and directive agree, and restrictions are what the rules say."""
    for directive in Directive.objects.filter(reference__endswith=race.reference).select_related("version_in_force"):
        alive = directive.state in ("active", "suspended")
        in_force = directive.versions.filter(state="in_force")
        assert list(in_force) == ([directive.version_in_force] if alive else [])
        for run in directive.runs.filter(state__in=["queued", "running"]):
            runs.complete(run_id=run.pk, worker="test")
        assert runs.drift_of(directive).total == 0


# -- before it is in force -------------------------------------------------------------------------------------------------


def test_approval_against_rejection_has_one_winner(race: Race) -> None:
    submit(race.act_as, reference=race.reference)
    done = outcomes(at_once(race.vote("peter"), race.vote("maren", "reject")))
    assert sum(done) == 1
    assert race.states() == ([(1, "approved")] if done[0] else [(1, "rejected"), (2, "draft")])


def test_two_emergencies_at_once_are_one(race: Race) -> None:
    assert sum(outcomes(at_once(race.emergency("lucia"), race.emergency("tomas")))) == 1
    assert race.entries("directive.activated") == 1
    consistent(race)


def test_an_emergency_against_the_approval_of_the_same_version_leaves_one_outcome(race: Race) -> None:
    submit(race.act_as, reference=race.reference)
    done = outcomes(at_once(race.emergency("tomas"), race.vote("peter")))
    assert done in ([True, False], [False, True])
    assert race.find().state == ("active" if done[0] else "approved")
    assert race.find().to_be_confirmed == done[0]
    consistent(race)


def test_an_emergency_against_the_submission_of_the_same_draft_wins_in_the_end(race: Race) -> None:
    done = outcomes(at_once(race.emergency("lucia"), race.submit("tomas")))
    assert done[0]
    assert race.states() == [(1, "in_force")]
    assert race.find().to_be_confirmed
    consistent(race)


def test_an_edit_against_a_submission_is_in_it_or_refused(race: Race) -> None:
    edit, send = at_once(race.edit(rule=WIDER), race.submit())
    assert outcomes([edit, send])[1]
    version = race.find().versions.get()
    assert (version.rule == WIDER) == (not isinstance(edit, Exception))
    stored = StoredPreview.objects.get(version__directive=race.find())
    assert stored.figures["covered"] + stored.figures["unknown"] == race.members()


def test_a_submission_against_a_change_of_people_stores_those_it_counted(race: Race) -> None:
    def change_people(citizenship: str = "GB") -> None:
        with transaction.atomic():
            locks.change_people()
            Person.objects.filter(pk__in=["p001", "p002", "p004"]).update(citizenships=[citizenship])

    assert all(outcomes(at_once(race.submit(), change_people)))
    change_people("US")
    stored = StoredPreview.objects.get(version__directive=race.find())
    assert stored.figures["covered"] + stored.figures["unknown"] == race.members()


def test_directives_of_one_reference_created_at_once_are_one(race: Race) -> None:
    actor = race.act_as("anjali")
    stated = DirectiveStatement("R-1", "Pause", VersionStatement(rule=True), kind="pause")
    create = lambda: directives.create_directive(actor=actor, statement=stated)  # noqa: E731
    assert sum(outcomes(at_once(create, create, create))) == 1


# -- the confirmation ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("other", ["confirm", "escalate", "emergency"])
def test_a_confirmation_races_with_another_with_the_clock_and_with_the_next_emergency(other: str, race: Race) -> None:
    emergency(race.act_as, reference=race.reference)
    against = {"confirm": race.vote("maren"), "escalate": race.escalate(), "emergency": None}[other]
    if other == "escalate":
        Directive.objects.filter(reference=race.reference).update(confirm_by=race.find().activated_at)
    if other == "emergency":
        new_version(race.act_as, reference=race.reference, rule=WIDER)
        against = race.emergency("tomas")
    assert against is not None
    done = outcomes(at_once(race.vote("peter"), against))
    if other == "confirm":
        assert sum(done) == 1
    else:
        assert done[1]
    if other == "emergency":
        assert race.find().to_be_confirmed, "whatever came first, the second emergency is confirmed by nobody yet"
    else:
        assert not race.find().to_be_confirmed
    consistent(race)


# -- in force --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("act", ["suspension", "resumption", "rescission"])
def test_two_approvers_at_once_carry_an_act_out_once(act: str, race: Race) -> None:
    race.put_in_force()
    if act == "resumption":
        ask(race.act_as, "suspension", reference=race.reference)
        vote(race.act_as, "idris", reference=race.reference)
        assert sum(outcomes(at_once(race.ask("lucia", act), race.ask("tomas", act)))) == 1
    else:
        ask(race.act_as, act, reference=race.reference)
    before = race.find().runs.count()
    assert sum(outcomes(at_once(race.vote("idris"), race.vote("maren")))) == 1
    assert race.find().runs.count() == before + 1
    assert race.find().state == {"suspension": "suspended", "resumption": "active", "rescission": "rescinded"}[act]
    consistent(race)


@pytest.mark.parametrize("act", ["suspension", "rescission"])
def test_an_act_approved_while_a_new_version_is_activated_has_one_winner(act: str, race: Race) -> None:
    race.put_in_force()
    new_version(race.act_as, reference=race.reference, rule=WIDER)
    approved(race.act_as, race.reference)
    ask(race.act_as, act, reference=race.reference)
    voted, activated = outcomes(at_once(race.vote("idris"), race.activate()))
    assert voted != activated, "the vote was on version 1 only"
    if activated:
        assert (race.find().state, race.find().version_in_force.number) == ("active", 2)
    else:
        assert race.find().state == ("suspended" if act == "suspension" else "rescinded")
    consistent(race)


@pytest.mark.parametrize("act", ["suspension", "rescission"])
def test_a_replacement_against_an_act_on_what_it_replaces_leaves_no_gap(act: str, race: Race) -> None:
    name = f"PAUSE-{race.reference}"
    pause(race.act_as, replaced=True, name=name, reference=race.reference)
    approved(race.act_as, race.reference)
    ask(race.act_as, act, reference=name)
    activated, voted = outcomes(at_once(race.activate(), race.vote("idris", reference=name)))
    assert activated or act == "rescission"
    assert not (activated and voted and act == "rescission")
    assert find(name).state == "rescinded"
    assert race.find().state == ("active" if activated else "approved")
    consistent(race)


def test_two_new_drafts_at_once_are_one(race: Race) -> None:
    race.put_in_force()
    assert sum(outcomes(at_once(race.draft("lucia"), race.draft("anjali")))) == 1
    assert race.states() == [(1, "in_force"), (2, "draft")]


def test_a_new_draft_against_the_activation_of_the_approved_version_leaves_one_on_its_way(race: Race) -> None:
    approved(race.act_as, race.reference)
    drafted, activated = outcomes(at_once(race.draft("anjali"), race.activate()))
    assert drafted
    assert race.states() == [(1, "in_force" if activated else "withdrawn"), (2, "draft")]
    assert race.find().state == ("active" if activated else "draft")
    consistent(race)


@pytest.mark.parametrize("other", ["clock", "activation", "suspension"])
def test_the_clock_ends_a_directive_once_whatever_else_happens(other: str, race: Race) -> None:
    race.put_in_force()
    if other == "activation":
        new_version(race.act_as, reference=race.reference, rule=WIDER)
        approved(race.act_as, race.reference)
    if other == "suspension":
        ask(race.act_as, "suspension", reference=race.reference)
    end_term(race.reference)
    against = {"clock": race.follow_clock(), "activation": race.activate(), "suspension": race.vote("idris")}[other]
    done = outcomes(at_once(race.follow_clock(), against))
    assert done == [True, other == "clock"], "what has ended by the clock is neither activated nor suspended"
    assert race.find().state == "expired"
    assert race.entries("directive.expired") == 1
    consistent(race)
    assert not Restriction.objects.filter(directive=race.find()).exists()
