"""Runs while something else happens, with two real transactions; and chunks that break in the middle."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import OperationalError, connection

from governance.directives.models import Directive
from governance.enforcement import restrictions
from governance.enforcement.decision import decide
from governance.enforcement.models import Chunk, Restriction, Run
from governance.enforcement.services import lifecycle, runs
from governance.errors import WrongState
from governance.ledger import services as ledger
from governance.ledger.models import Entry, OutboxEvent
from tests.conftest import EXPECTED, REFERENCE, put_in_force
from tests.races import at_once

pytestmark = pytest.mark.django_db
PEOPLE = EXPECTED["directives"][REFERENCE]["people"]
COVERED = {*PEOPLE["covered"], *PEOPLE["unknown"]}


def activated(act_as: Any, monkeypatch: Any, size: int = 5) -> Run:
    """The scenario's directive in force, its run not worked yet, in chunks of ``size`` people."""
    monkeypatch.setattr(runs, "CHUNK_SIZE", size)
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="approve")
    return lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE).run


def in_the_middle(monkeypatch: Any, other: Callable[[], Any]) -> tuple[Callable[[], Any], threading.Event]:
    """``other``, begun once a chunk was reconciled; the chunk takes a moment more until it commits."""
    reconciled, worked, real = threading.Event(), threading.Event(), restrictions.reconcile

    def reconcile(**options: Any) -> Any:
        change = real(**options)
        if not reconciled.is_set():
            reconciled.set()
            threading.Event().wait(0.3)
            assert not worked.is_set(), "the other waits for the chunk in hand"
        return change

    monkeypatch.setattr(restrictions, "reconcile", reconcile)

    def later() -> Any:
        reconciled.wait(10)
        result = other()
        worked.set()
        return result

    return later, worked


def restricted() -> set[str]:
    return set(Restriction.objects.values_list("person_id", flat=True))


def failures(results: list[Any]) -> list[Any]:
    return [result for result in results if isinstance(result, Exception)]


@pytest.mark.parametrize("act", ["pause", "suspension", "new run", "repair"])
def test_what_meets_a_chunk_in_hand_waits_for_it_and_everything_agrees(
    act: str, committed: None, act_as: Any, machine: Any, monkeypatch: Any
) -> None:
    run = activated(act_as, monkeypatch)
    lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act="suspension", reason="x")
    lucia, idris = act_as("lucia"), act_as("idris")
    acts: dict[str, Callable[[], Any]] = {
        "pause": lambda: runs.steer(actor=lucia, run_id=run.pk, to="paused"),
        "suspension": lambda: lifecycle.vote(actor=idris, reference=REFERENCE, verdict="approve"),
        "new run": lambda: _plan(lucia),
        "repair": lambda: runs.repair(actor=machine),
    }
    other, _ = in_the_middle(monkeypatch, acts[act])
    assert not failures(at_once(lambda: runs.work_chunk(run_id=run.pk), other))
    run.refresh_from_db()
    assert run.state == {"pause": "paused", "repair": "running"}.get(act, "cancelled")
    assert runs.work_chunk(run_id=run.pk) is (act == "repair"), "nothing more is done for a run that does not run"
    if act == "repair":
        assert restricted() == COVERED
    if act == "pause":
        runs.steer(actor=lucia, run_id=run.pk, to="running")
    for each in Run.objects.order_by("pk"):
        runs.complete(run_id=each.pk, worker="test")
    assert restricted() == (set() if act == "suspension" else COVERED)
    assert runs.measure_drift()[0].total == 0
    assert set(Chunk.objects.values_list("state", flat=True)) <= {"done", "cancelled"}


def _plan(actor: Any) -> Run:
    from django.db import transaction

    from governance.directives import services as directives
    from governance.enforcement import locks

    with transaction.atomic():
        directive = directives.lock(REFERENCE)
        locks.hold_people_still()
        return runs.plan_run(actor=actor, directive=directive)


