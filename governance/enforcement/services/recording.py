"""Recording decisions off their path: a bounded queue, one thread that writes it in batches, and honest gaps.

An answer never waits for its record. When the log cannot keep up, what could not be recorded is counted: in the metrics at
once, and as a ``DecisionGap`` as soon as the database takes writes again.
"""

from __future__ import annotations

import atexit
import logging
import os
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import NamedTuple

import orjson
import psycopg

from governance.enforcement import metrics

log = logging.getLogger(__name__)
CAPACITY = 50_000
BATCH = 5_000
PAUSE = 0.25


COLUMNS = (
    "id", "token_id", "person_id", "model", "capability", "permit", "code", "directives", "policy_epoch", "evaluated_at",
    "snapshot", "request_id",
)  # fmt: skip
"""What is kept of an answer, in this order; ``Answer`` is such a tuple."""
Answer = tuple[str, int, str, str, str, bool, str, tuple[str, ...], int, datetime, str, str]
_Sighting = tuple[int, datetime]  # the newest policy epoch that a client was answered from, and when
_CODE = COLUMNS.index("code")
_BATCH = """
INSERT INTO enforcement_decisionbatch (process, first_id, last_id, number, answers) VALUES (%s, %s, %s, %s, %s)
"""
_SEEN = """
INSERT INTO enforcement_clientsighting AS known (token_id, last_at, last_epoch)
SELECT * FROM unnest(%s::bigint[], %s::timestamptz[], %s::bigint[]) ORDER BY 1
ON CONFLICT (token_id) DO UPDATE SET last_at = greatest(known.last_at, excluded.last_at),
    last_epoch = greatest(known.last_epoch, excluded.last_epoch)
"""
_GAP = "INSERT INTO enforcement_decisiongap (process, first_at, last_at, answers) VALUES (%s, %s, %s, %s)"


@dataclass
class _Gap:
    first_at: datetime
    last_at: datetime
    answers: int = 0


class _Batch(NamedTuple):
    answers: list[Answer]
    seen: dict[int, _Sighting]
    gap: _Gap | None


@dataclass
class Recorder:
    """The log of one process. ``put`` is called on the decision's path and only ever appends to a queue in memory."""

    conninfo: str
    capacity: int = CAPACITY
    _queue: deque[Answer] = field(default_factory=deque)
    _seen: dict[int, _Sighting] = field(default_factory=dict)
    _gap: _Gap | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _pid: int = 0
    _link: psycopg.Connection | None = None

    def put(self, answer: Answer) -> None:
        if self._pid != os.getpid():
            self._start()
        token, seen = answer[1], (answer[8], answer[9])
        with self._lock:
            # Threads come here in any order: one that was slow since its answer must not take the others' back.
            if token not in self._seen or seen > self._seen[token]:
                self._seen[token] = seen
            if len(self._queue) < self.capacity:
                self._queue.append(answer)
                return
            gap = self._gap = self._gap or _Gap(answer[9], answer[9])
            gap.answers += 1
            gap.last_at = answer[9]
        metrics.UNRECORDED.inc()

    def _start(self) -> None:
        with self._lock:
            if self._pid == os.getpid():
                return
            self._pid, self._link = os.getpid(), None
            threading.Thread(target=self._work, name="decision-log", daemon=True).start()
            atexit.register(self.flush)

    def _work(self) -> None:
        while True:
            time.sleep(PAUSE)
            try:
                self.flush()
            except Exception:  # whatever it is, the next batch is tried again, and the reason stands in the log
                log.exception("decisions wait to be recorded")

    def flush(self) -> bool:
        """Write what waits; False when the database did not take it. Called by the thread, and at the end of the process."""
        while batch := self._take():
            try:
                self._write(batch)
            except psycopg.Error as error:
                log.warning("decisions wait to be recorded: %s", type(error).__name__)
                self._give_back(batch)
                self._drop_link()
                return False
            metrics.count(answer[_CODE] for answer in batch.answers)
            if len(batch.answers) < BATCH:
                break  # what came meanwhile waits for the next turn: many small writes cost more than a few large ones
        return True

    def _take(self) -> _Batch | None:
        with self._lock:
            if not (self._queue or self._seen or self._gap):
                return None
            answers = [self._queue.popleft() for _ in range(min(len(self._queue), BATCH))]
            batch = _Batch(answers, self._seen, self._gap)
            self._seen, self._gap = {}, None
        return batch

    def _give_back(self, batch: _Batch) -> None:
        with self._lock:
            self._queue.extendleft(reversed(batch.answers))
            for token, seen in batch.seen.items():
                self._seen[token] = max(seen, self._seen.get(token, seen))
            if batch.gap and self._gap:
                self._gap = _Gap(batch.gap.first_at, self._gap.last_at, batch.gap.answers + self._gap.answers)
            else:
                self._gap = batch.gap or self._gap

    def _write(self, batch: _Batch) -> None:
        link = self._link = self._link or psycopg.connect(
            self.conninfo, connect_timeout=2, options="-c statement_timeout=10s", application_name="decision log"
        )
        process = f"{os.uname().nodename}:{os.getpid()}"
        with link.transaction(), link.cursor() as cursor:
            if batch.answers:
                kept = sorted(batch.answers, key=itemgetter(0))
                text = orjson.dumps(kept).decode()
                cursor.execute(_BATCH, [process, kept[0][0], kept[-1][0], len(kept), text])
            if batch.seen:
                columns = zip(*((token, at, epoch) for token, (epoch, at) in batch.seen.items()), strict=True)
                cursor.execute(_SEEN, [list(column) for column in columns])
            if batch.gap:
                cursor.execute(_GAP, [process, batch.gap.first_at, batch.gap.last_at, batch.gap.answers])

    def _drop_link(self) -> None:
        link, self._link = self._link, None
        if link is not None:
            link.close()
