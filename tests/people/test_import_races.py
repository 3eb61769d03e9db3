"""Imports at the same moment as other acts, with two real transactions: one comes first, and both agree afterwards."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection, transaction

from governance.directives.models import Directive
from governance.enforcement import locks, restrictions
from governance.enforcement.decision import decide
from governance.enforcement.services import lifecycle, runs
from governance.enforcement.services.catalog import import_catalog
from governance.enforcement.services.people import import_people
from governance.people import services as people
from governance.people.models import Person
from tests.conftest import REFERENCE, put_in_force
from tests.people.test_imports import row
from tests.races import at_once

pytestmark = pytest.mark.django_db


@pytest.fixture
def importing(tmp_path: Path, machine: Any) -> Callable[[str], Callable[[], Any]]:
    def act(text: str) -> Callable[[], Any]:
        path = tmp_path / f"{len(list(tmp_path.iterdir()))}.csv"
        path.write_text(text)
        return lambda: import_people(actor=machine, people_file=path, organisations_file=None)

    return act


def refusals(results: list[Any]) -> list[Any]:
    return [result for result in results if isinstance(result, Exception)]


def test_two_imports_do_not_make_a_circle_together(committed: None, importing: Any, monkeypatch: Any) -> None:
    both_staged, real = threading.Barrier(2), locks.change_people

    def change_people() -> None:
        both_staged.wait(10)
        real()

    monkeypatch.setattr(locks, "change_people", change_people)
    results = at_once(
        importing(row("p013", manager_id="p007")),
        importing(row("p007", manager_id="p013")),
    )
    assert not refusals(results), results
    assert sorted(len(result.errors) for result in results) == [0, 1], "the second sees the first"
    managers = dict(Person.objects.filter(pk__in=["p007", "p013"]).values_list("pk", "manager_id"))
    assert managers != {"p007": "p013", "p013": "p007"}


def test_an_import_waits_for_the_chunk_in_hand_and_leaves_no_drift(
    committed: None, act_as: Any, importing: Any, monkeypatch: Any
) -> None:
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="approve")
    done = lifecycle.activate(actor=act_as("lucia"), reference=REFERENCE)
    reconciled, real = threading.Event(), restrictions.reconcile
    merged = []

    def reconcile(**options: Any) -> Any:
        change = real(**options)
        reconciled.set()
        threading.Event().wait(0.3)
        assert not merged, "nobody's attributes change in the middle of a chunk"
        return change

    monkeypatch.setattr(restrictions, "reconcile", reconcile)
    load = importing(row("p001", citizenships="GB"))

    def later() -> None:
        reconciled.wait(10)
        merged.append(load())

    assert not refusals(at_once(lambda: runs.work_chunk(run_id=done.run.pk), later))
    monkeypatch.setattr(restrictions, "reconcile", real)
    runs.complete(run_id=done.run.pk, worker="test")
    assert runs.measure_drift()[0].total == 0
    assert not decide("p001", "fable-5", "use").permit


@pytest.mark.parametrize("other", ["rescission", "catalog load", "expiry"])
def test_an_import_and_another_act_at_the_same_moment_agree_afterwards(
    other: str, committed: None, act_as: Any, machine: Any, importing: Any, monkeypatch: Any
) -> None:
    """The import has its policy in hand when the other begins: that one waits, and nothing of the old policy is left."""
    put_in_force(act_as)
    lifecycle.ask(actor=act_as("lucia"), reference=REFERENCE, act="rescission", reason="x")
    if other == "expiry":
        expire()
    judged, real = threading.Event(), people.merge

    def merge(**options: Any) -> Any:
        judged.set()
        threading.Event().wait(0.3)
        return real(**options)

    monkeypatch.setattr(people, "merge", merge)
    idris = act_as("idris")
    acts: dict[str, Callable[[], Any]] = {
        "rescission": lambda: lifecycle.vote(actor=idris, reference=REFERENCE, verdict="approve"),
        "catalog load": lambda: import_catalog(actor=machine, document={"audiences": {"nobody": False}}),
        "expiry": lambda: runs.start_due(actor=machine),
    }

    def second() -> Any:
        judged.wait(10)
        return acts[other]()

    assert not refusals(at_once(importing(row("p001", citizenships="GB")), second))
    for run in Directive.objects.get(reference=REFERENCE).runs.all():
        runs.complete(run_id=run.pk, worker="test")
    assert runs.measure_drift()[0].total == 0
    assert decide("p001", "fable-5", "use").permit is (other != "catalog load")


def expire() -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("UPDATE directives_directiveversion SET expires_at = now() - interval '1 second'")
        cursor.execute("UPDATE enforcement_policyepoch SET value = nextval('enforcement_policy_epoch')")
