"""Why a decision is as it is, and what would change it: one structure behind the page, the decision API and ``why``.

Truth values only: no attribute value of a person ever stands in an explanation. The explanations of one request share a budget
of time; people of whom rules read the same share their traces.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from governance.enforcement import permissions
from governance.enforcement.decision import Covering, Decision, Subject
from governance.enforcement.permissions import NOTHING, Grant, OnFile, Waiver, on_file
from governance.enforcement.policy import CompiledRule
from governance.enforcement.settling import Settling, Undetermined, conditions_of, facts_of, listed, settling
from governance.enforcement.sources import CannotDecide
from governance.rules import explain
from governance.rules.analysis import Budget
from governance.rules.attributes import SLOTS
from governance.rules.language import attributes_of

SECONDS = 1.0
"""For everything that the explanations of one request compute beyond the decisions themselves."""

_SUMMARIES = {
    "unknown_subject": "There is nobody of that id.",
    "unknown_resource": "There is no such model to decide on.",
    "unknown_action": "There is no such capability.",
    "capability_disabled": "The capability is not enabled on this model.",
    "outside_audience": "The person is not in the audience of this model capability, and no grant is in force.",
    "cannot_decide": "The decision could not be computed, so the answer is deny. Ask again in a moment.",
    "audience": "The person is in the audience, and no directive in force denies it.",
    "grant": "A grant in force permits it, and no directive in force denies it.",
}


class Step(NamedTuple):
    """One thing that would change the answer, who does it, and what follows. ``about``: the exception it is about."""

    kind: str
    text: str
    who: str
    then: str
    about: int | None = None

    @property
    def sentence(self) -> str:
        return f"{self.text} {self.who}".strip()


@dataclass(frozen=True)
class Explanation:
    summary: str
    steps: tuple[Step, ...]
    trace: dict[str, Any]


def summary(decision: Decision) -> str:
    """One sentence that says what decided."""
    named = ", ".join(decision.directives)
    if decision.code == "waiver":
        return f"A waiver in force answers {named}."
    if decision.code == "paused":
        return f"A pause is in force: {named}."
    if decision.code == "directive":
        return f"{named} covers the person."
    if decision.code == "directive_unknown":
        return f"What {named} asks about is not on record, and what is not known is denied."
    return _SUMMARIES[decision.code]


def explain_now(decision: Decision, *, manager: str | None = None) -> Explanation:
    """The explanation of one decision, with what is on file read for it. ``manager``: how to name the manager, if not by id."""
    files: Mapping[str, OnFile] = {}
    if decision.subject is not None:
        try:
            files = on_file([_person(decision.subject)])
        except CannotDecide:
            files = {}  # the decision stands; what lies beside it cannot be read
    return Explainer(files).explain(decision, manager=manager)


class Explainer:
    """Explains the decisions of one request. ``files``: what is on file, by person."""

    def __init__(self, files: Mapping[str, OnFile]) -> None:
        self._files, self._budget = files, Budget(SECONDS)
        self._read: dict[
            int, list[int]
        ] = {}  # which facts a rule reads, by its identity: the policy outlives a request
        self._traces: dict[Any, dict[str, Any]] = {}
        self._settlings: dict[Any, list[Settling] | None] = {}

    def explain(self, decision: Decision, *, manager: str | None = None) -> Explanation:
        file = self._files.get(_person(decision.subject), NOTHING) if decision.subject is not None else NOTHING
        trace = self._trace(decision, file)
        steps = (
            [] if decision.permit else [*self._verifying(decision), *_steps(decision, file, manager or file.manager)]
        )
        return Explanation(summary(decision), tuple(steps), trace)

    # -- the trace -----------------------------------------------------------------------------------------------------

    def _trace(self, decision: Decision, file: OnFile) -> dict[str, Any]:
        """The audience, the grants, and each directive in scope with its waivers; rules as trees of truth values."""
        item, subject = decision.model_capability, decision.subject
        if item is None or subject is None:
            return {}
        audience = None
        if item.audience is not None:
            audience = {
                "slug": item.audience.slug,
                "truth": explain.WORDS[decision.audience_truth],
                "rule": self._rule(item.audience.rule, subject, any_state=False),
            }
        return {
            "enabled": item.enabled,
            "audience": audience,
            "grant": decision.granted,
            "grants": [_of_grant(grant, subject) for grant in file.grants if grant.item_id == item.id],
            "directives": [self._directive(entry, item.id, subject, file) for entry in decision.covering],
        }

    def _directive(self, entry: Covering, item_id: int, subject: Subject, file: OnFile) -> dict[str, Any]:
        directive = entry.directive
        waivers = [w for w in file.waivers if w.directive_id == directive.directive_id and item_id in w.items]
        return {
            "reference": directive.reference,
            "effect": directive.effect,
            "truth": explain.WORDS[entry.truth],
            "denies": entry.denies,
            "waived": entry.waived,
            "says": _says(entry, subject.now),
            "waiver_in_force": (directive.directive_id, item_id) in subject.waivers,
            "waivers": [_of_waiver(waiver, subject.now) for waiver in waivers],
            "exceptions_waiting": [one.id for one in file.asked if _asks(one, directive.directive_id, item_id)],
            "rule": self._rule(directive.rule, subject),
        }

    def _rule(self, rule: CompiledRule, subject: Subject, *, any_state: bool = True) -> dict[str, Any] | None:
        """The trace of a rule; None once the time is over. Shared: nobody may change what is returned."""
        if id(rule) not in self._read:
            named = attributes_of(rule.tree)
            self._read[id(rule)] = [index for index, name in enumerate(SLOTS) if name in named]
        key = (id(rule), any_state, tuple(_plain(state, self._read[id(rule)]) for state in subject.states))
        if key not in self._traces:
            if self._budget.spent:
                return None
            self._traces[key] = explain.trace(rule.tree, subject.states, any_state=any_state)
        return self._traces[key]

    # -- what would change it --------------------------------------------------------------------------------------------

    def _verifying(self, decision: Decision) -> list[Step]:
        """What verifying would settle; where that took too long, a word that says so."""
        conditions = conditions_of(decision)
        if not conditions:
            return []
        facts = facts_of(decision)
        read = sorted({"org.id"}.union(*(attributes_of(one.rule) for one in conditions)))
        key = (tuple((one.name, id(one.rule), one.permits) for one in conditions), _plain(facts, read))
        if key not in self._settlings:
            try:
                self._settlings[key] = settling(conditions, facts, self._budget)
            except Undetermined:
                self._settlings[key] = None
        found = self._settlings[key]
        if found is None:
            return [
                Step(
                    "undetermined",
                    "Whether verifying anything would settle this could not be computed in time.",
                    "",
                    "–",
                )
            ]
        who = "People operations verifies, and a second person confirms what opens access."
        return [Step("verify", one.text, who, "Decided anew") for one in found]


def _person(subject: Subject) -> str:
    return str(subject.states[0][SLOTS.index("person.id")]) if subject.states else ""


def _plain(values: Any, read: Sequence[Any]) -> tuple[Any, ...]:
    """What is read of a person, as something to look up by."""
    return tuple(tuple(value) if isinstance(value := values[name], list) else value for name in read)


def _of_waiver(waiver: Waiver, now: datetime) -> dict[str, Any]:
    return _dated(waiver, waiver.state(now)) | {"exception": waiver.exception}


_STATUS, _ORGANISATION = SLOTS.index("person.status"), SLOTS.index("org.id")


def _of_grant(grant: Grant, subject: Subject) -> dict[str, Any]:
    """A grant as it counted: one in force by its dates does not for whoever has left, an organisation's not during a move."""
    state = grant.state(subject.now)
    left = any(one[_STATUS] == "departed" for one in subject.states)
    moves = len({one[_ORGANISATION] for one in subject.states}) > 1
    if state == permissions.IN_FORCE and (left or (grant.organisation is not None and moves)):
        state = permissions.SET_ASIDE
    return _dated(grant, state) | {"to": "person" if grant.organisation is None else "organisation"}


