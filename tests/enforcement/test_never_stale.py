"""Activation under load: no decision that started after the commit permits a covered person."""

from __future__ import annotations

import threading
import time
from typing import Any

from django.db import connection

from governance.enforcement.decision import decide
from governance.enforcement.services import lifecycle, runs
from tests.conftest import EXPECTED, REFERENCE

DECISIONS = 20_000
COVERED = [
    *EXPECTED["directives"][REFERENCE]["people"]["covered"],
    *EXPECTED["directives"][REFERENCE]["people"]["unknown"],
]


def test_no_decision_that_started_after_the_commit_permits_a_covered_person(committed: None, act_as: Any) -> None:
    lifecycle.submit(actor=act_as("lucia"), reference=REFERENCE)
    lifecycle.vote(actor=act_as("peter"), reference=REFERENCE, verdict="approve")
    actor = act_as("lucia")
    made: list[tuple[float, bool, str]] = []
    failures: list[BaseException] = []
    enough = threading.Event()

    def ask(offset: int) -> None:
        try:
            mine: list[tuple[float, bool, str]] = []
            number = offset
            while not enough.is_set():
                began = time.monotonic()
                decision = decide(COVERED[number % len(COVERED)], "fable-5", "use")
                mine.append((began, decision.permit, decision.code))
                number += 1
                if len(mine) % 200 == 0 and sum(map(len, parts)) + len(mine) >= DECISIONS * 2:
                    break
                if len(mine) >= DECISIONS // 4 and committed_at:
                    break
            parts.append(mine)
        except BaseException as error:
            failures.append(error)
        finally:
            connection.close()

    parts: list[list[tuple[float, bool, str]]] = []
    committed_at: list[float] = []
    threads = [threading.Thread(target=ask, args=(n * 7,)) for n in range(4)]
    for thread in threads:
        thread.start()
    time.sleep(1.5)
    done = lifecycle.activate(actor=actor, reference=REFERENCE)
    committed_at.append(time.monotonic())
    runs.complete(run_id=done.run.pk, worker="test")
    for thread in threads:
        thread.join(180)
    enough.set()
    assert not failures, failures
    for part in parts:
        made += part
    before = [permit for began, permit, _ in made if began < committed_at[0]]
    after = [(permit, code) for began, permit, code in made if began >= committed_at[0]]
    assert len(made) >= DECISIONS, len(made)
    assert any(before), "the load began before the activation"
    assert len(after) > 1_000
    assert not any(permit for permit, _ in after)
    assert {code for _, code in after} <= {"directive", "directive_unknown"}
