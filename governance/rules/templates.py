"""Rules to begin with. The lists of countries are to be filled in; what each means is a legal choice, so each says so."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_CITIZEN = {"attr": "person.citizenships", "op": "includes_any", "value": ["US"]}
_RESIDENT = {"attr": "person.permanent_residences", "op": "includes_any", "value": ["US"]}
_PROTECTED = {"attr": "person.protected_status", "op": "is", "value": True}


@dataclass(frozen=True)
class Template:
    slug: str
    title: str
    about: str
    rule: Any


TEMPLATES: tuple[Template, ...] = (
    Template(
        "foreign-nationals", "All foreign nationals",
        "Everybody without United States citizenship, permanent residents and refugees too.",
        {"not": _CITIZEN},
    ),
    Template(
        "foreign-persons", "Export-control foreign person",
        "Neither citizen nor permanent resident nor protected individual (15 CFR 772.1, 8 USC 1324b(a)(3)).",
        {"not": {"any": [_CITIZEN, _RESIDENT, _PROTECTED]}},
    ),
    Template(
        "listed-countries", "Citizens or residents of listed countries",
        "Add the countries to each list. A second citizenship of a listed country counts.",
        {
            "any": [
                {"attr": "person.citizenships", "op": "includes_any", "value": []},
                {"attr": "person.permanent_residences", "op": "includes_any", "value": []},
                {"attr": "person.residence_country", "op": "in", "value": []},
            ]
        },
    ),
    Template(
        "located-in", "People located in listed countries",
        "Add the countries. Where people are, not who they are.",
        {"attr": "person.location_country", "op": "in", "value": []},
    ),
    Template(
        "outside-vetted", "Everyone outside vetted institutions",
        "Everybody whose organisation is not vetted now.",
        {"not": {"attr": "org.vetting", "op": "is", "value": "vetted"}},
    ),
    Template("pause", "Pause", "Everybody, for as long as the pause is in force.", True),
)  # fmt: skip


def rule_of(slug: str) -> Any:
    """The rule of a template; nobody for a name that is none."""
    return next((template.rule for template in TEMPLATES if template.slug == slug), False)
