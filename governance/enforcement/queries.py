"""Reads about runs, restrictions and directives in force."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum
from django.utils import timezone

from governance.directives.models import Directive
from governance.directives.states import DirectiveState
from governance.enforcement import clock
from governance.enforcement.models import Restriction, Run
from governance.enforcement.states import UNFINISHED, ChunkState
from governance.ledger.models import Entry


def directives_with_restrictions() -> QuerySet[Directive]:
    """Directives that were ever in force; an ended one should have no restrictions."""
    return Directive.objects.exclude(version_in_force=None).select_related("version_in_force").order_by("reference")


def state_now(directive: Directive) -> str:
    """The directive's state as the clock has it: one whose term ended is expired before any job notes it."""
    version = directive.version_in_force
    ended = version is not None and version.expires_at is not None and version.expires_at <= timezone.now()
    return str(DirectiveState.EXPIRED if ended and directive.state == DirectiveState.ACTIVE else directive.state)


def is_due(directive: Directive, now: datetime) -> bool:
    """Whether the clock changed the directive's phase and no run has followed yet."""
    if directive.state != DirectiveState.ACTIVE:
        return False
    last = Run.objects.filter(directive=directive).order_by("-id").values_list("phase", flat=True).first()
    return last is not None and last != clock.phase(directive, now)


def due(now: datetime) -> list[str]:
    candidates = Directive.objects.filter(state=DirectiveState.ACTIVE).select_related("version_in_force")
    return [directive.reference for directive in candidates if is_due(directive, now)]


@dataclass(frozen=True)
class Progress:
    """A run as pages and commands show it; true at every moment, since it is a sum over rows."""

    run: Run
    chunks: int
    done: int
    people: int
    added: int
    released: int

    @property
    def percent(self) -> int:
        return 100 if not self.chunks else self.done * 100 // self.chunks

    @property
    def seconds(self) -> float | None:
        if self.run.finished_at is None:
            return None
        return round((self.run.finished_at - self.run.created_at).total_seconds(), 3)


def progress(run: Run) -> Progress:
    sums = run.chunks.aggregate(
        chunks=Count("id"),
        done=Count("id", filter=~Q(state=ChunkState.QUEUED)),
        people=Sum("people"),
        added=Sum("added"),
        released=Sum("released"),
    )
    return Progress(run, **{name: value or 0 for name, value in sums.items()})


def restriction_count(directive_id: int) -> int:
    return Restriction.objects.filter(directive_id=directive_id).count()


def unfinished_runs() -> QuerySet[Run]:
    return Run.objects.filter(state__in=UNFINISHED).select_related("directive").order_by("id")


def run_summary(run: Run | None) -> dict[str, Any] | None:
    """The run as the commands print it (CONTRACTS.md)."""
    if run is None:
        return None
    shown = progress(run)
    return {
        "id": run.pk,
        "state": str(run.state),
        "restrictions": restriction_count(run.directive_id),
        "seconds": shown.seconds,
    }


def looks_at(person_id: str, most: int = 5) -> list[dict[str, Any]]:
    """Who looked at a person's sensitive values, when and what for, newest first: for that person."""
    entries = Entry.objects.filter(subject=f"person:{person_id}", action="person.revealed").order_by("-id")[:most]
    return [
        {"actor": entry.actor, "at": entry.at, "purpose": json.loads(entry.record)["data"]["purpose"]}
        for entry in entries
    ]
