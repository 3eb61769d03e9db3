"""No decision is taken from a state older than the last committed change, whatever changes, in whichever process.

Every decision carries the database snapshot it was taken in, and every change the id of its transaction, so each answer is checked against
the commit order that the database itself kept: it must be what the changes visible in its snapshot say, and every change
whose commit had returned before the question was asked must be visible in it.

``EXTENDED=1`` runs it long: 8 threads, at least 200 changes and 200,000 decisions.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from governance.accounts.services import create_token
from tests.conftest import REFERENCE, database_url, put_in_force
from tests.extended import EXTENDED

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
CHANGES = {"directive": 70, "record": 200, "waiver": 200} if EXTENDED else {"directive": 6, "record": 40, "waiver": 12}
# The decisions go on for so many seconds at least, and until every change is made.
SECONDS, PROCESSES, THREADS = (240, 2, 4) if EXTENDED else (4, 2, 2)
LEAST = 200_000 if EXTENDED else 2_000
PERSON_OF = {"directive": "p011", "record": "p009", "waiver": "p010"}
AT_FIRST = {"directive": True, "record": False, "waiver": False}


@dataclass(frozen=True)
class Snapshot:
    """``pg_current_snapshot()``: which transactions an answer could see."""

    xmin: int
    xmax: int
    running: frozenset[int]

    @classmethod
    def read(cls, text: str) -> Snapshot:
        xmin, xmax, running = text.split(":")
        return cls(int(xmin), int(xmax), frozenset(int(xid) for xid in running.split(",") if xid))

    def sees(self, xid: int) -> bool:
        return xid < self.xmax and xid not in self.running


def start(*arguments: str) -> subprocess.Popen[bytes]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "TEST_"))}
    environment = kept | {
        "DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "governance.settings", "DATA_DIR": arguments[-1] + ".data",
    }  # fmt: skip
    return subprocess.Popen([sys.executable, "-m", *arguments], cwd=ROOT, env=environment)


def read(file: Path) -> list[Any]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_every_decision_sees_every_change_committed_before_it_began(
    committed: None, act_as: Any, machine: Any, tmp_path: Path
) -> None:
    put_in_force(act_as)
    token = create_token(actor=machine, name="stale", scopes=["decide"])
    connection.close()
    stop = tmp_path / "stop"
    began = time.monotonic()
    asking = [
        start("tests.enforcement.stale.decide", token, str(THREADS), str(stop), str(tmp_path / f"decisions-{n}"))
        for n in range(PROCESSES)
    ]
    changing = [
        start("tests.enforcement.stale.change", lane, str(number), str(tmp_path / lane))
        for lane, number in CHANGES.items()
    ]
    assert [process.wait(timeout=SECONDS + 300) for process in changing] == [0] * len(changing)
    time.sleep(max(0.0, began + SECONDS - time.monotonic()))
    stop.touch()
    assert [process.wait(timeout=60) for process in asking] == [0] * len(asking)
    changes = {PERSON_OF[lane]: read(tmp_path / lane) for lane in CHANGES}
    first = {PERSON_OF[lane]: permit for lane, permit in AT_FIRST.items()}
    decisions = [line for n in range(PROCESSES) for line in read(tmp_path / f"decisions-{n}")]
    assert len(decisions) >= LEAST, len(decisions)
    between = 0
    for asked, person, permit, text in decisions:
        snapshot = Snapshot.read(text)
        visible = [change for change in changes[person] if snapshot.sees(change[1])]
        assert [change[0] for change in visible] == list(range(len(visible))), (
            "a process's changes are seen in their order"
        )
        unseen = [change for change in changes[person][len(visible) :] if change[4] < asked]
        assert not unseen, ("committed before the question, and not seen", person, asked, unseen[0])
        right = visible[-1][2] if visible else first[person]
        # A waiver begins at a moment: whoever asked before it is denied, and finds it if they ask again.
        early = not permit and person == PERSON_OF["waiver"] and bool(visible) and asked < visible[-1][4]
        assert permit is right or early, (person, text, len(visible))
        between += bool(visible) and len(visible) < len(changes[person])
    assert between > LEAST / 8, "most of the questions were asked while things changed"
    assert {person: {permit for _, p, permit, _ in decisions if p == person} for person in changes} == {
        person: {True, False} for person in changes
    }
    print(f"{len(decisions):,} decisions, {sum(CHANGES.values())} changes, 0 stale; {REFERENCE} in force throughout")
