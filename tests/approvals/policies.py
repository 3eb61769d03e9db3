"""Other policies than the default ones, put in force for a test."""

from __future__ import annotations

from typing import Any

from governance.accounts.actor import Actor
from governance.approvals import services
from governance.approvals.models import ApprovalPolicy


def put_in_force(kind: str, *stages: dict[str, Any]) -> ApprovalPolicy:
    machine = Actor.machine("cli:test")
    written = services.write_policy(actor=machine, kind=kind, stages=stages)
    return services.activate_policy(actor=machine, policy_id=written.pk)
