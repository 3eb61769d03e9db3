"""A directive's life: who may move it where, what is refused, and what happens when two act at once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from governance.accounts.services import deactivate
from governance.directives import services as directives
from governance.directives.content import VersionStatement
from governance.directives.models import Directive, DirectiveVersion, ScopeItem
from governance.enforcement.decision import decide
from governance.enforcement.models import PolicyEpoch, Restriction, Run
from governance.enforcement.services import lifecycle, runs
from governance.errors import Invalid, PermissionRefused, Refused, WrongState
from governance.ledger.models import Entry, OutboxEvent
from tests.conftest import REFERENCE, put_in_force
from tests.races import at_once

pytestmark = pytest.mark.django_db


def directive() -> Directive:
    return Directive.objects.get(reference=REFERENCE)


def last_epoch() -> int:
    """The newest number the sequence gave; rolled-back tests have used some."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT last_value FROM enforcement_policy_epoch")
        return cursor.fetchone()[0]


def change(act_as: Any, **changes: Any) -> None:
    """Edit the draft as legal does."""
    statement = VersionStatement.of(directives.draft_of(directive()))
    directives.edit_draft(
        actor=act_as("anjali"), reference=REFERENCE, statement=VersionStatement(**{**statement.__dict__, **changes})
    )


def test_a_directive_is_submitted_approved_and_activated_by_the_right_people(act_as: Any) -> None:
    with pytest.raises(PermissionRefused):
        lifecycle.submit(actor=act_as("anjali"), reference=REFERENCE)
    request = lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    assert directive().state == "submitted"
    for name, reason in (("lucia", "You asked for it"), ("anjali", "You wrote it"), ("tomas", "not an approver")):
        with pytest.raises(PermissionRefused, match=reason):
            lifecycle.vote(actor=act_as(name), reference=REFERENCE, verdict="approve")
    with pytest.raises(WrongState, match="no approved version"):
        lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE)
    assert lifecycle.vote(actor=act_as("maren"), reference=REFERENCE, verdict="approve").request == request
    assert directive().state == "approved"
    with pytest.raises(PermissionRefused):
        lifecycle.activate(actor=act_as("maren"), reference=REFERENCE)
    lifecycle.activate(actor=act_as("tomas"), reference=REFERENCE)
    assert directive().state == "active"
    with pytest.raises(WrongState, match="active already"):
        lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE)


def test_activation_is_one_transaction_version_epoch_ledger_outbox_and_run(act_as: Any) -> None:
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="approve")
    before, entries, events = last_epoch(), Entry.objects.count(), OutboxEvent.objects.count()
    done = lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE)
    assert done.policy_epoch == PolicyEpoch.objects.get().value == before + 1
    assert done.version.state == "in_force"
    assert Run.objects.get().state == "queued"
    assert Entry.objects.count() > entries
    assert OutboxEvent.objects.count() > events
    assert not decide("p009", "fable-5", "use").permit, "denied at the commit, before any run"
    assert not Restriction.objects.exists()


def test_a_rejection_and_a_withdrawal_are_followed_by_a_new_draft(act_as: Any) -> None:
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="reject", comment="too broad")
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    with pytest.raises(PermissionRefused, match="Only the person who asked"):
        lifecycle.withdraw(actor=act_as("tomas"), reference=REFERENCE)
    lifecycle.withdraw(actor=act_as("lucia"), reference=REFERENCE)
    assert [(v.number, v.state) for v in directive().versions.order_by("number")] == [
        (1, "rejected"), (2, "withdrawn"), (3, "draft"),
    ]  # fmt: skip
    assert directive().state == "draft"


