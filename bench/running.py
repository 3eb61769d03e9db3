"""``apply`` and ``release``: activation to finished run, drift check included, against one bare statement of the same rows."""

from __future__ import annotations

import threading
import uuid
from functools import partial
from typing import Any

from django.db import connection, transaction

from bench.measure import Result, seconds
from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.directives import services as directives
from governance.directives.content import DirectiveStatement, VersionStatement
from governance.directives.models import Directive
from governance.enforcement.models import Restriction
from governance.enforcement.services import lifecycle, runs

REFERENCE = "US-2026-06-12"
WORKERS = 2  # as many as the product's worker has

_INSERT = """
INSERT INTO enforcement_restriction (person_id, directive_id, version_id, since)
SELECT p.id, -1, -1, now() FROM people_person p
 WHERE p.status <> 'departed' AND (NOT (p.citizenships && ARRAY['US'])) IS NOT FALSE
"""
_DELETE = "DELETE FROM enforcement_restriction WHERE directive_id = -1"


def _as(name: str) -> Actor:
    return Actor.for_user(User.objects.get(username=name))


def _approved() -> str:
    """A directive like the scenario's, approved and ready to be activated."""
    original = Directive.objects.get(reference=REFERENCE).versions.order_by("number").first()
    assert original is not None
    reference = f"BENCH-{uuid.uuid4().hex[:8]}"
    statement = DirectiveStatement(
        reference=reference, title="Benchmark", authority="U.S. government", version=VersionStatement.of(original)
    )
    directives.create_directive(actor=_as("anjali"), statement=statement)
    lifecycle.submit(actor=_as("lucia"), reference=reference)
    lifecycle.vote(actor=_as("peter"), reference=reference, verdict="approve")
    return reference


def _work(run_id: int) -> None:
    """Finish a run as the product's workers do: side by side, each on its own connection."""

    def one() -> None:
        runs.complete(run_id=run_id, worker="system:worker")
        connection.close()

    threads = [threading.Thread(target=one) for _ in range(WORKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _activate(reference: str) -> None:
    _work(lifecycle.activate(actor=_as("lucia"), reference=reference).run.pk)


def _end(reference: str) -> None:
    lifecycle.ask(actor=_as("lucia"), reference=reference, act="rescission", reason="benchmark")
    lifecycle.vote(actor=_as("idris"), reference=reference, verdict="approve")
    run = Directive.objects.get(reference=reference).runs.order_by("-id").first()
    assert run is not None
    _work(run.pk)


def _bare(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def _tidy() -> None:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM enforcement_restriction")
        cursor.execute("VACUUM enforcement_previewmember")
        cursor.execute("CHECKPOINT")


def measure(samples: int) -> list[Result]:
    apply: list[tuple[float, float]] = []
    release: list[tuple[float, float]] = []
    for number in range(samples + 1):
        reference = _approved()
        _tidy()
        ours_in = seconds(partial(_activate, reference))
        written = Restriction.objects.filter(directive__reference=reference).count()
        _tidy()
        ours_out = seconds(partial(_end, reference))
        _tidy()
        bare_in = seconds(partial(_bare, _INSERT))
        assert written == Restriction.objects.filter(directive_id=-1).count()
        _tidy()
        bare_out = seconds(partial(_bare, _DELETE))
        _tidy()
        if number:  # the first pair only warms up
            apply.append((ours_in, bare_in))
            release.append((ours_out, bare_out))
    note = f"{written:,} rows, {WORKERS} workers, staleness and drift checks included"
    return [
        _result("apply", apply, f"one bare INSERT … SELECT; {note}"),
        _result("release", release, f"one DELETE; {note}"),
    ]


def _result(name: str, pairs: list[tuple[float, float]], note: Any) -> Result:
    return Result(name, "s (lower is better)", [a for a, _ in pairs], [b for _, b in pairs], note)
