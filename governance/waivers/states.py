"""States of an exception request, and the one table of its transitions."""

from __future__ import annotations

from django.db.models import TextChoices


class ExceptionState(TextChoices):
    OPEN = "open", "Waiting for approval"
    APPROVED = "approved", "Approved"
    WAITING = "waiting", "Approved, waiting for a licence"
    ACCEPTING = "accepting", "Approved, waiting to be accepted"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"
    LAPSED = "lapsed", "No longer fits the directive"
    DECLINED = "declined", "Conditions not accepted"


class DraftState(TextChoices):
    """Of what is written before it is filed. Somebody's own draft is deleted when it is over; one that was asked for stays."""

    DRAFT = "draft", "Draft"
    FILED = "filed", "Filed"
    DECLINED = "declined", "Not filed"
    TAKEN_BACK = "taken_back", "Taken back"


_E = ExceptionState
EXCEPTION_TRANSITIONS: frozenset[tuple[str, str]] = frozenset(
    {
        (_E.OPEN, _E.APPROVED),
        (_E.OPEN, _E.WAITING),
        (_E.OPEN, _E.REJECTED),
        (_E.OPEN, _E.WITHDRAWN),
        (_E.WAITING, _E.APPROVED),
        (_E.WAITING, _E.WITHDRAWN),
        (_E.OPEN, _E.LAPSED),  # the directive changed or ended before it was decided
        (_E.WAITING, _E.LAPSED),
        (_E.OPEN, _E.ACCEPTING),  # it has conditions, and opens when the person accepts them
        (_E.WAITING, _E.ACCEPTING),
        (_E.ACCEPTING, _E.APPROVED),
        (_E.ACCEPTING, _E.WITHDRAWN),
        (_E.ACCEPTING, _E.LAPSED),
        (_E.ACCEPTING, _E.DECLINED),  # the person does not take it on its conditions; nothing opens
    }
)
