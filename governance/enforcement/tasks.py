"""Background work. Messages are hints: whatever is lost, the sweep finds in the rows again."""

from __future__ import annotations

import logging

from celery import shared_task
from django.db import OperationalError
from kombu.exceptions import OperationalError as BrokerDown

from governance.accounts.actor import Actor
from governance.enforcement import queries
from governance.enforcement.services import deciding, lifecycle, people, runs
from governance.enforcement.states import ChunkState, RunState

log = logging.getLogger(__name__)
_PARALLEL = 16


@shared_task(name="enforcement.work_chunk", ignore_result=True)
def work_chunk(run_id: int) -> None:
    """Do one chunk of a run and ask for the next, or close the run when none is left."""
    if runs.work_chunk(run_id=run_id):
        _send(run_id)
    else:
        runs.finish(run_id=run_id)


@shared_task(name="enforcement.sweep", ignore_result=True)
def sweep() -> None:
    """Every few seconds: follow the clock, tell of late confirmations and approvals, and hand out what no worker holds."""
    system = Actor.machine("system:scheduler")
    runs.start_due(actor=system)
    people.follow_expired_vetting(actor=system)
    lifecycle.escalate_unconfirmed(actor=system)
    deciding.let_time_pass(actor=system)
    for run in queries.unfinished_runs():
        if run.state != RunState.PAUSED:
            hand_out(run.pk)


def hand_out(run_id: int) -> None:
    """Send a few messages for a run's queued chunks. A broker that is down costs time only: the sweep comes again."""
    from governance.enforcement.models import Chunk

    waiting = Chunk.objects.filter(run_id=run_id, state=ChunkState.QUEUED).count()
    for _ in range(min(max(waiting, 1), _PARALLEL)):
        if not _send(run_id):
            return


def _send(run_id: int) -> bool:
    try:
        work_chunk.apply_async(args=[run_id], retry=False, expires=300)
    except (BrokerDown, OSError, OperationalError) as error:
        log.warning("the broker did not take a message: %s", type(error).__name__)
        return False
    return True
