"""Changes of approval policies, with what is known here about the kinds of request: nobody lets time close what is owed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from governance.accounts.actor import Actor
from governance.approvals import services as approvals
from governance.approvals.models import AtEnd, PolicyStage, Request
from governance.directives.acts import act
from governance.enforcement.services.emergencies import CONFIRMATION
from governance.errors import Invalid
from governance.waivers import limits


@act
def propose(
    *,
    actor: Actor,
    kind: str,
    stages: Sequence[Mapping[str, Any]],
    note: str = "",
    terms: Mapping[str, Any] | None = None,
) -> Request:
    """Write the next version of a kind's policy and ask for its approval. ``terms``: the limits, where the kind has some."""
    _refuse_closing_by_time(kind, stages)
    return approvals.propose_policy(
        actor=actor, kind=kind, stages=stages, note=note, terms=None if terms is None else _terms(kind, terms)
    )


def _terms(kind: str, terms: Mapping[str, Any]) -> dict[str, Any]:
    if kind != limits.KIND:
        raise Invalid("The policy is not acceptable.", [("terms", f"{kind} has no limits")])
    return limits.read(terms).as_terms()


def read(kind: str, stages: Sequence[Mapping[str, Any]]) -> list[PolicyStage]:
    """The stages as they would stand, for a preview; nothing is written. Raises ``Invalid`` with the place of each error."""
    _refuse_closing_by_time(kind, stages)
    return approvals.read_stages(stages)


def _refuse_closing_by_time(kind: str, stages: Sequence[Mapping[str, Any]]) -> None:
    refusing = [index for index, stage in enumerate(stages) if stage.get("at_end") == AtEnd.REFUSE]
    if kind == CONFIRMATION and refusing:
        why = "cannot be that the request is refused: the confirmation of an emergency is owed"
        raise Invalid("The policy is not acceptable.", [(f"stages[{index}].at_end", why) for index in refusing])