def _dated(permission: Waiver | Grant, state: str) -> dict[str, Any]:
    return {
        "id": permission.id,
        "from": permission.starts_at.isoformat(),
        "until": permission.ends_at.isoformat(),
        "state": state,
    }


def _asks(asked: permissions.Asked, directive_id: int, item_id: int) -> bool:
    return asked.directive_id == directive_id and item_id in asked.items


def _says(entry: Covering, now: datetime) -> str:
    """What the directive does here, as the rest of a sentence that begins with its reference."""
    directive = entry.directive
    if directive.effect != "deny":
        return "only watches, and denies nobody"
    if entry.truth is None and not entry.denies:
        if directive.on_unknown == "verify":
            return "does not deny yet: what it asks about is not on record, and there is time to verify it"
        return "does not deny: what it asks about is not on record, and it lets that pass"
    if entry.truth is False:
        return "does not apply"
    why = "applies" if entry.truth else "asks about what is not on record"
    return f"{why}, and a waiver answers it" if entry.waived else f"{why}, and denies"


# -- steps -----------------------------------------------------------------------------------------------------------------


def _steps(decision: Decision, file: OnFile, manager: str | None) -> list[Step]:
    """What somebody can do beside verifying, in the order in which it is worth trying."""
    if decision.code == "capability_disabled":
        return [
            Step(
                "enable", "The capability is off on this model for everybody.", "Ask the model’s steward.", "Stays off"
            )
        ]
    if decision.code == "cannot_decide":
        return [
            Step("again", "Ask again in a moment.", "If it lasts, tell the platform administrators.", "Decided anew")
        ]
    if decision.model_capability is None or decision.subject is None:
        return []
    denying = [entry for entry in decision.covering if entry.denies and not entry.waived]
    found = []
    if len(decision.subject.states) > 1:
        text = "A change of the record waits; until then the stricter value counts."
        found.append(Step("held", text, "A second person confirms it.", "Decided anew"))
    if decision.code == "outside_audience":
        return [*found, _grant_step(denying)]
    for entry in denying:
        if entry.directive.kind == "pause":
            text = f"{entry.directive.reference} is a pause, and may be lifted."
            found.append(Step("pause", text, "Ask trust and safety.", _then("Decided anew", entry, denying)))
    found += _exception_steps(decision, denying, file, manager)
    if any(entry.truth and attributes_of(entry.directive.rule.tree) for entry in denying):
        who = "People operations corrects it, and a second person confirms what opens access."
        found.append(Step("record", "If the record is wrong, a correction is decided on anew.", who, "Decided anew"))
    return found


