"""The attributes that rules may read, with their types, operators and choices (CONTRACTS.md, *Rules*)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Type(StrEnum):
    TEXT = "text"
    COUNTRY = "country"
    COUNTRIES = "countries"
    BOOLEAN = "boolean"
    DATE = "date"


OPERATORS: dict[Type, tuple[str, ...]] = {
    Type.TEXT: ("is", "in", "known"),
    Type.COUNTRY: ("is", "in", "known"),
    Type.COUNTRIES: ("includes_any", "includes_all", "within", "known"),
    Type.BOOLEAN: ("is", "in", "known"),
    Type.DATE: ("is", "in", "before", "on_or_after", "known"),
}
LIST_OPERATORS = frozenset({"in", "includes_any", "includes_all", "within"})

PERSON_KINDS = ("employee", "contractor", "partner", "government", "customer")
PERSON_STATUSES = ("active", "on_leave", "departed")
ORGANISATION_TYPES = ("company", "partner", "government", "research", "customer")
VETTING_STATUSES = ("none", "pending", "vetted", "rejected", "expired")


@dataclass(frozen=True)
class Attribute:
    """One attribute: ``label`` is how sentences name it, ``choices`` the closed list of its values if it has one."""

    name: str
    type: Type
    label: str
    sensitive: bool = False
    choices: tuple[str, ...] = ()

    @property
    def operators(self) -> tuple[str, ...]:
        return OPERATORS[self.type]


ATTRIBUTES: dict[str, Attribute] = {
    attribute.name: attribute
    for attribute in (
        Attribute("person.id", Type.TEXT, "person id"),
        Attribute("person.kind", Type.TEXT, "kind", choices=PERSON_KINDS),
        Attribute("person.status", Type.TEXT, "status", choices=PERSON_STATUSES),
        Attribute("person.department", Type.TEXT, "department"),
        Attribute("person.citizenships", Type.COUNTRIES, "citizenships", sensitive=True),
        Attribute("person.permanent_residences", Type.COUNTRIES, "permanent residences", sensitive=True),
        Attribute("person.protected_status", Type.BOOLEAN, "protected status", sensitive=True),
        Attribute("person.residence_country", Type.COUNTRY, "country of residence", sensitive=True),
        Attribute("person.location_country", Type.COUNTRY, "country of location"),
        Attribute("person.start_date", Type.DATE, "start date"),
        Attribute("org.id", Type.TEXT, "organisation"),
        Attribute("org.type", Type.TEXT, "organisation type", choices=ORGANISATION_TYPES),
        Attribute("org.country", Type.COUNTRY, "organisation country"),
        Attribute("org.vetting", Type.TEXT, "organisation vetting", choices=VETTING_STATUSES),
    )
}

SLOTS: tuple[str, ...] = tuple(ATTRIBUTES)
"""The order of a person's facts: compiled closures read them by position."""

SENSITIVE: frozenset[str] = frozenset(name for name, attribute in ATTRIBUTES.items() if attribute.sensitive)
