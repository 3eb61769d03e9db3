"""States of announcements, of their chunks and of each message's e-mail, with the one table of transitions for each."""

from __future__ import annotations

from django.db.models import TextChoices


class AnnouncementState(TextChoices):
    HELD = "held", "Held for counsel"
    RELEASED = "released", "Being sent"
    FINISHED = "finished", "Sent"
    STOPPED = "stopped", "Stopped"
    OVERTAKEN = "overtaken", "Overtaken"


class MailState(TextChoices):
    NONE = "none", "No address"
    DUE = "due", "To be sent"
    CLAIMED = "claimed", "In a worker’s hands"  # not handed over yet: it may be taken back
    SENDING = "sending", "Being handed over"
    SENT = "sent", "Sent"
    BOUNCED = "bounced", "Came back"
    FAILED = "failed", "Could not be sent"
    UNCLEAR = "unclear", "Sent or not: unknown"  # the worker died between handing over and saying so
    DROPPED = "dropped", "Stopped before it was sent"


_A, _M = AnnouncementState, MailState
TRANSITIONS: frozenset[tuple[str, str]] = frozenset(
    {
        (_A.HELD, _A.RELEASED),
        (_A.HELD, _A.STOPPED),
        (_A.HELD, _A.OVERTAKEN),
        (_A.RELEASED, _A.FINISHED),
        (_A.RELEASED, _A.STOPPED),
        (_A.RELEASED, _A.OVERTAKEN),
        (_A.FINISHED, _A.RELEASED),  # one that came back is sent again
    }
)
# Nothing leads from "sending" or "sent" back to "due" by itself: nobody is told twice because a worker died.
MAIL_TRANSITIONS: frozenset[tuple[str, str]] = frozenset(
    {
        (_M.DUE, _M.CLAIMED),
        (_M.CLAIMED, _M.DUE),
        (_M.CLAIMED, _M.SENDING),
        (_M.SENDING, _M.SENT),
        (_M.SENDING, _M.DUE),  # the mail server said that it did not take it
        (_M.SENDING, _M.FAILED),
        (_M.SENDING, _M.BOUNCED),
        (_M.SENDING, _M.UNCLEAR),
        (_M.SENT, _M.BOUNCED),
        (_M.UNCLEAR, _M.BOUNCED),
        (_M.UNCLEAR, _M.SENT),
        (_M.DUE, _M.DROPPED),
        (_M.CLAIMED, _M.DROPPED),
        (_M.BOUNCED, _M.DUE),  # by an operator, who asked for it
        (_M.FAILED, _M.DUE),
        (_M.UNCLEAR, _M.DUE),
    }
)
ON_THE_WAY = (_M.DUE, _M.CLAIMED, _M.SENDING)
NOT_DELIVERED = (_M.BOUNCED, _M.FAILED, _M.UNCLEAR)
"""What an operator looks at, and may send again."""
