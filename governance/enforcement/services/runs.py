"""Runs: bulk work in chunks that any worker may take, repeat or lose, without changing anything but time.

A chunk is claimed by its row lock and done in the same transaction, so a worker that dies leaves it queued. What a chunk does is
read from the directive's state at that moment: a late chunk of an old run does no harm.

Whoever steers, cancels or closes a run locks its row; workers share that lock while they are in a chunk. So a run changes its state
between chunks, never within one, and everybody takes people, run and chunk in that order (docs/architecture.md).
"""

from __future__ import annotations

import time
from datetime import datetime

from django.db import connection, transaction
from django.db.models import Sum

from governance.accounts.actor import Actor
from governance.directives import services as directives
from governance.directives.models import Directive
from governance.directives.states import DirectiveState
from governance.enforcement import clock, locks, queries, restrictions
from governance.enforcement import policy as policies
from governance.enforcement.models import Chunk, Run, RunKind
from governance.enforcement.policy import DirectiveRule
from governance.enforcement.restrictions import Drift
from governance.enforcement.states import UNFINISHED, ChunkState, RunState
from governance.errors import NotFound, WrongState
from governance.ledger import services as ledger
from governance.moments import now
from governance.waivers import services as waivers

CHUNK_SIZE = 50_000


def plan_run(*, actor: Actor, directive: Directive, kind: str | None = None) -> Run:
    """Create the run that makes restrictions what the directive says now; an unfinished one gives way to it.

    Called in the transaction of the change, with the directive locked and people held still. It waits for the chunks in hand.
    Chunks are handed to workers at the commit.
    """
    assert directive.version_in_force is not None
    for former in Run.objects.select_for_update().filter(directive=directive, state__in=UNFINISHED):
        _cancel(actor, former)
    moment = now()
    phase = clock.phase(directive, moment)
    if kind is None:
        kind = RunKind.APPLY if phase in ("effective", "verified") else RunKind.RELEASE
    run = Run.objects.create(
        kind=kind, directive=directive, version=directive.version_in_force, phase=phase, created_at=moment,
        started_by=actor.name,
    )  # fmt: skip
    Chunk.objects.bulk_create(
        Chunk(run=run, number=number, key_from=key_from, key_to=key_to)
        for number, (key_from, key_to) in enumerate(restrictions.split(CHUNK_SIZE), start=1)
    )
    ledger.append(
        action="run.created", actor=actor.name, via=actor.via, subject=run.subject, also=[directive.subject],
        data={"kind": str(kind), "version": run.version.number},
    )  # fmt: skip
    return run


def _cancel(actor: Actor, run: Run) -> None:
    Chunk.objects.filter(run=run, state=ChunkState.QUEUED).update(state=ChunkState.CANCELLED)
    run.state, run.finished_at = RunState.CANCELLED, now()
    run.save(update_fields=["state", "finished_at"])
    ledger.append(
        action="run.cancelled", actor=actor.name, via=actor.via, subject=run.subject, also=[run.directive.subject]
    )


def _rule(directive: Directive, now: datetime) -> DirectiveRule | None:
    """The directive's rule if its restrictions should exist now, else None."""
    if clock.phase(directive, now) not in ("effective", "verified"):
        return None
    return policies.load().directive(directive.pk)


def _begin(run_id: int) -> None:
    """Note that work has begun, in a transaction of its own: in the first chunk's, the other workers would wait for it."""
    Run.objects.filter(pk=run_id, state=RunState.QUEUED).update(state=RunState.RUNNING, started_at=now())


def _hold_running(run_id: int) -> bool:
    """Whether the run is being worked; until this transaction ends nobody pauses, cancels or closes it."""
    with connection.cursor() as cursor:
        # Weaker than Django's locks: workers share it, and it waits only for whoever changes the run's state.
        cursor.execute("SELECT state FROM enforcement_run WHERE id = %s FOR KEY SHARE", [run_id])
        row = cursor.fetchone()
    return row is not None and row[0] == RunState.RUNNING


def work_chunk(*, run_id: int, worker: str = "system:worker") -> bool:
    """Take one queued chunk of a run and do it, all in one transaction. False when there is none to take."""
    _begin(run_id)
    with transaction.atomic():
        locks.hold_people_still()
        if not _hold_running(run_id):
            return False
        chunk = (
            Chunk.objects.select_for_update(skip_locked=True)
            .filter(run_id=run_id, state=ChunkState.QUEUED)
            .order_by("number")
            .first()
        )
        if chunk is None:
            return False
        run = Run.objects.select_related("directive__version_in_force").get(pk=run_id)
        _reconcile(run, chunk, worker)
    return True


def _reconcile(run: Run, chunk: Chunk, worker: str) -> None:
    directive = run.directive
    change = restrictions.reconcile(
        directive_id=directive.pk,
        version_id=directive.version_in_force_id or run.version_id,
        rule=_rule(directive, now()),
        key_from=chunk.key_from,
        key_to=chunk.key_to,
    )
    chunk.state, chunk.done_at = ChunkState.DONE, now()
    chunk.added, chunk.released, chunk.moved, chunk.people = (
        change.added, change.released, change.moved, change.people,
    )  # fmt: skip
    chunk.save()
    counts = {"added": change.added, "released": change.released, "moved": change.moved}
    ledger.append(
        action="run.chunk_done", actor=worker, subject=run.subject, also=[directive.subject],
        data={"chunk": chunk.number, "people_digest": change.digest, **counts},
    )  # fmt: skip
    ledger.publish(
        topic="restrictions.changed", key=directive.subject,
        payload={"reference": directive.reference, "run": run.pk, "chunk": chunk.number, **counts},
    )  # fmt: skip


