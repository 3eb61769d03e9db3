"""Who may hold a thread of the web server, so that decisions always find one free.

Pages, searches and decisions share the threads of a process. A page holds one as long as its caller takes to send the body,
a search as long as its statement runs; a caller who sends slowly could hold them all. So both have a number of places of
their own, and whoever finds none free is told so at once: what is left over belongs to decisions.
"""

from __future__ import annotations

from collections import deque

THREADS = 16
"""Of one process of the web server: places for pages and searches, and at least four for decisions."""
PAGES = 10
SEARCHES = 2


class Places:
    """A fixed number of places; taking one never waits."""

    def __init__(self, number: int) -> None:
        self._free = deque(range(number))  # its methods are atomic, and cheaper than a semaphore

    def take(self) -> bool:
        try:
            self._free.pop()
        except IndexError:
            return False
        return True

    def give_back(self) -> None:
        self._free.append(0)
