"""Deciding a request of whatever kind: each goes to the service that acts on its outcome. Pages and the API both come this way."""

from __future__ import annotations

from dataclasses import dataclass

from governance.accounts.actor import Actor
from governance.approvals import queries as approvals
from governance.enforcement.services import lifecycle
from governance.errors import NotFound
from governance.waivers import services as waivers


@dataclass(frozen=True)
class Decided:
    """What the decision led to: the state of the request, and a sentence about it for the person who decided."""

    state: str
    words: str


def decide_request(
    *, actor: Actor, request_id: int, verdict: str, comment: str = "", seen: str | None = None
) -> Decided:
    """One decision on what the approver has ``seen``: the content digest that was shown, where it is known.

    Raises ``NotFound`` for a request that the account may not see.
    """
    asked = approvals.visible_to(actor.user).filter(pk=request_id).first() if actor.user else None
    if asked is None:
        raise NotFound(f"There is no request {request_id} that you may see.")
    subject = asked.subject.partition(":")[2]
    if asked.kind == "exception":
        found = waivers.decide_exception(
            actor=actor, exception_id=int(subject), verdict=verdict, comment=comment, seen=seen
        )
        asked.refresh_from_db(fields=["state"])
        return Decided(asked.state, f"Exception {found.pk} is {found.get_state_display().lower()}.")
    outcome = lifecycle.vote(actor=actor, reference=subject, verdict=verdict, comment=comment, seen=seen)
    return Decided(outcome.state, f"Recorded. The request is {outcome.state}.")