def finish(*, run_id: int, worker: str = "system:worker") -> bool:
    """Close a run whose chunks are all done, with its drift check. False while there is work left or it is closed.

    Drift is repaired once, in place, before the run closes; the count that remains is the run's ``drift``.
    """
    if Chunk.objects.filter(run_id=run_id, state=ChunkState.QUEUED).exists():
        return False
    with transaction.atomic():
        locks.hold_people_still()
        run = Run.objects.select_for_update().filter(pk=run_id).first()
        if run is None or run.state not in (RunState.QUEUED, RunState.RUNNING):
            return False
        directive = Directive.objects.select_related("version_in_force").get(pk=run.directive_id)
        rule = _rule(directive, now())
        left = restrictions.drift(directive.pk, rule)
        if left.total or left.due:
            version_id = directive.version_in_force_id or run.version_id
            restrictions.reconcile(directive_id=directive.pk, version_id=version_id, rule=rule)
            left = restrictions.drift(directive.pk, rule)
        run.state, run.finished_at, run.drift = RunState.FINISHED, now(), left.total
        run.save(update_fields=["state", "finished_at", "drift"])
        totals = run.chunks.aggregate(added=Sum("added"), released=Sum("released"))
        data = {"added": totals["added"] or 0, "released": totals["released"] or 0, "drift": left.total}
        ledger.append(action="run.finished", actor=worker, subject=run.subject, also=[directive.subject], data=data)
        ledger.publish(topic="run.finished", key=directive.subject, payload={"run": run.pk, **data})
    return True


def complete(*, run_id: int, worker: str, patience: float = 3600.0) -> Run:
    """Return when the run is finished, working its chunks here if no worker takes them (seconds of patience)."""
    deadline = time.monotonic() + patience
    while True:
        if not work_chunk(run_id=run_id, worker=worker):
            finish(run_id=run_id, worker=worker)
            run = Run.objects.select_related("directive", "version").get(pk=run_id)
            if not run.unfinished or run.state == RunState.PAUSED or time.monotonic() > deadline:
                return run
            time.sleep(0.05)


@transaction.atomic
def steer(*, actor: Actor, run_id: int, to: str) -> Run:
    """Pause a run, or let a paused one go on. Decisions are as the rule says all the while."""
    actor.require("activate_directives")
    run = Run.objects.select_for_update().filter(pk=run_id).select_related("directive").first()
    if run is None:
        raise NotFound(f"There is no run {run_id}.")
    allowed = {"paused": (RunState.QUEUED, RunState.RUNNING), "running": (RunState.PAUSED,)}
    if to not in allowed or run.state not in allowed[to]:
        raise WrongState(f"Run {run.pk} is {run.get_state_display().lower()}.")
    run.state = to
    run.save(update_fields=["state"])
    act = "paused" if to == RunState.PAUSED else "resumed"
    ledger.append(
        action=f"run.{act}", actor=actor.name, via=actor.via, subject=run.subject, also=[run.directive.subject]
    )
    return run


def repair(*, actor: Actor) -> int:
    """Make every directive's restrictions what its rule says; returns how many rows were wrong. The rule wins."""
    actor.require("administer")
    references = queries.directives_with_restrictions().values_list("reference", flat=True)
    return sum(_repair_one(actor, reference) for reference in list(references))


@transaction.atomic
def _repair_one(actor: Actor, reference: str) -> int:
    """With the directive locked no act changes it; with its run locked no chunk is in hand. A run that goes on finds less to do."""
    directive = directives.lock(reference)
    locks.hold_people_still()
    list(Run.objects.select_for_update().filter(directive=directive, state__in=UNFINISHED))
    rule = _rule(directive, now())
    found = restrictions.drift(directive.pk, rule)
    if not found.total and not found.due:
        return 0
    restrictions.reconcile(directive_id=directive.pk, version_id=directive.version_in_force_id or 0, rule=rule)
    ledger.append(
        action="drift.repaired", actor=actor.name, via=actor.via, subject=directive.subject,
        data={"missing": found.missing, "extra": found.extra, "due": found.due},
    )  # fmt: skip
    return found.total + found.due


def drift_of(directive: Directive) -> Drift:
    """The drift of one directive now; what is only due by the clock is none."""
    moment = now()
    if directive.version_in_force_id is None or queries.is_due(directive, moment):
        return Drift(0, 0)
    return restrictions.drift(directive.pk, _rule(directive, moment))


def measure_drift() -> tuple[Drift, int]:
    """Restrictions against rules over all directives, and how many rows are *due* by the clock and not yet written."""
    missing = extra = due = 0
    moment = now()
    for directive in queries.directives_with_restrictions():
        found = restrictions.drift(directive.pk, _rule(directive, moment))
        due += found.due
        if queries.is_due(directive, moment):
            due += found.total
            continue
        missing, extra = missing + found.missing, extra + found.extra
    return Drift(missing, extra), due


def start_due(*, actor: Actor) -> list[Run]:
    """Start a run for each directive whose phase the clock has changed; expired ones end. Runs again without effect."""
    found = [_start_if_due(actor, reference) for reference in queries.due(now())]
    return [run for run in found if run is not None]


@transaction.atomic
def _start_if_due(actor: Actor, reference: str) -> Run | None:
    directive = directives.lock(reference)
    locks.hold_people_still()
    moment = now()
    return _follow_clock(actor, directive, moment) if queries.is_due(directive, moment) else None


def _follow_clock(actor: Actor, directive: Directive, now: datetime) -> Run:
    run = plan_run(actor=actor, directive=directive)
    if clock.phase(directive, now) == "expired":
        directives.end(actor=actor, directive=directive, state=DirectiveState.EXPIRED, reason="its term ended")
        waivers.close_misfits(actor=actor, directive=directive)
    return run
