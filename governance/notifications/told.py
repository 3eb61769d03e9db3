"""One account that is told of an event."""

from __future__ import annotations

from typing import NamedTuple

from governance.notifications.models import Kind


class Told(NamedTuple):
    """Who, as which kind, about what, in which words."""

    user_id: int
    kind: Kind
    subject: str
    title: str
