"""Refusals that every service raises and every surface (page, command, API) can show.

A refusal always carries a reason in plain words: what is wrong, and what would be right. It never carries
sensitive attributes of a person.
"""

from __future__ import annotations

from collections.abc import Sequence

_LONGEST = 300  # characters of one path or message; what a refusal repeats of the input may be any length


def _showable(words: str) -> str:
    """Words that every surface can encode; a refusal may repeat what was given, half a surrogate pair included."""
    return words.encode("utf-8", "backslashreplace").decode()


def _short(words: str) -> str:
    words = _showable(words)
    return words if len(words) <= _LONGEST else f"{words[:_LONGEST]}…"


class Refused(Exception):
    """The act was not carried out; nothing was changed. ``code`` names the rule for machines, where it has a name."""

    def __init__(self, reason: str, *, code: str = "") -> None:
        reason = _showable(reason)
        super().__init__(reason)
        self.reason, self.code = reason, code


class NotFound(Refused):
    """The thing named does not exist, or the actor may not know of it."""


class PermissionRefused(Refused):
    """The actor has no right to do this, or a conflict forbids it."""


class WrongState(Refused):
    """The thing is not in a state that allows this act (any more)."""


class Invalid(Refused):
    """The input is not acceptable; ``errors`` names each place as ``(path, message)``."""

    def __init__(self, reason: str, errors: Sequence[tuple[str, str]] = ()) -> None:
        errors = [(_short(path), _short(message)) for path, message in errors]
        details = "; ".join(f"{path}: {message}" for path, message in errors)
        super().__init__(f"{reason} {details}".strip() if details else reason)
        self.errors = errors
