"""What keeps the programs from starting: always one clear line."""

from __future__ import annotations


class Unusable(Exception):
    """The environment cannot be used as it is; the message says what to change."""
