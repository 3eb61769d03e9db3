"""States of approval requests and their stages, and the one table of transitions for each."""

from __future__ import annotations

from django.db.models import TextChoices


class RequestState(TextChoices):
    OPEN = "open", "Open"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    WITHDRAWN = "withdrawn", "Withdrawn"


class StageState(TextChoices):
    WAITING = "waiting", "Waiting for its turn"
    OPEN = "open", "Open"
    APPROVED = "approved", "Approved"
    REJECTED = "rejected", "Rejected"
    CLOSED = "closed", "Closed"


_R, _S = RequestState, StageState
REQUEST_TRANSITIONS: frozenset[tuple[str, str]] = frozenset(
    {(_R.OPEN, _R.APPROVED), (_R.OPEN, _R.REJECTED), (_R.OPEN, _R.WITHDRAWN)}
)
STAGE_TRANSITIONS: frozenset[tuple[str, str]] = frozenset(
    {
        (_S.WAITING, _S.OPEN),
        (_S.WAITING, _S.CLOSED),
        (_S.OPEN, _S.APPROVED),
        (_S.OPEN, _S.REJECTED),
        (_S.OPEN, _S.CLOSED),
        (_S.APPROVED, _S.OPEN),  # a decision counts no more: its maker is not eligible any longer
        (_S.OPEN, _S.WAITING),  # an earlier stage was opened again
    }
)
