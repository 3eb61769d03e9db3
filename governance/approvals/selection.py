"""Whom a policy would select, before it is in force: by name for a risk, and whether every request could be decided."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from governance.accounts.models import User
from governance.approvals import eligibility
from governance.approvals.models import PolicyStage


@dataclass(frozen=True)
class Risk:
    """What a policy's conditions look at: the highest capability tier, for how many days, how many people, which effect."""

    tier: int = 0
    days: int = 0
    people: int = 0
    effect: str = ""


@dataclass(frozen=True)
class Selected:
    """A stage, whether a request of the risk passes it, and who could decide it, conflicts aside."""

    stage: PolicyStage
    passed: bool
    accounts: list[User]
    relations: list[str]  # whoever stands in one of these is known only for a person or thing that is asked for


def applies(stage: PolicyStage, risk: Risk) -> bool:
    """Whether a request of this risk passes the stage."""
    return (
        (stage.min_tier is None or risk.tier >= stage.min_tier)
        and (stage.more_than_days is None or risk.days > stage.more_than_days)
        and (stage.more_than_people is None or risk.people > stage.more_than_people)
        and (not stage.effects or risk.effect in stage.effects)
    )


def selects(stages: Sequence[PolicyStage], risk: Risk) -> list[Selected]:
    """Whom each stage would select for a request of the risk."""
    able = _able(stages)
    accounts = User.objects.in_bulk(set().union(*able.values())) if able else {}
    return [
        Selected(
            stage,
            applies(stage, risk),
            sorted((accounts[pk] for pk in able[index]), key=str),
            list(stage.relations),
        )
        for index, stage in enumerate(stages)
    ]


def unfillable(stages: Sequence[PolicyStage]) -> str | None:
    """Why some request could not be decided under these stages, whatever its risk; None if every one could.

    A stage that a relation may fill is counted as filled unless it names nobody else: who stands in the relation is known
    only when something is asked for, and then asked again.
    """
    able = _able(stages)
    seen: set[tuple[int, ...]] = set()
    for risk in _risks(stages):
        passed = tuple(index for index, stage in enumerate(stages) if applies(stage, risk))
        if passed in seen:
            continue
        seen.add(passed)
        if not passed:
            return f"A request {_in_words(risk)} would pass no stage, and so could never be approved."
        places = [index for index in passed if not stages[index].relations for _ in range(stages[index].quorum)]
        missing = eligibility.unfilled(places, able)
        if missing is not None:
            stage = stages[missing]
            many = f"{stage.quorum} people" if stage.quorum > 1 else "somebody"
            return (
                f"The stage “{stage.name}” needs {many} of its own, and not enough active accounts that no other stage "
                f"needs {eligibility.in_words(stage)}."
            )
    return None


def _risks(stages: Sequence[PolicyStage]) -> Iterable[Risk]:
    """One risk for each way the conditions can come out."""
    tiers = {0} | {stage.min_tier for stage in stages if stage.min_tier is not None}
    days = {0} | {stage.more_than_days + 1 for stage in stages if stage.more_than_days is not None}
    people = {0} | {stage.more_than_people + 1 for stage in stages if stage.more_than_people is not None}
    effects = {""} | {effect for stage in stages for effect in stage.effects}
    return (Risk(*each) for each in product(sorted(tiers), sorted(days), sorted(people), sorted(effects)))


def highest(stages: Sequence[PolicyStage]) -> Risk:
    """A risk that passes every stage whose conditions go by numbers; and by the first effect that is named."""
    effects = [effect for stage in stages for effect in stage.effects]
    return Risk(
        tier=max((stage.min_tier or 0 for stage in stages), default=0),
        days=max((stage.more_than_days + 1 for stage in stages if stage.more_than_days is not None), default=0),
        people=max((stage.more_than_people + 1 for stage in stages if stage.more_than_people is not None), default=0),
        effect=effects[0] if effects else "",
    )


def _in_words(risk: Risk) -> str:
    words = [f"of tier {risk.tier}"]
    words += [f"for {risk.days} days"] if risk.days else []
    words += [f"about {risk.people} people"] if risk.people else []
    words += [f"with the effect {risk.effect}"] if risk.effect else []
    return ", ".join(words)


def _able(stages: Sequence[PolicyStage]) -> Mapping[int, set[int]]:
    """The active accounts that could decide each stage by role or right; those of the fallback where that are too few."""
    groups = {name for stage in stages for name in (*stage.groups, *stage.fallback)}
    in_group = _sets(User.objects.filter(is_active=True, groups__name__in=groups).values_list("groups__name", "pk"))
    rights = {stage.permission for stage in stages if stage.permission}
    permitted = User.objects.filter(
        is_active=True,
        groups__permissions__codename__in=rights,
        groups__permissions__content_type__app_label="accounts",
        groups__permissions__content_type__model="right",
    )
    with_right = _sets(permitted.values_list("groups__permissions__codename", "pk"))
    found: dict[int, set[int]] = {}
    for index, stage in enumerate(stages):
        own = set().union(*(in_group[name] for name in stage.groups)) | with_right[stage.permission]
        fallback = set().union(*(in_group[name] for name in stage.fallback))
        found[index] = own if len(own) >= stage.quorum else own | fallback
    return found


def _sets(pairs: Iterable[tuple[Any, Any]]) -> Mapping[str, set[int]]:
    found: dict[str, set[int]] = defaultdict(set)
    for name, pk in pairs:
        found[name].add(pk)
    return found
