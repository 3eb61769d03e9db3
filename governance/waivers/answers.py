"""What is answered when exceptions are asked for, as typed: kept in drafts, acceptable or not, and read by every door alike."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from governance.errors import Invalid
from governance.values import typed_number
from governance.waivers import limits, mitigations

FIRST_MITIGATION = "supervised"


@dataclass
class Answers:
    """The answers as typed. ``items`` are the chosen model capabilities, ``model/capability``, by person."""

    people: list[str]
    items: dict[str, list[str]] = field(default_factory=dict)
    days: str = ""
    reason: str = ""
    mitigation: str = FIRST_MITIGATION
    licence: str = ""
    conditions: str = ""

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Answers:
        """Those of a draft; what somebody asked for begins with the days that the policy proposes."""
        found = cls(**{name: values[name] for name in cls.__dataclass_fields__ if name in values})
        if "days" not in values:
            found.days = str(limits.in_force().default_days)
        return found

    def as_values(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @property
    def number_of_days(self) -> int:
        return typed_number(self.days) or 0

    def slugs(self, person_id: str) -> list[tuple[str, str]]:
        return [
            (model, capability) for model, _, capability in (n.partition("/") for n in self.items.get(person_id, []))
        ]

    def without(self, person_id: str) -> None:
        """Leave one of several people out."""
        if len(self.people) > 1 and person_id in self.people:
            self.people.remove(person_id)
            self.items.pop(person_id, None)

    def reword(self) -> None:
        """Put the wording for the mitigation in the place of what was typed, or after it."""
        wording = mitigations.wording(self.mitigation)
        typed = "" if mitigations.is_wording(self.reason) else self.reason.rstrip() + "\n\n"
        self.reason = typed + wording

    def refuse_unanswered(self) -> None:
        """Everything that is missing at once, so that nobody mends one answer to be told of the next."""
        missing = [("reason", "is required")] if not self.reason.strip() else []
        if not all(self.items.get(one) for one in self.people):
            missing.append(("capabilities", "is required"))
        most = limits.in_force().most_days
        if not 1 <= self.number_of_days <= most:
            missing.append(("days", f"must be from 1 to {most}"))
        if missing:
            raise Invalid("Some answers are missing.", missing)
