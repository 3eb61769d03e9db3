"""The form of an approval policy: its stages as rows of fields, as typed, and as the service reads them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.http import QueryDict

from governance.approvals.models import PolicyStage
from governance.approvals.selection import Risk
from governance.values import typed_number
from governance.waivers.limits import Limits

NUMBERS = (
    "position", "quorum", "min_tier", "more_than_days", "more_than_people", "due_hours", "remind_hours",
)  # fmt: skip
LISTS = ("groups", "relations", "fallback", "escalate_to", "effects")
_MOST = 20  # rows read from a form; the service judges how many a policy may have


@dataclass
class Row:
    """One stage as typed."""

    values: dict[str, Any]
    errors: dict[str, str] = field(default_factory=dict)


def rows_of_stages(stages: Sequence[PolicyStage]) -> list[Row]:
    return [Row({name: _shown(getattr(stage, name)) for name in _NAMES}) for stage in stages]


_NAMES = (*NUMBERS, *LISTS, "name", "permission", "business_hours", "at_end")


def _shown(value: Any) -> Any:
    return "" if value is None else str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def new_row(position: int) -> Row:
    return Row({"position": str(position), "quorum": "1", "at_end": "wait", "groups": [], "relations": []})


def rows_of(post: QueryDict) -> list[Row]:
    """The rows of the form as they were typed."""
    count = min(typed_number(post.get("rows", "")) or 0, _MOST)
    return [Row(_typed(post, index)) for index in range(count)]


def _typed(post: QueryDict, index: int) -> dict[str, Any]:
    values: dict[str, Any] = {
        name: post.get(f"{name}-{index}", "").strip() for name in (*NUMBERS, "name", "permission")
    }
    values |= {name: post.getlist(f"{name}-{index}") for name in LISTS}
    values["business_hours"] = post.get(f"business_hours-{index}") == "on"
    values["at_end"] = post.get(f"at_end-{index}", "wait")
    return values


def as_stages(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """The rows as fields of stages; a number that is none stays text, which the service refuses by name."""
    return [row.values | {name: _number(row.values.get(name, "")) for name in NUMBERS} for row in rows]


def _number(typed: str) -> int | str | None:
    if typed == "":
        return None
    number = typed_number(typed)
    return typed if number is None else number


TIERS = (1, 2, 3, 4)


@dataclass
class LimitsRow:
    """For how long requests may ask, as typed: the days proposed, the most, and the most from a tier on."""

    default_days: str
    most_days: str
    by_tier: dict[int, str]

    def fields(self, wrong: Mapping[str, str]) -> list[tuple[str, str, str, str]]:
        """Name, label, value and error of each field."""
        found = [
            ("default_days", "Days proposed", self.default_days),
            ("most_days", "Days at most", self.most_days),
            *((f"most_days_by_tier.{tier}", f"At most from tier {tier}", self.by_tier.get(tier, "")) for tier in TIERS),
        ]
        return [(name, label, value, wrong.get(name, "")) for name, label, value in found]

    def as_terms(self) -> dict[str, Any]:
        """As the service reads them; what is no number stays text, which it refuses by name."""
        return {
            "default_days": _number(self.default_days), "most_days": _number(self.most_days),
            "most_days_by_tier": {str(tier): _number(typed) for tier, typed in self.by_tier.items() if typed},
        }  # fmt: skip


def limits_of(found: Limits) -> LimitsRow:
    return LimitsRow(str(found.default_days), str(found.most_days), {tier: str(days) for tier, days in found.by_tier})


def limits_from(post: QueryDict) -> LimitsRow:
    typed = {tier: post.get(f"most_days_by_tier.{tier}", "").strip() for tier in TIERS}
    return LimitsRow(post.get("default_days", "").strip(), post.get("most_days", "").strip(), typed)


# As the form calls its fields: an error names what is to be changed by the words beside it.
_LABELS = {
    "default_days": "Days proposed", "most_days": "Days at most", "most_days_by_tier": "Days for a tier",
    "quorum": "How many decide", "groups": "Who may decide", "permission": "Or who has the right",
    "relations": "Or who stands in a relation", "min_tier": "From tier", "more_than_days": "More days than",
    "more_than_people": "More people than", "effects": "Effect", "due_hours": "Due after hours",
    "remind_hours": "Remind after hours", "at_end": "Then", "escalate_to": "It escalates to",
    "fallback": "Who decides when too few of the above could",
}  # fmt: skip


def spread(rows: Sequence[Row], errors: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Put each error at its row, and give all of them under the names that the form's fields have."""
    found = []
    for path, words in errors:
        place, _, name = path.partition("].")
        number = typed_number(place.removeprefix("stages["))
        if name and number is not None and number < len(rows):
            rows[number].errors[name] = words
            found.append((f"{name}-{number}", f"Stage {number + 1}, “{_LABELS.get(name, name.capitalize())}”: {words}"))
        else:
            label = _LABELS.get(path.partition(".")[0], "")
            found.append((path, f"{label} {words}".strip()))
    return found


def risk_of(source: QueryDict) -> Risk:
    """The risk that a preview is asked for."""
    numbers = {name: typed_number(source.get(f"risk_{name}", "")) or 0 for name in ("tier", "days", "people")}
    return Risk(**numbers, effect=source.get("risk_effect", "deny"))
