"""Approval policies are written as versions; one of each kind is in force."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import IntegrityError, transaction

from governance.accounts.actor import Actor
from governance.approvals import relations
from governance.approvals.hours import now
from governance.approvals.models import ApprovalPolicy, PolicyStage
from governance.errors import Invalid, NotFound, WrongState
from governance.ledger import services as ledger


@transaction.atomic
def write_policy(*, actor: Actor, kind: str, stages: Sequence[dict[str, Any]], note: str = "") -> ApprovalPolicy:
    """Write the next version of a kind's policy; it is not in force yet. ``stages`` are fields of ``PolicyStage``.

    Raises ``Invalid`` for stages that the database refuses or that name a relation which the kind does not offer, ``NotFound``
    for a kind that nothing asks for.
    """
    actor.require("administer")
    newest = ApprovalPolicy.objects.select_for_update().filter(kind=kind).order_by("-version").first()
    if newest is None:
        raise NotFound(f"Nothing asks for approvals of the kind {kind}.")
    if not stages:
        raise Invalid("A policy needs a stage.", [("stages", "at least one is required")])
    offered = {relation.name for relation in relations.offered_by(kind)}
    unknown = sorted({name for fields in stages for name in fields.get("relations", ())} - offered)
    if unknown:
        raise Invalid(
            "The policy is not acceptable.", [("relations", f"{name} is none that {kind} offers") for name in unknown]
        )
    policy = ApprovalPolicy.objects.create(
        kind=kind, version=newest.version + 1, active=False, note=note.strip()[:300], author=actor.user,
        written_at=now(),
    )  # fmt: skip
    for fields in stages:
        try:
            with transaction.atomic():
                PolicyStage.objects.create(policy=policy, **fields)
        except IntegrityError:
            name = str(fields.get("name", ""))
            raise Invalid("The policy is not acceptable.", [("stages", f"“{name}” {_what_is_wrong(fields)}")]) from None
    _record(actor, policy, "written", stages=[str(fields.get("name", "")) for fields in stages])
    return policy


def _what_is_wrong(fields: dict[str, Any]) -> str:
    if not (fields.get("groups") or fields.get("permission") or fields.get("relations")):
        return "names nobody who could decide it"
    if fields.get("at_end") == "escalate":
        return "escalates, and needs a due time and to whom"
    return "stands there twice, or needs a quorum of at least one"


@transaction.atomic
def activate_policy(*, actor: Actor, policy_id: int) -> ApprovalPolicy:
    """Put a written version in force. Requests that are open keep the version they began with."""
    policy = ApprovalPolicy.objects.filter(pk=policy_id).first()
    if policy is None:
        raise NotFound("There is no such policy.")
    former = ApprovalPolicy.objects.select_for_update().filter(kind=policy.kind, active=True).first()
    if policy.active or (former is not None and former.version >= policy.version):
        raise WrongState("This version is in force already, or was before the one that is.")
    if former is not None:
        former.active = False
        former.save(update_fields=["active"])
    policy.active = True
    policy.save(update_fields=["active"])
    _record(actor, policy, "activated")
    return policy


def _record(actor: Actor, policy: ApprovalPolicy, act: str, **data: Any) -> None:
    subject = f"approval-policy:{policy.kind}"
    ledger.append(
        action=f"approval_policy.{act}", actor=actor.name, via=actor.via, subject=subject,
        data={"version": policy.version} | data,
    )  # fmt: skip
    ledger.publish(
        topic=f"approval_policy.{act}", key=subject, payload={"kind": policy.kind, "version": policy.version}
    )
