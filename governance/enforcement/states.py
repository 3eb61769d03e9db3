"""States of runs and their chunks, and the one table of transitions for each."""

from __future__ import annotations

from django.db.models import TextChoices


class RunState(TextChoices):
    QUEUED = "queued", "Queued"
    RUNNING = "running", "Running"
    PAUSED = "paused", "Paused"
    FINISHED = "finished", "Finished"
    CANCELLED = "cancelled", "Cancelled"


class ChunkState(TextChoices):
    QUEUED = "queued", "Queued"
    DONE = "done", "Done"
    CANCELLED = "cancelled", "Cancelled"


_R = RunState
UNFINISHED = (_R.QUEUED, _R.RUNNING, _R.PAUSED)
RUN_TRANSITIONS: frozenset[tuple[str, str]] = frozenset(
    {
        (_R.QUEUED, _R.RUNNING),
        (_R.QUEUED, _R.PAUSED),
        (_R.QUEUED, _R.FINISHED),
        (_R.QUEUED, _R.CANCELLED),
        (_R.RUNNING, _R.PAUSED),
        (_R.RUNNING, _R.FINISHED),
        (_R.RUNNING, _R.CANCELLED),
        (_R.PAUSED, _R.RUNNING),
        (_R.PAUSED, _R.CANCELLED),
    }
)
CHUNK_TRANSITIONS: frozenset[tuple[str, str]] = frozenset(
    {(ChunkState.QUEUED, ChunkState.DONE), (ChunkState.QUEUED, ChunkState.CANCELLED)}
)