def _then(words: str, answered: Covering, denying: list[Covering]) -> str:
    """What follows once one of the directives that deny is answered."""
    others = [entry.directive.reference for entry in denying if entry is not answered]
    return f"Still denied by {listed(others)}" if others else words


def _grant_step(denying: list[Covering]) -> Step:
    who = "Ask the model’s steward whether one is possible."
    if not denying:
        return Step("grant", "A grant would admit the person.", who, "Permitted while it runs")
    named = listed([entry.directive.reference for entry in denying])
    return Step("grant", f"A grant alone would not do: {named} would still deny.", who, f"Still denied by {named}")


def _exception_steps(decision: Decision, denying: list[Covering], file: OnFile, manager: str | None) -> list[Step]:
    assert decision.model_capability is not None
    item_id, found, free = decision.model_capability.id, [], []
    for entry in denying:
        waiting = [one for one in file.asked if _asks(one, entry.directive.directive_id, item_id)]
        for one in waiting:
            then = _then(f"Permitted for {one.days} {'day' if one.days == 1 else 'days'}", entry, denying)
            text = f"Exception {one.id} from {entry.directive.reference} waits for its approval."
            found.append(Step("waiting", text, "It does not count until then.", then, one.id))
        if not waiting:
            free.append(entry.directive)
    never = [directive.reference for directive in free if directive.waivable == "never"]
    if never:
        admits = "admits" if len(never) == 1 else "admit"
        return [*found, Step("never", f"{listed(never)} {admits} no waivers.", "Ask trust and safety.", "Stays denied")]
    if free:
        named = listed([directive.reference for directive in free])
        who = f"{manager}, or a manager above, can file it." if manager else (
            "No manager is on record who could file it; ask trust and safety."
        )  # fmt: skip
        text = f"An exception from {named} can be asked for."
        if len(free) > 1:
            text = f"Exceptions from {named} can be asked for; each is needed."
        found.append(Step("exception", text, who, "Permitted for its days"))
    return found
