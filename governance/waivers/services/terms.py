"""What is asked for, judged: the same for a filing and for an edit."""

from __future__ import annotations

from collections.abc import Sequence

from governance.approvals.services import Risk
from governance.catalog.models import ModelCapability
from governance.directives.models import Directive
from governance.errors import Invalid, WrongState
from governance.people.models import Person
from governance.values import Unfit, longest, text
from governance.waivers import limits, mitigations, queries
from governance.waivers.attachments import MOST_FILES, Attached
from governance.waivers.models import ExceptionRequest, Waiver
from governance.waivers.services.requests import in_words, names

_LONGEST_REASON = 4_000


def check_terms(
    items: Sequence[ModelCapability], *, days: int, reason: str, mitigation: str, attached: Sequence[Attached]
) -> tuple[str, str]:
    """The reason and the mitigation as they are stored. Raises ``Invalid`` with the field that does not fit."""
    reason = short_text("reason", reason, _LONGEST_REASON).strip()
    mitigation = short_text("mitigation", mitigation, longest(ExceptionRequest, "mitigation"))
    _check_days(days, items)
    if not reason:
        raise Invalid("An exception needs a reason.", [("reason", "is required")])
    blank = mitigations.blank_left(reason)
    if blank is not None:
        raise Invalid("The reason has a blank left.", [("reason", f"still has {blank}: say what belongs there")])
    if len({one.sha256 for one in attached}) > MOST_FILES:
        raise Invalid("Too many files.", [("attachments", f"at most {MOST_FILES} files")])
    return reason, mitigation


def short_text(name: str, given: str, limit: int) -> str:
    """Text that can be stored, or ``Invalid`` with the field named."""
    try:
        return text(given, limit)
    except Unfit as unfit:
        raise Invalid("The exception is not acceptable.", [(name, unfit.reason)]) from None


def _check_days(days: int, items: Sequence[ModelCapability]) -> None:
    found = limits.in_force()
    most = found.of(items)
    if not isinstance(days, int) or isinstance(days, bool) or not 1 <= days <= most:
        raise Invalid("The duration is not acceptable.", [("days", f"must be from 1 to {most}{found.why(items)}")])


def refuse_overlap(
    directive: Directive,
    person: Person,
    items: Sequence[ModelCapability],
    *,
    but: ExceptionRequest | None = None,
    waiver: Waiver | None = None,
) -> None:
    """Refuse what another request asks for, or a waiver gives already, naming it. ``but`` and ``waiver`` are left out."""
    wanted = {item.pk: item for item in items}
    for overlap in queries.overlaps(directive, [person.pk]):
        same = wanted.get(overlap.item_id)
        if same is None or (but is not None and overlap.exception_id == but.pk):
            continue
        if waiver is not None and overlap.exception_id == waiver.request_id:
            continue
        raise WrongState(f"{overlap.words} ({names([same])[0]}).")


def risk_of(items: Sequence[ModelCapability], days: int) -> Risk:
    return Risk(tier=max(item.capability.tier for item in items), days=days)


def summary_of(person: Person, items: Sequence[ModelCapability], days: int) -> str:
    return f"{person.name}: {in_words(items)}, {days} days"
