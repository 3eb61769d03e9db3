"""States: every act reads one table, a directive that has ended stays so, and one version at most is on its way."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from governance.accounts.models import User
from governance.approvals import queries as approvals
from governance.approvals.models import Request
from governance.directives import services as directives
from governance.directives.content import DirectiveStatement, VersionStatement
from governance.directives.models import Directive, DirectiveVersion
from governance.enforcement import queries
from governance.enforcement.decision import decide
from governance.enforcement.models import PreviewMember, Restriction, Run
from governance.enforcement.services import lifecycle, runs
from governance.errors import Invalid, WrongState
from governance.ledger.models import Entry
from tests.conftest import REFERENCE
from tests.directives.steps import (
    NARROWER,
    WIDER,
    activate,
    approved,
    ask,
    change,
    emergency,
    end_term,
    find,
    new_version,
    pause,
    states,
    submit,
    vote,
)

pytestmark = pytest.mark.django_db


def test_nothing_is_done_to_a_directive_that_has_ended(act_as: Any, in_force: Any) -> None:
    new_version(act_as)
    ask(act_as, "rescission")
    vote(act_as, "idris")
    for attempt in (submit, emergency, activate, new_version, change):
        with pytest.raises(WrongState, match="is rescinded"):
            attempt(act_as)
    for act in ("suspension", "resumption", "rescission", "confirmation"):
        with pytest.raises(WrongState, match="is rescinded"):
            ask(act_as, act)


@pytest.mark.parametrize("decided", [False, True])
def test_a_version_on_its_way_is_withdrawn_with_its_request_when_the_directive_is_replaced(
    decided: bool, act_as: Any
) -> None:
    pause(act_as, replaced=True)
    approved(act_as)
    directives.draft_new_version(actor=act_as("anjali"), reference="PAUSE-1")
    submit(act_as, reference="PAUSE-1")
    if decided:
        vote(act_as, reference="PAUSE-1")
    activate(act_as)
    assert find("PAUSE-1").state == "rescinded"
    assert states("PAUSE-1") == [(1, "ended"), (2, "withdrawn")]
    for name in ("idris", "peter", "maren"):
        assert not approvals.inbox(User.objects.get(username=name)).exists()


def test_a_request_about_a_directive_that_was_replaced_waits_in_no_inbox(act_as: Any) -> None:
    pause(act_as, replaced=True)
    approved(act_as)
    ask(act_as, "suspension", reference="PAUSE-1")
    activate(act_as)
    with pytest.raises(WrongState, match="No request"):
        vote(act_as, "idris", reference="PAUSE-1")
    assert not approvals.inbox(User.objects.get(username="idris")).exists()
    assert Entry.objects.filter(action="approval.set_aside").count() == 1


def test_an_act_in_a_state_the_table_does_not_have_is_refused_in_words(act_as: Any, in_force: Any) -> None:
    directive, request = find(), Request.objects.get()
    with transaction.atomic(), pytest.raises(WrongState, match="is active; it cannot be resumed"):
        directives.resume(actor=act_as("lucia"), directive=directive, request=request)
    version = directive.version_in_force
    with transaction.atomic(), pytest.raises(WrongState, match="Version 1 .* is in force; it cannot become approved"):
        directives.approve(actor=act_as("lucia"), directive=directive, version=version, request=request)


def test_what_a_trigger_refuses_comes_back_as_words(act_as: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    submit(act_as)
    monkeypatch.setattr(directives, "check", lambda directive, act: directive.state)
    monkeypatch.setattr(directives, "draft_of", lambda directive: directive.versions.get())
    with pytest.raises(WrongState, match="a version is immutable once submitted"):
        directives.edit_draft(
            actor=act_as("anjali"), reference=REFERENCE, statement=VersionStatement(rule=True, legal_basis="x")
        )


def test_a_reference_that_exists_is_refused_in_words(act_as: Any) -> None:
    with pytest.raises(Invalid, match=f"There is a directive {REFERENCE} already"):
        directives.create_directive(
            actor=act_as("anjali"), statement=DirectiveStatement(REFERENCE, "Again", VersionStatement(rule=True))
        )


# -- one version on its way ------------------------------------------------------------------------------------------------


def test_a_new_draft_takes_the_place_of_an_approved_version(act_as: Any, in_force: Any) -> None:
    new_version(act_as, rule=NARROWER)
    approved(act_as)
    new_version(act_as, rule=WIDER)
    assert states() == [(1, "in_force"), (2, "withdrawn"), (3, "draft")]
    with pytest.raises(WrongState, match="no new version is approved"):
        activate(act_as)
    approved(act_as)
    assert activate(act_as).version.number == 3
    assert not PreviewMember.objects.exists()


def test_the_database_holds_one_version_on_its_way(act_as: Any, in_force: Any) -> None:
    new_version(act_as)
    with pytest.raises(DatabaseError, match="version_one_in_preparation"), transaction.atomic():
        DirectiveVersion.objects.create(directive=find(), number=9, rule=True, waivable="never")


def test_what_a_version_replaced_is_not_replaced_again_by_the_next(act_as: Any) -> None:
    pause(act_as, replaced=True)
    approved(act_as)
    activate(act_as)
    new_version(act_as, rule=WIDER)
    approved(act_as)
    activate(act_as)
    new_version(act_as)
    emergency(act_as)
    assert states()[-1] == (3, "in_force")


def test_a_rejected_version_still_replaces_what_it_was_to_replace(act_as: Any) -> None:
    pause(act_as, replaced=True)
    submit(act_as)
    vote(act_as, verdict="reject")
    assert find().versions.get(state="draft").replaces == find("PAUSE-1")


def test_the_database_approves_no_version_without_votes_and_puts_none_in_force_without_approval(act_as: Any) -> None:
    submit(act_as)
    for statement in (
        "UPDATE directives_directiveversion SET state = 'approved'",
        "UPDATE directives_directiveversion SET state = 'in_force'",
        "UPDATE approvals_request SET state = 'approved'",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    with pytest.raises(DatabaseError), transaction.atomic():
        DirectiveVersion.objects.create(
            directive=find(), number=9, rule=True, waivable="never", state="superseded", digest="d"
        )


@pytest.mark.parametrize("table", ["directives_directive", "directives_directiveversion", "directives_scopeitem"])
def test_nobody_empties_what_a_policy_is_made_of(table: str) -> None:
    with pytest.raises(DatabaseError, match="kept"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {table} CASCADE")


# -- dates -----------------------------------------------------------------------------------------------------------------


def test_a_version_whose_term_is_over_is_not_submitted_and_previews_as_what_it_does(act_as: Any) -> None:
    from governance.enforcement import candidates, previews

    change(act_as, expires_at=timezone.now() - timedelta(days=1))
    question = candidates.of_version(find().versions.get())
    document = previews.as_json(question, previews.preview_of(question))
    assert (document["lose_access"], document["covered"] + document["unknown"]) == (0, 21)
    assert any("Its term has ended" in warning for warning in document["warnings"])
    with pytest.raises(Invalid, match="expires_at: lies in the past"):
        submit(act_as)


def test_a_version_whose_term_ended_since_its_approval_does_not_take_force(act_as: Any) -> None:
    change(act_as, expires_at=timezone.now() + timedelta(hours=1))
    approved(act_as)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE directives_directiveversion SET expires_at = now() - interval '1 second'")
        cursor.execute("SET LOCAL session_replication_role = origin")
    with pytest.raises(WrongState, match="expires_at lies in the past"):
        activate(act_as)


def test_a_version_that_takes_effect_later_ends_nothing_that_holds_now(act_as: Any) -> None:
    pause(act_as, replaced=True)
    later = timezone.now() + timedelta(days=3)
    change(act_as, effective_at=later)
    with pytest.raises(Invalid, match=r"effective_at: lies ahead, and PAUSE-1 would end"):
        submit(act_as)
    change(act_as, effective_at=None)
    approved(act_as)
    activate(act_as)
    new_version(act_as, effective_at=later)
    with pytest.raises(Invalid, match=f"effective_at: lies ahead, and {REFERENCE} would end"):
        submit(act_as)


def test_a_version_that_waits_for_its_time_can_be_corrected_and_its_preview_says_when(act_as: Any) -> None:
    later = timezone.now() + timedelta(days=3)
    change(act_as, effective_at=later)
    submit(act_as)
    figures = find().versions.get().stored_preview.figures
    assert figures["lose_access"] == 0, "nobody at activation"
    assert any("21 people lose access then" in warning for warning in figures["warnings"])
    vote(act_as)
    activate(act_as)
    assert decide("p009", "fable-5", "use").permit
    new_version(act_as, rule=WIDER)
    approved(act_as)
    assert activate(act_as).version.number == 2


def test_a_suspended_directive_expires_and_cannot_be_resumed_then(act_as: Any, in_force: Any) -> None:
    ask(act_as, "suspension")
    vote(act_as, "idris")
    runs.complete(run_id=Run.objects.first().pk, worker="test")
    assert not runs.start_due(actor=act_as("lucia"))
    ask(act_as, "resumption")
    end_term()
    assert queries.state_now(find()) == "expired"
    with pytest.raises(WrongState, match="has expired; it cannot be resumed"):
        vote(act_as, "idris")
    (run,) = runs.start_due(actor=act_as("lucia"))
    runs.complete(run_id=run.pk, worker="test")
    assert find().state == "expired"
    assert not Restriction.objects.exists()
    assert not approvals.inbox(User.objects.get(username="idris")).exists()
    assert not runs.start_due(actor=act_as("lucia"))


def test_what_the_clock_has_ended_takes_no_new_version_before_any_job_notes_it(act_as: Any, in_force: Any) -> None:
    new_version(act_as, rule=WIDER)
    approved(act_as)
    end_term()
    for attempt in (activate, new_version):
        with pytest.raises(WrongState, match="has expired"):
            attempt(act_as)
    with pytest.raises(WrongState, match="has expired"):
        lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act="suspension", reason="x")
    assert Directive.objects.get(reference=REFERENCE).state == "active"
