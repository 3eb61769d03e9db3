"""What a person keeps to while a waiver runs: what keeps it safe, the filer's words, and those that approvers added."""

from __future__ import annotations

import hashlib

from governance.people.models import Person
from governance.rules.language import canonical
from governance.waivers.models import ExceptionRequest
from governance.waivers.states import ExceptionState

NONE = ("", "none")  # mitigations that ask nothing of anybody
_OF_MITIGATIONS = {
    "supervised": "A colleague sits beside you in each session.",
    "redacted": "Nothing sensitive goes in or out.",
    "read-only": "You look at results and change nothing.",
    "escort": "A U.S. person takes part throughout.",
    "location-bound": "You use it only from the place or network that was agreed.",
    "other": "You keep to what was agreed with whoever asked for this.",
}


def of(request: ExceptionRequest) -> list[str]:
    """The conditions of an exception in the order they are read. Empty: its waiver opens at approval."""
    found = [] if request.mitigation in NONE else [_OF_MITIGATIONS.get(request.mitigation, request.mitigation)]
    if request.conditions:
        found.append(request.conditions)
    return found + [one.text for one in request.added_conditions.all() if one.revision == request.revision]


def to_accept(person: Person) -> list[ExceptionRequest]:
    """The approved exceptions that wait for the person's own word."""
    found = ExceptionRequest.objects.filter(person=person, state=ExceptionState.ACCEPTING).order_by("pk")
    return list(
        found.select_related("directive").prefetch_related(
            "added_conditions", "model_capabilities__model", "model_capabilities__capability"
        )
    )


def digest(said: list[str]) -> str:
    """What an acceptance is bound to: SHA-256 of the conditions as they were read."""
    return hashlib.sha256(canonical(said)).hexdigest()
