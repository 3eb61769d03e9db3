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
DIRECTIVE_TRANSITIONS: frozenset[tuple[str, str]] = frozenset(
    {
        (_D.DRAFT, _D.SUBMITTED),
        (_D.SUBMITTED, _D.APPROVED),
        (_D.SUBMITTED, _D.DRAFT),  # rejected or withdrawn: a new draft version follows
        (_D.APPROVED, _D.DRAFT),  # the approved version is replaced by a new draft before it took force
        (_D.APPROVED, _D.ACTIVE),
        (_D.DRAFT, _D.ACTIVE),  # emergency
        (_D.SUBMITTED, _D.ACTIVE),  # emergency
        (_D.ACTIVE, _D.SUSPENDED),
        (_D.SUSPENDED, _D.ACTIVE),
        (_D.ACTIVE, _D.RESCINDED),
        (_D.SUSPENDED, _D.RESCINDED),
        (_D.ACTIVE, _D.EXPIRED),
        (_D.SUSPENDED, _D.EXPIRED),
    }
)

_V = VersionState
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
