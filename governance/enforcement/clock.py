"""What the clock alone changes about a directive: its effective time, its verify deadline, its expiry.

Decisions read the clock themselves. Restrictions follow within a minute: a directive whose phase differs from the phase
of its last run is *due*, and the sweep starts a run for it.
"""

from __future__ import annotations

from datetime import datetime

from governance.directives.models import Directive, OnUnknown
from governance.directives.states import DirectiveState


def phase(directive: Directive, now: datetime) -> str:
    """The phase of an active directive: ``pending``, ``effective``, ``verified`` (deadline passed), ``expired``; else ``off``.

    A suspended one has no phase but the last: its term runs on and ends.
    """
    version = directive.version_in_force
    if directive.term_ended(now):
        return "expired"
    if directive.state != DirectiveState.ACTIVE or version is None:
        return "off"
    if version.effective_at is not None and now < version.effective_at:
        return "pending"
    deadline_passed = directive.verify_deadline is not None and directive.verify_deadline <= now
    return "verified" if version.on_unknown_then == OnUnknown.VERIFY and deadline_passed else "effective"