def test_a_version_is_immutable_once_submitted_also_for_a_shell(act_as: Any) -> None:
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    version = directive().versions.get()
    for statement in (
        "UPDATE directives_directiveversion SET rule = 'false'",
        "UPDATE directives_directiveversion SET waivable = 'company'",
        "DELETE FROM directives_scopeitem",
        "DELETE FROM directives_directiveversion",
        "UPDATE directives_directive SET state = 'active'",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    with pytest.raises(DatabaseError), transaction.atomic():
        ScopeItem.objects.create(version=version, model_id=version.scope.first().model_id, capability_id=1)
    with pytest.raises(DatabaseError), transaction.atomic():
        DirectiveVersion.objects.filter(pk=version.pk).update(legal_basis="none")


def test_a_sensitive_rule_without_legal_basis_cannot_be_submitted(act_as: Any) -> None:
    change(act_as, legal_basis=" ")
    with pytest.raises(Invalid, match="legal_basis"):
        lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    assert directive().state == "draft"


def test_an_outside_order_cannot_be_put_in_force_as_monitor(act_as: Any) -> None:
    change(act_as, effect="monitor")
    with pytest.raises(Invalid, match="monitor"):
        lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)


def test_letting_unknowns_pass_on_an_immediate_order_needs_counsel(act_as: Any) -> None:
    change(act_as, on_unknown_then="verify", on_unknown_hours=72)
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    with pytest.raises(PermissionRefused, match="export-control counsel"):
        lifecycle.vote(actor=act_as("maren"), reference=REFERENCE, verdict="approve")
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="approve")
    lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE)
    assert decide("p014", "fable-5", "use").permit, "unknown, until the deadline"
    assert not decide("p009", "fable-5", "use").permit


def test_verify_ends_by_the_clock_and_suspension_stops_it(act_as: Any) -> None:
    change(act_as, on_unknown_then="verify", on_unknown_hours=72)
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="approve")
    done = lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE)
    runs.complete(run_id=done.run.pk, worker="test")
    assert Restriction.objects.count() == 17
    lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act="suspension", reason="x")
    lifecycle.vote(actor=act_as("idris"), reference=REFERENCE, verdict="approve")
    assert directive().verify_deadline is None
    assert timedelta(hours=71) < directive().verify_remaining <= timedelta(hours=72)
    lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act="resumption", reason="x")
    lifecycle.vote(actor=act_as("idris"), reference=REFERENCE, verdict="approve")
    runs.complete(run_id=Run.objects.first().pk, worker="test")
    Directive.objects.filter(reference=REFERENCE).update(verify_deadline=directive().activated_at - timedelta(hours=1))
    assert decide("p014", "fable-5", "use").code == "directive_unknown"
    drift, due = runs.measure_drift()
    assert (drift.total, due) == (0, 4), "due by the clock is not drift"
    (run,) = runs.start_due(actor=act_as("lucia"))
    runs.complete(run_id=run.pk, worker="test")
    assert Restriction.objects.count() == 21
    assert not runs.start_due(actor=act_as("lucia")), "running again changes nothing"


def test_an_emergency_takes_force_alone_and_waits_for_a_second_person(act_as: Any) -> None:
    with pytest.raises(Invalid, match="reason"):
        lifecycle.activate(actor=act_as("tomas"), reference=REFERENCE, emergency=True)
    lifecycle.activate(actor=act_as("tomas"), reference=REFERENCE, emergency=True, reason="the letter says at once")
    assert directive().to_be_confirmed
    assert not decide("p009", "fable-5", "use").permit
    with pytest.raises(PermissionRefused):
        lifecycle.vote(actor=act_as("tomas"), reference=REFERENCE, verdict="approve")
    lifecycle.vote(actor=act_as("idris"), reference=REFERENCE, verdict="approve")
    assert not directive().to_be_confirmed
    assert directive().state == "active"


def test_an_unconfirmed_emergency_escalates_once_and_stays_in_force(act_as: Any) -> None:
    lifecycle.activate(actor=act_as("tomas"), reference=REFERENCE, emergency=True, reason="at once")
    Directive.objects.filter(reference=REFERENCE).update(confirm_by=directive().activated_at - timedelta(hours=1))
    assert lifecycle.escalate_unconfirmed(actor=act_as("tomas")) == 1
    assert lifecycle.escalate_unconfirmed(actor=act_as("tomas")) == 0
    assert directive().state == "active"
    assert not decide("p009", "fable-5", "use").permit


