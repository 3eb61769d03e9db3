"""What can keep an exception safe, each with wording for the justification that whoever files goes on from.

What stands in square brackets is for the filer to say; a justification that still has it is refused.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Mitigation:
    name: str
    label: str
    about: str
    wording: str


_STOPS = "Without access, [what stops, and for whom]."

MITIGATIONS = (
    Mitigation(
        "supervised", "Supervised session", "A colleague sits beside each session",
        f"{_STOPS} Each session is supervised: [who] sits beside it and ends it if it leaves this work.",
    ),
    Mitigation(
        "redacted", "Redacted data", "Nothing sensitive goes in or out",
        f"{_STOPS} What goes in and comes out is redacted: [who] takes out [what] before each use.",
    ),
    Mitigation(
        "read-only", "Read only", "Looks at results, changes nothing",
        f"{_STOPS} The work only reads [which results]; nothing is run or changed, and [who] checks that.",
    ),
    Mitigation(
        "escort", "U.S.-person escort", "A U.S. person takes part throughout",
        f"{_STOPS} A U.S. person, [who], takes part in each session from its beginning to its end.",
    ),
    Mitigation(
        "location-bound", "Bound to a place", "Only from a named place or network",
        f"{_STOPS} Sessions run only from [which site or network]; [who] keeps that so.",
    ),
    Mitigation(
        "other", "Other", "The reason says what keeps it safe",
        f"{_STOPS} It is kept safe by [what], and [who] sees to it.",
    ),
)  # fmt: skip
_BY_NAME = {one.name: one for one in MITIGATIONS}
_BLANKS = sorted({f"[{rest.split(']')[0]}]" for one in MITIGATIONS for rest in one.wording.split("[")[1:]})


def wording(name: str) -> str:
    """The wording to begin with; empty for a mitigation that has none."""
    return _BY_NAME[name].wording if name in _BY_NAME else ""


def in_words(name: str) -> str:
    """A mitigation as forms name it; what another door named stays as it is."""
    return _BY_NAME[name].label if name in _BY_NAME else {"none": "None of these"}.get(name, name)


def is_wording(reason: str) -> bool:
    """Whether a justification is a wording as it comes, so that another may take its place."""
    typed = " ".join(reason.split())
    return not typed or any(typed == one.wording for one in MITIGATIONS)


def blank_left(reason: str) -> str | None:
    """The first blank of a wording that a justification still has."""
    return next((blank for blank in _BLANKS if blank in reason), None)
