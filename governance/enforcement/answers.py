"""Decisions in words and as JSON: reason codes for machines, summary, next steps and trace for whoever may see them.

Truth values only: no attribute value of a person ever stands in an answer.
"""

from __future__ import annotations

from typing import Any

from governance.enforcement.decision import Covering, Decision
from governance.enforcement.settling import settling
from governance.errors import Refused
from governance.rules import explain

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


def refuse_time_travel(at: str | None) -> None:
    """History is not kept yet, so every moment but now lies before it."""
    if at is not None:
        raise Refused(
            "Decisions at another time cannot be answered: history is not kept yet. Ask without --at for the decision now."
        )


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


def next_steps(decision: Decision, manager: str | None = None) -> list[str]:
    """What the person, or somebody for them, can do. ``manager`` names whoever can file an exception for them."""
    steps = [one.text for one in settling(decision)]
    if steps:
        steps[-1] += " People operations verifies; the decision follows at once."
    if decision.code in ("directive", "directive_unknown"):
        denying = [entry for entry in decision.covering if entry.denies and not entry.waived]
        if decision.subject is not None and len(decision.subject.states) > 1:
            steps.append("A change of the record waits for a second person; until then the stricter value counts.")
        if any(entry.directive.waivable == "never" for entry in denying):
            steps.append("The directive admits no waivers; ask trust and safety.")
        elif manager:
            steps.append(f"An exception can be filed by {manager}, or by a manager above: {_named(decision)}.")
        else:
            steps.append(
                f"No manager is on record who could file an exception from {_named(decision)}; ask trust and safety."
            )
    elif decision.code == "paused":
        steps.append("Wait until the pause is lifted; ask trust and safety.")
    elif decision.code == "outside_audience":
        steps.append("Ask the model's steward whether a grant is possible.")
    elif decision.code == "cannot_decide":
        steps.append("Ask again in a moment; if it lasts, tell the platform administrators.")
    return steps


def _named(decision: Decision) -> str:
    return ", ".join(decision.directives)


def trace(decision: Decision) -> dict[str, Any]:
    """The audience and each directive in scope, as trees of truth values."""
    item, subject = decision.model_capability, decision.subject
    if item is None or subject is None:
        return {}
    audience = None
    if item.audience is not None:
        audience = {
            "slug": item.audience.slug,
            "truth": explain.WORDS[decision.audience_truth],
            "rule": explain.trace(item.audience.rule.tree, subject.states, any_state=False),
        }
    return {
        "enabled": item.enabled,
        "audience": audience,
        "grant": decision.granted,
        "directives": [_traced(entry, decision) for entry in decision.covering],
    }


def _traced(entry: Covering, decision: Decision) -> dict[str, Any]:
    assert decision.subject is not None
    return {
        "reference": entry.directive.reference,
        "effect": entry.directive.effect,
        "truth": explain.WORDS[entry.truth],
        "denies": entry.denies,
        "waived": entry.waived,
        "rule": explain.trace(entry.directive.rule.tree, decision.subject.states),
    }


def as_json(
    decision: Decision, *, explained: bool, manager: str | None = None, help_url: str = "/my-access"
) -> dict[str, Any]:
    """The answer as the decision API shapes it (CONTRACTS.md, *Decision API*). ``manager``: the id of the person's."""
    reason: dict[str, Any] = {"code": decision.code, "directives": list(decision.directives)}
    if not decision.permit:
        reason["help_url"] = help_url
    if explained:
        reason |= {
            "summary": summary(decision),
            "next_steps": next_steps(decision, manager),
            "trace": trace(decision),
        }
    context: dict[str, Any] = {"id": decision.id, "reason": reason}
    if decision.policy_epoch is not None:
        context["policy_epoch"] = decision.policy_epoch
    if decision.evaluated_at is not None:
        context["evaluated_at"] = decision.evaluated_at.isoformat()
    return {"decision": decision.permit, "context": context}


def in_words(decision: Decision, manager: str | None = None) -> str:
    """The whole explanation as plain text, without attribute values."""
    lines = [f"{'Permit' if decision.permit else 'Deny'} ({decision.code}). {summary(decision)}"]
    traced = trace(decision)
    if traced.get("audience"):
        lines.append(f"Audience {traced['audience']['slug']}: {traced['audience']['truth']}")
        lines += _tree(traced["audience"]["rule"])
        lines.append(f"Grant: {'in force' if traced['grant'] else 'none in force'}")
    for entry in traced.get("directives", ()):
        answered = ", answered by a waiver" if entry["waived"] else ", no waiver in force" if entry["denies"] else ""
        lines.append(f"Directive {entry['reference']} ({entry['effect']}): {entry['truth']}{answered}")
        lines += _tree(entry["rule"])
        if many := explain.how_many(entry["rule"]):
            lines.append(f"  {many}")
    lines += [f"Next: {step}" for step in next_steps(decision, manager)]
    return "\n".join(lines)


def _tree(node: dict[str, Any]) -> list[str]:
    return [
        f"{'  ' * (depth + 1)}{found['truth']:<8}{found['text']}{'  ← decided' if found['decided'] else ''}"
        for depth, found in explain.flatten(node)
    ]