def test_an_emergency_takes_over_a_submitted_version_and_closes_its_request(act_as: Any) -> None:
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE, emergency=True, reason="at once")
    assert directive().versions.get().state == "in_force"


def test_an_emergency_that_would_loosen_is_refused(act_as: Any, in_force: Any) -> None:
    directives.draft_new_version(actor=act_as("anjali"), reference=REFERENCE)
    change(act_as, rule=False)
    with pytest.raises(Refused, match="would turn from deny to permit"):
        lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE, emergency=True, reason="oops")
    assert directive().version_in_force.number == 1
    assert not decide("p009", "fable-5", "use").permit


def test_a_new_version_supersedes_moves_and_releases(act_as: Any, in_force: Any) -> None:
    directives.draft_new_version(actor=act_as("anjali"), reference=REFERENCE)
    change(act_as, rule={"not": {"attr": "person.citizenships", "op": "includes_any", "value": ["US", "CN"]}})
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="approve")
    done = lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE)
    assert decide("p009", "fable-5", "use").permit
    runs.complete(run_id=done.run.pk, worker="test")
    assert Restriction.objects.count() == 20
    assert set(Restriction.objects.values_list("version__number", flat=True)) == {2}
    assert [v.state for v in directive().versions.order_by("number")] == ["superseded", "in_force"]


def test_who_is_covered_decides_on_no_rescission(act_as: Any, in_force: Any) -> None:
    from governance.people.models import Person

    Person.objects.filter(pk="p002").update(citizenships=["GB"])  # Idris
    lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act="rescission", reason="x")
    with pytest.raises(PermissionRefused, match="covers you"):
        lifecycle.vote(actor=act_as("idris"), reference=REFERENCE, verdict="approve")
    lifecycle.vote(actor=act_as("maren"), reference=REFERENCE, verdict="approve")
    assert directive().state == "rescinded"


def test_a_second_open_request_is_refused_and_a_rescinded_directive_stays_so(act_as: Any, in_force: Any) -> None:
    lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act="suspension", reason="x")
    with pytest.raises(WrongState, match="open already"):
        lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act="rescission", reason="x")
    lifecycle.vote(actor=act_as("idris"), reference=REFERENCE, verdict="approve")
    assert decide("p009", "fable-5", "use").permit
    with pytest.raises(WrongState):
        lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act="suspension", reason="x")
    lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act="rescission", reason="x")
    lifecycle.vote(actor=act_as("idris"), reference=REFERENCE, verdict="approve")
    for act in ("suspension", "resumption", "rescission"):
        with pytest.raises(WrongState):
            lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act=act, reason="x")


def test_a_deactivated_approver_decides_nothing(act_as: Any, machine: Any) -> None:
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    peter = act_as("peter")
    deactivate(actor=machine, username="peter")
    with pytest.raises(PermissionRefused, match="deactivated"):
        lifecycle.vote(actor=peter, reference=REFERENCE, verdict="approve")


def test_a_stale_preview_refuses_activation_and_nothing_is_half_done(act_as: Any) -> None:
    from governance.people.models import Person

    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="approve")
    Person.objects.filter(pk__in=["p001", "p002", "p003", "p004", "p005"]).update(citizenships=["GB"])
    with pytest.raises(WrongState, match="stale: 5 more people and 0 fewer"):
        lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE)
    assert directive().state == "approved"
    assert not Run.objects.exists()
    Person.objects.filter(pk="p001").update(citizenships=["US"])
    lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE)


