"""Other policies than the default ones, put in force for a test."""

from __future__ import annotations

from typing import Any

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.approvals import services
from governance.approvals.models import ApprovalPolicy


def act(name: str) -> Actor:
    return Actor.for_user(User.objects.get(username=name))


def put_in_force(kind: str, *stages: dict[str, Any]) -> ApprovalPolicy:
    """As people do it: an administrator writes it, a lead approves it."""
    asked = services.propose_policy(actor=act("admin"), kind=kind, stages=stages)
    version = int(asked.subject.rpartition(":")[2])
    services.decide_policy(actor=act("idris"), kind=kind, version=version, verdict="approve")
    return ApprovalPolicy.objects.get(kind=kind, active=True)


def first_of_its_kind(kind: str, *stages: dict[str, Any]) -> ApprovalPolicy:
    """A policy as a migration brings it: version 1, for a kind that the product does not have."""
    policy = ApprovalPolicy.objects.create(kind=kind, version=1, active=False)
    for fields in stages:
        policy.stages.create(**fields)
    policy.active = True
    policy.save(update_fields=["active"])
    return policy
