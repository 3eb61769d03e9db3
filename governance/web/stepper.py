"""A directive's life as the stepper shows it: what is done, where it is, what is to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from governance.directives.models import Directive, DirectiveVersion
from governance.directives.states import DirectiveState
from governance.enforcement.models import Run


@dataclass(frozen=True)
class Step:
    title: str
    state: str  # done, current, todo
    at: datetime | None = None
    note: str = ""


def steps(directive: Directive, versions: Sequence[DirectiveVersion], run: Run | None) -> list[Step]:
    """Received, drafted, submitted, approved, active, ended; of the version in force, else the newest."""
    version = directive.version_in_force or versions[0]
    reached = _reached(directive)
    facts: list[tuple[str, datetime | None, str]] = [
        ("Received", directive.received_at, directive.authority or "Our own"),
        ("Drafted", version.created_at, str(version.author or "")),
        ("Submitted", version.submitted_at, ""),
        ("Approved", version.approved_at, "Emergency: not before" if version.emergency_reason else ""),
        ("Active", version.in_force_at, f"Run {run.pk}: {run.get_state_display().lower()}" if run else ""),
        ("Ends", directive.ended_at, "" if directive.ended_at else "Suspended, rescinded, expired or replaced"),
    ]
    if directive.state == DirectiveState.SUSPENDED:
        facts[4] = ("Suspended", None, "Denies nobody now")
    if directive.ended_at:
        facts[5] = (directive.get_state_display(), directive.ended_at, "")
    return [
        Step(title, "done" if index < reached else "current" if index == reached else "todo", at, note)
        for index, (title, at, note) in enumerate(facts)
    ]


def _reached(directive: Directive) -> int:
    return {
        DirectiveState.DRAFT: 1,
        DirectiveState.SUBMITTED: 2,
        DirectiveState.APPROVED: 3,
        DirectiveState.ACTIVE: 4,
        DirectiveState.SUSPENDED: 4,
    }.get(DirectiveState(directive.state), 5)