def test_two_workers_work_different_chunks_side_by_side(committed: None, act_as: Any, monkeypatch: Any) -> None:
    run = activated(act_as, monkeypatch)
    both, real = threading.Barrier(2), restrictions.reconcile

    def reconcile(**options: Any) -> Any:
        both.wait(10)
        return real(**options)

    monkeypatch.setattr(restrictions, "reconcile", reconcile)
    work = [lambda: runs.work_chunk(run_id=run.pk)] * 2
    assert at_once(*work) == [True, True], "neither waited for the other to commit"
    assert run.chunks.filter(state="done").count() == 2


def test_two_workers_close_a_run_once(committed: None, act_as: Any, monkeypatch: Any) -> None:
    run = activated(act_as, monkeypatch, size=50)
    runs.work_chunk(run_id=run.pk)
    results = at_once(*[lambda: runs.finish(run_id=run.pk)] * 3)
    assert sorted(results) == [False, False, True]
    assert Entry.objects.filter(action="run.finished").count() == 1
    assert OutboxEvent.objects.filter(topic="run.finished").count() == 1


def test_a_repair_and_a_suspension_at_once_leave_no_restriction(
    committed: None, act_as: Any, machine: Any, monkeypatch: Any
) -> None:
    put_in_force(act_as)
    Restriction.objects.filter(person_id="p009").delete()
    lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act="suspension", reason="x")
    idris = act_as("idris")
    suspend, _ = in_the_middle(monkeypatch, lambda: lifecycle.vote(actor=idris, reference=REFERENCE, verdict="approve"))
    assert not failures(at_once(lambda: runs.repair(actor=machine), suspend))
    runs.complete(run_id=Run.objects.first().pk, worker="test")
    assert restricted() == set()
    assert runs.measure_drift()[0].total == 0


@pytest.mark.parametrize("acts", [("paused", "paused"), ("paused", "finish")])
def test_steering_a_run_twice_at_once_has_one_winner(
    acts: tuple[str, str], committed: None, act_as: Any, monkeypatch: Any
) -> None:
    run = activated(act_as, monkeypatch, size=50)
    runs.work_chunk(run_id=run.pk)
    lucia = act_as("lucia")
    results = at_once(
        *(
            (lambda: runs.finish(run_id=run.pk))
            if act == "finish"
            else (lambda: runs.steer(actor=lucia, run_id=run.pk, to="paused"))
            for act in acts
        )
    )
    lost = [result for result in results if result is False or isinstance(result, Exception)]
    assert len(lost) == 1, results
    assert lost[0] is False or isinstance(lost[0], WrongState)
    run.refresh_from_db()
    assert run.state in ("paused", "finished")


@pytest.mark.parametrize("how", ["raises", "loses its connection"])
def test_a_chunk_that_breaks_between_its_rows_and_its_commit_leaves_nothing_half_done(
    how: str, committed: None, act_as: Any, monkeypatch: Any
) -> None:
    run = activated(act_as, monkeypatch, size=50)
    entries, events, real = Entry.objects.count(), OutboxEvent.objects.count(), ledger.append
    written: list[int] = []

    def breaking(**options: Any) -> Any:
        written.append(Restriction.objects.count())
        if how == "raises":
            raise OSError("the disk is full")
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    monkeypatch.setattr(ledger, "append", breaking)
    (result,) = at_once(lambda: runs.work_chunk(run_id=run.pk))
    assert isinstance(result, OSError if how == "raises" else OperationalError)
    assert written == [len(COVERED)], "its rows were written, in a transaction that did not commit"
    assert restricted() == set()
    assert (Entry.objects.count(), OutboxEvent.objects.count()) == (entries, events)
    assert Chunk.objects.get().state == "queued"
    assert not decide("p009", "fable-5", "use").permit, "decisions do not wait for restrictions"
    monkeypatch.setattr(ledger, "append", real)
    assert runs.complete(run_id=run.pk, worker="test").drift == 0
    assert restricted() == COVERED
    assert Directive.objects.get(reference=REFERENCE).state == "active"