def test_an_expired_directive_denies_nobody_before_any_job_notes_it(act_as: Any, in_force: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE directives_directiveversion SET expires_at = now() - interval '1 second'")
        cursor.execute("UPDATE enforcement_policyepoch SET value = nextval('enforcement_policy_epoch')")
        cursor.execute("SET LOCAL session_replication_role = origin")
    assert decide("p009", "fable-5", "use").permit
    (run,) = runs.start_due(actor=act_as("lucia"))
    runs.complete(run_id=run.pk, worker="test")
    assert directive().state == "expired"
    assert not Restriction.objects.exists()


def test_a_pause_denies_everybody_and_a_directive_replaces_it_in_one_commit(act_as: Any) -> None:
    from governance.directives.content import DirectiveStatement

    scope = VersionStatement.of(directives.draft_of(directive())).scope
    pause = DirectiveStatement(
        reference="PAUSE-1",
        title="Pause",
        kind="pause",
        version=VersionStatement(rule=True, scope=scope, waivable="never"),
    )
    directives.create_directive(actor=act_as("anjali"), statement=pause)
    lifecycle.activate(actor=act_as("lucia"), reference="PAUSE-1", emergency=True, reason="hold everything")
    assert decide("p001", "fable-5", "use").code == "paused"
    change(act_as, replaces_id=Directive.objects.get(reference="PAUSE-1").pk)
    lifecycle.vote(actor=act_as("idris"), reference="PAUSE-1", verdict="approve")
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    preview = directive().versions.get().stored_preview.figures
    assert preview["regain_access"] == 15
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="approve")
    lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE)
    assert Directive.objects.get(reference="PAUSE-1").state == "rescinded"
    assert decide("p001", "fable-5", "use").permit
    assert decide("p009", "fable-5", "use").code == "directive"


# -- real concurrent transactions ----------------------------------------------------------------------------------------


def outcomes(results: list[Any]) -> tuple[int, list[Exception]]:
    refused = [result for result in results if isinstance(result, Exception)]
    assert all(isinstance(error, Refused) for error in refused), refused
    return len(results) - len(refused), refused


def test_two_activations_at_once_are_one(committed: None, act_as: Any) -> None:
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="approve")
    actors = act_as("lucia"), act_as("tomas")
    results = at_once(*(lambda actor=a: lifecycle.activate(actor=actor, reference=REFERENCE) for a in actors))
    assert outcomes(results)[0] == 1
    assert Run.objects.count() == 1


def test_two_submissions_at_once_are_one(committed: None, act_as: Any) -> None:
    actors = act_as("lucia"), act_as("tomas")
    results = at_once(*(lambda actor=a: lifecycle.submit(actor=actor, reference=REFERENCE) for a in actors))
    assert outcomes(results)[0] == 1
    assert directive().versions.count() == 1


def test_two_approvers_at_once_close_the_request_once(committed: None, act_as: Any) -> None:
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    actors = act_as("peter"), act_as("maren")
    results = at_once(
        *(lambda actor=a: lifecycle.vote(actor=actor, reference=REFERENCE, verdict="approve") for a in actors)
    )
    done, refused = outcomes(results)
    assert done == 1
    assert "is open" in str(refused[0])


def test_approval_against_withdrawal_has_one_winner(committed: None, act_as: Any) -> None:
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    peter, lucia = act_as("peter"), act_as("lucia")
    results = at_once(
        lambda: lifecycle.vote(actor=peter, reference=REFERENCE, verdict="approve"),
        lambda: lifecycle.withdraw(actor=lucia, reference=REFERENCE),
    )
    assert outcomes(results)[0] == 1
    assert directive().state in ("approved", "draft")


@pytest.mark.parametrize("act", ["suspension", "rescission"])
def test_two_requests_at_once_are_one(act: str, committed: None, act_as: Any) -> None:
    put_in_force(act_as)
    actors = act_as("lucia"), act_as("tomas")
    results = at_once(
        *(lambda actor=a: lifecycle.ask(actor=actor, reference=REFERENCE, act=act, reason="x") for a in actors)
    )
    assert outcomes(results)[0] == 1


def test_two_workers_on_one_run_do_each_chunk_once(committed: None, act_as: Any, monkeypatch: Any) -> None:
    monkeypatch.setattr(runs, "CHUNK_SIZE", 5)
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="approve")
    done = lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE)
    results = at_once(*(lambda: runs.complete(run_id=done.run.pk, worker="test") for _ in range(3)))
    assert all(result.state == "finished" for result in results)
    assert Restriction.objects.count() == 21
    assert Entry.objects.filter(action="run.chunk_done").count() == done.run.chunks.count() > 5
    assert Entry.objects.filter(action="run.finished").count() == 1
