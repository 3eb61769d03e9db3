"""How one directive version stands to another: whom each denies at every moment from now on, and what else it says.

Two versions may cover the same people and still not be the same: one lets whoever is not known pass for a while, ends sooner,
only watches, or admits waivers. So people are compared for each stretch of time in which neither version changes what it
denies, and the terms beside the rule are named where they differ.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from governance.directives.models import Effect, OnUnknown, Waivable
from governance.enforcement.policy import DirectiveRule
from governance.rules import analysis
from governance.rules.analysis import Budget, Comparison, Coverage, Finding, Relation, Verdict
from governance.rules.language import Const

SHARE = 0.5
"""Seconds for one question of the two that everything a page asks may take: a hard one leaves time for the others."""

_NOBODY = Coverage(Const(False), unknown=False)
_WAIVERS = {
    Waivable.NEVER: "admits no waivers",
    Waivable.AUTHORITY: "admits waivers under the authority’s licence only",
    Waivable.COMPANY: "admits waivers that the company approved",
}


def in_the_end(rule: DirectiveRule) -> Coverage:
    """Whom the version covers once the time to verify is over: those not known too, unless it allows them."""
    return Coverage(rule.rule.tree, unknown=rule.on_unknown != OnUnknown.ALLOW)


def people(new: DirectiveRule, old: DirectiveRule, budget: Budget) -> Comparison:
    """How the people covered in the end stand to one another, whatever the dates and effects."""
    return analysis.compare(in_the_end(new), in_the_end(old), budget=budget.share(SHARE))


def at_every_moment(new: DirectiveRule, old: DirectiveRule, now: datetime, budget: Budget) -> Comparison:
    """The same over time: ``added`` is somebody whom the new version ever covers while the old one does not.

    What only watches covers nobody beside what denies; of two that watch, those watched are compared.
    """
    alike = new.effect == old.effect
    marks = {mark for rule in (new, old) for mark in (rule.effective_at, rule.expires_at, rule.verify_deadline) if mark}
    moments = [now, *sorted(mark for mark in marks if mark > now)]
    pairs = dict.fromkeys((_covered(new, at, alike=alike), _covered(old, at, alike=alike)) for at in moments)
    stretches = [analysis.compare(first, second, budget=budget.share(SHARE)) for first, second in pairs]
    return _together(
        _first(stretch.added for stretch in stretches),
        _first(stretch.released for stretch in stretches),
    )


def _covered(rule: DirectiveRule, at: datetime, *, alike: bool) -> Coverage:
    if not rule.counts_at(at) or not (alike or rule.effect == Effect.DENY):
        return _NOBODY
    return Coverage(rule.rule.tree, unknown=rule.unknown_denies_at(at))


def _first(findings: Iterable[Finding]) -> Finding:
    """Somebody, if any of the stretches has somebody; nobody only if none of them may have."""
    found = list(findings)
    for verdict in (Verdict.YES, Verdict.UNDETERMINED):
        for finding in found:
            if finding.verdict is verdict:
                return finding
    return Finding(Verdict.NO)


def _together(added: Finding, released: Finding) -> Comparison:
    if Verdict.UNDETERMINED in (added.verdict, released.verdict):
        return Comparison(Relation.UNDETERMINED, added, released)
    return Comparison(joined(added=bool(added), taken=bool(released)), added, released)


def joined(*, added: bool, taken: bool) -> Relation:
    """The relation of what adds something, takes something away, or both."""
    if added:
        return Relation.NEITHER if taken else Relation.WIDER
    return Relation.NARROWER if taken else Relation.SAME


def differences(new: DirectiveRule, old: DirectiveRule, name: str, now: datetime) -> str:
    """What the versions say beside rule and scope, where it is not the same, in one sentence; empty where it is."""
    pairs = [
        (_effect(new), _effect(old)),
        (_unknown(new, now), _unknown(old, now)),
        (_begin(new, now), _begin(old, now)),
        (_end(new), _end(old)),
        (_waivers(new), _waivers(old)),
    ]
    if isinstance(new.rule.tree, Const) and isinstance(old.rule.tree, Const):
        del pairs[1]  # whoever is not known is covered or not like everybody else
    unlike = [pair for pair in pairs if pair[0] != pair[1]]
    if not unlike:
        return ""
    return f"It {_listed(mine for mine, _ in unlike)}; {name} {_listed(theirs for _, theirs in unlike)}."


def _listed(phrases: Iterable[str]) -> str:
    *most, last = phrases
    return f"{', '.join(most)} and {last}" if most else last


def _effect(rule: DirectiveRule) -> str:
    return "only watches" if rule.effect == Effect.MONITOR else "denies"


def _unknown(rule: DirectiveRule, now: datetime) -> str:
    if rule.on_unknown == OnUnknown.ALLOW:
        return "lets whoever is not known pass"
    if rule.unknown_denies_at(now):
        return "stops whoever is not known"
    return f"lets whoever is not known pass{_until(rule.verify_deadline)}"


def _until(deadline: datetime | None) -> str:
    return f" until {_time(deadline)}" if deadline else " for the time to verify"


def _begin(rule: DirectiveRule, now: datetime) -> str:
    later = rule.effective_at is not None and rule.effective_at > now
    return f"takes effect on {_time(rule.effective_at)}" if later and rule.effective_at else "takes effect at once"


def _end(rule: DirectiveRule) -> str:
    return f"ends on {_time(rule.expires_at)}" if rule.expires_at else "has no end"


def _waivers(rule: DirectiveRule) -> str:
    return _WAIVERS[Waivable(rule.waivable)]


def _time(moment: datetime) -> str:
    return f"{moment:%-d %B %Y at %H:%M %Z}"
