"""States of directives and their versions, and the one table of transitions for each.

Services, buttons and the database triggers (``models.py``) all read these tables (CONTRACTS.md, *Directive: states*).
"""

from __future__ import annotations

from django.db.models import TextChoices


class DirectiveState(TextChoices):
    DRAFT = "draft", "Draft"
    SUBMITTED = "submitted", "Submitted"
    APPROVED = "approved", "Approved"
    ACTIVE = "active", "Active"
    SUSPENDED = "suspended", "Suspended"
    RESCINDED = "rescinded", "Rescinded"
    EXPIRED = "expired", "Expired"


class VersionState(TextChoices):
    DRAFT = "draft", "Draft"
    SUBMITTED = "submitted", "Submitted"
    APPROVED = "approved", "Approved"
    IN_FORCE = "in_force", "In force"
    SUPERSEDED = "superseded", "Superseded"
    ENDED = "ended", "Ended"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"


_D = DirectiveState
_KEPT = {
    _D.ACTIVE: _D.ACTIVE,
    _D.SUSPENDED: _D.SUSPENDED,
}  # a version beside the one in force leaves the directive as it is

# The one table of CONTRACTS.md, by act: from which state to which. An act on a state that is not there is refused.
DIRECTIVE_ACTS: dict[str, dict[DirectiveState, DirectiveState]] = {
    "submit": {_D.DRAFT: _D.SUBMITTED, **_KEPT},
    "approve": {_D.SUBMITTED: _D.APPROVED, **_KEPT},
    "send_back": {_D.SUBMITTED: _D.DRAFT, **_KEPT},  # rejected or withdrawn: a new draft version follows
    "redraft": {_D.APPROVED: _D.DRAFT, **_KEPT},  # a new draft takes the place of a version that was only approved
    "activate": {_D.APPROVED: _D.ACTIVE, _D.ACTIVE: _D.ACTIVE},
    "emergency": {_D.DRAFT: _D.ACTIVE, _D.SUBMITTED: _D.ACTIVE, _D.ACTIVE: _D.ACTIVE},
    "confirmation": _KEPT,
    "suspension": {_D.ACTIVE: _D.SUSPENDED},
    "resumption": {_D.SUSPENDED: _D.ACTIVE},
    "rescission": {_D.ACTIVE: _D.RESCINDED, _D.SUSPENDED: _D.RESCINDED},
    "expiry": {_D.ACTIVE: _D.EXPIRED, _D.SUSPENDED: _D.EXPIRED},
}
ACT_DONE = {
    "submit": "submitted",
    "approve": "approved",
    "send_back": "sent back",
    "redraft": "given a new version",
    "activate": "activated",
    "emergency": "activated",
    "confirmation": "confirmed",
    "suspension": "suspended",
    "resumption": "resumed",
    "rescission": "rescinded",
    "expiry": "expired",
}
DIRECTIVE_TRANSITIONS: frozenset[tuple[str, str]] = frozenset(
    (old, new) for steps in DIRECTIVE_ACTS.values() for old, new in steps.items() if old != new
)

_V = VersionState
IN_PREPARATION = (_V.DRAFT, _V.SUBMITTED, _V.APPROVED)
VERSION_TRANSITIONS: frozenset[tuple[str, str]] = frozenset(
    {
        (_V.DRAFT, _V.SUBMITTED),
        (_V.SUBMITTED, _V.APPROVED),
        (_V.SUBMITTED, _V.REJECTED),
        (_V.SUBMITTED, _V.WITHDRAWN),
        (_V.APPROVED, _V.WITHDRAWN),
        (_V.APPROVED, _V.IN_FORCE),
        (_V.DRAFT, _V.IN_FORCE),  # emergency
        (_V.SUBMITTED, _V.IN_FORCE),  # emergency
        (_V.IN_FORCE, _V.SUPERSEDED),
        (_V.IN_FORCE, _V.ENDED),
    }
)
