"""Decisions as JSON and as text: reason codes for machines; summary, next steps and trace for whoever may see them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from governance.enforcement.decision import Decision
from governance.enforcement.explanation import Explanation
from governance.enforcement.permissions import STATES
from governance.errors import Refused
from governance.rules import explain


def refuse_time_travel(at: str | None) -> None:
    """History is not kept yet, so every moment but now lies before it."""
    if at is not None:
        raise Refused(
            "Decisions at another time cannot be answered: history is not kept yet. Ask without --at for the decision now."
        )


def as_json(
    decision: Decision, explanation: Explanation | None = None, *, help_url: str = "/my-access"
) -> dict[str, Any]:
    """The answer as the decision API shapes it (CONTRACTS.md, *Decision API*)."""
    reason: dict[str, Any] = {"code": decision.code, "directives": list(decision.directives)}
    if not decision.permit:
        reason["help_url"] = help_url
    if explanation is not None:
        reason |= {
            "summary": explanation.summary,
            "next_steps": [step.sentence for step in explanation.steps],
            "trace": explanation.trace,
        }
    context: dict[str, Any] = {"id": decision.id, "reason": reason}
    if decision.policy_epoch is not None:
        context["policy_epoch"] = decision.policy_epoch
    if decision.evaluated_at is not None:
        context["evaluated_at"] = decision.evaluated_at.isoformat()
    return {"decision": decision.permit, "context": context}


def in_words(decision: Decision, explanation: Explanation) -> str:
    """The whole explanation as plain text."""
    lines = [f"{'Permit' if decision.permit else 'Deny'} ({decision.code}). {explanation.summary}"]
    lines += _traced(explanation.trace) if explanation.trace else []
    lines += [f"Next: {step.sentence}" for step in explanation.steps]
    return "\n".join(lines)


def _traced(trace: dict[str, Any]) -> Iterator[str]:
    if trace["audience"]:
        yield f"Audience {trace['audience']['slug']}: {trace['audience']['truth']}"
        yield from _tree(trace["audience"]["rule"])
    yield f"Grant: {'in force' if trace['grant'] else 'none in force'}"
    yield from (_permission("grant", grant) for grant in trace["grants"])
    for entry in trace["directives"]:
        yield f"{entry['reference']} {entry['says']} ({entry['truth']})"
        yield from _tree(entry["rule"])
        yield f"  Waiver: {'in force' if entry['waiver_in_force'] else 'none in force'}"
        yield from (_permission("waiver", waiver) for waiver in entry["waivers"])


def _permission(what: str, found: dict[str, Any]) -> str:
    begin, end = (f"{datetime.fromisoformat(found[key]):%-d %B %Y %H:%M %Z}" for key in ("from", "until"))
    source = f"exception {found['exception']}" if found.get("exception") else "break-glass"
    to = f" to the {found['to']}" if "to" in found else f" ({source})"
    return f"  {what} {found['id']}{to}, {begin} to {end}: {STATES[found['state']]}"


def _tree(root: dict[str, Any] | None) -> Iterator[str]:
    if root is None:
        yield "  not traced: the time for explanations was over"
        return
    for depth, node in explain.flatten(root):
        yield f"{'  ' * (depth + 1)}{node['truth']:<8}{node['text']}{'  ← decided' if node['decided'] else ''}"
    if many := explain.how_many(root):
        yield f"  {many}"
