"""The time that some questions share. Who asks many of one page or one request gives them all one budget."""

from __future__ import annotations

import time

LIMIT = 2.0
"""Seconds that everything asked at once may take; what is not decided by then is *undetermined*."""


class TimeUp(Exception):
    """The question was not decided within its time."""


class Budget:
    """Time that runs from its creation; ``check`` stands inside every loop of a search."""

    def __init__(self, seconds: float = LIMIT, *, until: float | None = None) -> None:
        self.deadline = time.monotonic() + seconds
        if until is not None:
            self.deadline = min(self.deadline, until)

    def share(self, seconds: float) -> Budget:
        """A part for one question, so that a hard one leaves time for those after it."""
        return Budget(seconds, until=self.deadline)

    @property
    def spent(self) -> bool:
        return time.monotonic() > self.deadline

    def check(self) -> None:
        """Raise ``TimeUp`` when the time is over."""
        if self.spent:
            raise TimeUp
