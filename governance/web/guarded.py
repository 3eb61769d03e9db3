"""What a rule that is being written tells of sensitive values, and to whom (docs/decisions/0012).

Whoever may not reveal sensitive values sees no figure of a draft from which one person's could be told. Figures of a version
that was submitted are exact: asking for approval is on record.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from governance.accounts.actor import Actor
from governance.directives.models import OnUnknown
from governance.directives.states import VersionState
from governance.enforcement import candidates, counting, previews
from governance.enforcement.candidates import Question
from governance.enforcement.counting import Count
from governance.enforcement.preview import Preview
from governance.rules import english, language
from governance.web.figures import FEW

NOT_SHOWN = "not shown"
_FEW = f"fewer than {FEW}"


class Line(NamedTuple):
    """One line of a guarded plan."""

    tone: str
    sign: str
    title: str
    words: str
    note: str


def counts(actor: Actor, parts: Sequence[Any]) -> list[str]:
    """What stands beside each part of a rule; empty for one that is no rule yet."""
    guard = _guards(actor)
    return ["" if one is None else _beside(one) for one in counting.count_parts(parts, apart=guard)]


def _beside(count: Count) -> str:
    if count.turned is None:
        unknown = f", unknown of {count.unknown:,}" if count.unknown else ""
        return f"True of {_people(count.true)}{unknown}"
    if _tells(count):
        return f"{_FEW.capitalize()} people make the difference: not shown"
    return f"True of {_people(count.true)}, unknown of {_figure(count.unknown)}"


def _people(number: int) -> str:
    return f"{number:,} {'person' if number == 1 else 'people'}"


def _tells(count: Count) -> bool:
    """Whether so few people turn on a sensitive value, one way or the other, that the figure tells of each."""
    return count.turned is not None and (count.turned < FEW or (count.kept or 0) < FEW)


def _figure(number: int) -> str:
    # None is as telling as one: of somebody named by everything else in the rule, it says that the value is another.
    return _FEW if number < FEW else f"{number:,}"


def plan(actor: Actor, question: Question) -> dict[str, Any]:
    """The plan of a version for the pages: ``preview`` and ``second_baseline``."""
    found = previews.preview_of(question, fingerprint=False)
    if not guards(actor, question):
        return {
            "preview": previews.as_json(question, found),
            "second_baseline": previews.second_baseline(question),
        }
    shown = _shows(question)
    second = previews.second_baseline(question) if shown else None
    return {
        "preview": _told(question, found, shown=shown),
        "second_baseline": second if second and second["lose_access"] >= FEW else None,
    }


def _told(question: Question, found: Preview, *, shown: bool) -> dict[str, Any]:
    """What is told of a preview, its figures in words. What is not in here cannot slip onto a page."""
    clock = previews.warnings_of_the_clock(
        candidates.candidate(question), found, say=lambda number: _figure(number) if shown else "some"
    )
    return {
        "guarded": True,
        "hidden": not shown,
        "lines": _lines(question, found) if shown else [],
        "lose_access": _figure(found.lose_access) if shown else NOT_SHOWN,
        "unknown": _figure(found.unknown) if shown else "",
        "population": found.population,
        "policy_epoch": found.policy_epoch,
        "rule_text": english.sentence(language.parse(candidates.content.expand(question.statement.rule))),
        "warnings": [*previews.warnings_of_statement(question), *clock],
    }


def guards(actor: Actor, question: Question) -> bool:
    """Whether figures of the version are kept from the actor: a draft whose rule asks for sensitive values.

    A draft as it was saved is on record with whoever wrote it; it is exact unless few people decide what its rule does.
    """
    if question.version.state != VersionState.DRAFT or not _guards(actor):
        return False
    tree = language.parse(candidates.content.expand(question.statement.rule))
    return language.uses_sensitive(tree) and not (candidates.is_saved(question) and _shows(question))


def _guards(actor: Actor) -> bool:
    return not actor.has("reveal_sensitive")


def _shows(question: Question) -> bool:
    whole = counting.count_parts([question.statement.rule], apart=True)[0]
    return whole is not None and not _tells(whole)


def loses(actor: Actor, question: Question) -> str:
    """How many people lose access, as the plan says it to the actor; whoever asks for approval types it."""
    found = previews.preview_of(question, fingerprint=False)
    if not guards(actor, question):
        return f"{found.lose_access:,}"
    return _figure(found.lose_access) if _shows(question) else NOT_SHOWN


def _lines(question: Question, found: Preview) -> list[Line]:
    lines = [
        Line("stop", "−", "Lose access", _figure(found.lose_access), "How they divide is shown with the request"),
        Line("keep", "=", "Keep access by waiver", _figure(found.keep_by_waiver), "Covered, and every decision in scope stays"),
    ]  # fmt: skip
    if question.statement.on_unknown_then == OnUnknown.VERIFY:
        lines.insert(
            1, Line("warn", "?", "Asked to verify", _figure(found.to_verify), "Access stays on until the deadline")
        )
    if question.directive.version_in_force_id or question.statement.replaces_id:
        lines.append(
            Line("ok", "+", "Regain access", _figure(found.regain_access), "Covered now, and no more with this version")
        )
    return lines
