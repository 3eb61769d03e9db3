"""For how long an exception may ask: part of the approval policy for exceptions, changed as that is, with a second person's approval."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from governance.approvals import queries as approvals
from governance.catalog.models import ModelCapability
from governance.errors import Invalid
from governance.values import Unfit, whole_number

KIND = "exception"
LONGEST = 366  # days that any policy may allow
_MOST_TIERS, _HIGHEST_TIER = 9, 9


@dataclass(frozen=True)
class Limits:
    """``by_tier``: pairs of a tier and the most days from that tier on, by tier."""

    default_days: int
    most_days: int
    by_tier: tuple[tuple[int, int], ...] = ()

    def of_tier(self, tier: int) -> int:
        """For how many days a request of that highest tier may ask."""
        return min([self.most_days, *(days for least, days in self.by_tier if least <= tier)])

    def of(self, items: Collection[ModelCapability]) -> int:
        return self.of_tier(max(item.capability.tier for item in items))

    def why(self, items: Collection[ModelCapability]) -> str:
        """Which tier keeps it that short, in words; empty where none does."""
        tier = max(item.capability.tier for item in items)
        holding = [least for least, days in self.by_tier if least <= tier and days == self.of_tier(tier)]
        return f" for a capability of tier {tier}" if holding and self.of_tier(tier) < self.most_days else ""

    @property
    def in_words(self) -> str:
        """*At most 90; with a capability of tier 4 or higher at most 30.*"""
        tiers = [f"with a capability of tier {tier} or higher at most {days}" for tier, days in self.by_tier]
        return "; ".join([f"At most {self.most_days}", *tiers]) + "."

    def as_terms(self) -> dict[str, Any]:
        """As it stands in a version of the policy."""
        return {
            "default_days": self.default_days, "most_days": self.most_days,
            "most_days_by_tier": {str(tier): days for tier, days in self.by_tier},
        }  # fmt: skip


def in_force() -> Limits:
    """What the policy in force says."""
    return read(approvals.terms_in_force(KIND))


def read(terms: Mapping[str, Any]) -> Limits:
    """Limits as somebody wrote them. Raises ``Invalid`` with the place of each error."""
    errors: list[tuple[str, str]] = []

    def number(value: object, name: str, least: int, most: int) -> int:
        try:
            return whole_number(value, least, most)
        except Unfit as unfit:
            errors.append((name, unfit.reason))
            return most

    most_days = number(terms.get("most_days"), "most_days", 1, LONGEST)
    default_days = number(terms.get("default_days"), "default_days", 1, LONGEST)
    tiers = terms.get("most_days_by_tier", {})
    found = []
    if not isinstance(tiers, Mapping) or len(tiers) > _MOST_TIERS:
        errors.append(("most_days_by_tier", "must be a number of days for each tier"))
        tiers = {}
    for tier, days in tiers.items():
        if tier not in {str(each) for each in range(1, _HIGHEST_TIER + 1)}:
            errors.append(("most_days_by_tier", f"a tier is a whole number from 1 to {_HIGHEST_TIER}"))
            continue
        found.append((int(tier), number(days, f"most_days_by_tier.{tier}", 1, LONGEST)))
    if not errors:
        if default_days > most_days:
            errors.append(("default_days", "must not be more than the most"))
        if any(days > most_days for _, days in found):
            errors.append(("most_days_by_tier", "must not be more than the most for every tier"))
    if errors:
        raise Invalid("The limits are not acceptable.", errors)
    return Limits(default_days, most_days, tuple(sorted(found)))
