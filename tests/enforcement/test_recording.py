"""The log of decisions: off the path, bounded, and honest about what it could not take."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from governance.accounts.models import ApiToken
from governance.accounts.services import create_token
from governance.enforcement import metrics
from governance.enforcement.decision import new_id
from governance.enforcement.models import ClientSighting, DecisionBatch, DecisionGap
from governance.enforcement.services.recording import Answer, Recorder
from governance.enforcement.sources import PooledSource, from_django_settings
from tests.wire import Wire, question, services

pytestmark = pytest.mark.django_db
NOBODY_LISTENS = "host=127.0.0.1 port=1 dbname=none connect_timeout=1"


@pytest.fixture
def recorder(committed: None) -> Iterator[Recorder]:
    made = Recorder(from_django_settings(settings.DATABASES["default"]))
    made._pid = 1  # no thread: the tests flush themselves
    made._start = lambda: None  # type: ignore[method-assign]
    yield made
    made._drop_link()


def answer(token: int, epoch: int = 7) -> Answer:
    return (
        new_id(), token, "p009", "fable-5", "use", False, "directive", ("US-2026-06-12",), epoch, datetime.now(UTC), "1:1:",
        "request-1",
    )  # fmt: skip


def token_id(machine: Any) -> int:
    create_token(actor=machine, name="gateway", scopes=["decide"])
    return ApiToken.objects.get().pk


def test_answers_of_the_api_are_written_in_one_row_and_can_be_read_one_by_one(recorder: Recorder, machine: Any) -> None:
    source = PooledSource(from_django_settings(settings.DATABASES["default"]), size=1, limit=5.0, title="test")
    token = create_token(actor=machine, name="gateway", scopes=["decide"])
    wire = Wire(services(source, recorder), token)
    ids = [wire.send("/access/v1/evaluation", question(person)).json()["context"]["id"] for person in ("p001", "p009")]
    source.close()
    assert not DecisionBatch.objects.exists(), "an answer does not wait for its record"
    assert recorder.flush()
    assert DecisionBatch.objects.get().number == 2
    with connection.cursor() as cursor:
        cursor.execute("SELECT id::text, person_id, permit, policy_epoch FROM enforcement_decision ORDER BY id")
        rows = cursor.fetchall()
    assert ids[0][:13] <= ids[1][:13], "ids lie in the order of time, to the millisecond"
    assert {row[0]: row[1:3] for row in rows} == {ids[0]: ("p001", True), ids[1]: ("p009", True)}
    sighting = ClientSighting.objects.get()
    assert sighting.token == ApiToken.objects.get()
    assert sighting.last_epoch == rows[0][3]


def test_a_sighting_never_goes_back(recorder: Recorder, machine: Any) -> None:
    token = token_id(machine)
    for epoch in (9, 7):
        recorder.put(answer(token, epoch))
        assert recorder.flush()
    assert ClientSighting.objects.get().last_epoch == 9


def test_a_slow_thread_does_not_take_back_what_another_has_seen(recorder: Recorder, machine: Any) -> None:
    """Two answers of one batch come in the wrong order, also while a batch that was not taken comes back."""
    token, there = token_id(machine), recorder.conninfo
    for epoch in (6, 5):
        recorder.put(answer(token, epoch))
    recorder.conninfo = NOBODY_LISTENS
    assert not recorder.flush()
    recorder.conninfo = there
    assert recorder.flush()
    assert ClientSighting.objects.get().last_epoch == 6
    for epoch in (8, 7):
        recorder.put(answer(token, epoch))
    taken = recorder._take()
    assert taken is not None
    recorder.put(answer(token, 7))
    recorder._give_back(taken)
    assert recorder.flush()
    assert ClientSighting.objects.get().last_epoch == 8


def test_what_the_log_cannot_take_is_counted_at_once_and_told_later(recorder: Recorder, machine: Any) -> None:
    token = token_id(machine)
    recorder.capacity = 3
    before = metrics.UNRECORDED._value.get()
    for _ in range(5):
        recorder.put(answer(token))
    assert metrics.UNRECORDED._value.get() - before == 2
    assert recorder.flush()
    assert DecisionBatch.objects.get().number == 3
    assert DecisionGap.objects.get().answers == 2


def test_while_the_database_is_away_answers_wait_and_none_is_lost_below_the_bound(
    recorder: Recorder, machine: Any
) -> None:
    token, there = token_id(machine), recorder.conninfo
    recorder.conninfo, recorder.capacity = NOBODY_LISTENS, 4
    for _ in range(3):
        recorder.put(answer(token))
    assert not recorder.flush()
    assert not recorder.flush()
    for _ in range(3):
        recorder.put(answer(token))
    recorder.conninfo = there
    assert recorder.flush()
    assert sum(DecisionBatch.objects.values_list("number", flat=True)) == 4
    assert DecisionGap.objects.get().answers == 2


def test_recorded_decisions_are_never_changed(recorder: Recorder, machine: Any) -> None:
    recorder.put(answer(token_id(machine)))
    assert recorder.flush()
    with psycopg.connect(recorder.conninfo, autocommit=True) as shell:
        for statement in (
            "UPDATE enforcement_decisionbatch SET answers = '[]'",
            "DELETE FROM enforcement_decisionbatch",
        ):
            with pytest.raises(psycopg.Error):
                shell.execute(statement)
