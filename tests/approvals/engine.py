"""Requests under policies of a test's own, decided by people made for it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.approvals import services
from governance.approvals.hours import now
from governance.approvals.models import Delegation, Request
from governance.approvals.services import Outcome
from governance.approvals.states import StageState

KIND = "directive.suspension"
MACHINE = Actor.machine("cli:test")


def person(name: str, *roles: str) -> User:
    made = User.objects.create_user(name, f"{name}@example.com")
    made.groups.set(Group.objects.filter(name__in=roles))
    return made


def user(name: str) -> User:
    return User.objects.get(username=name)


def act(name: str) -> Actor:
    return Actor.for_user(user(name))


def policy(*stages: dict[str, Any]) -> None:
    """Stages that take force for requests of ``KIND``; each at position 1 unless it says otherwise."""
    written = services.write_policy(actor=MACHINE, kind=KIND, stages=[{"position": 1} | stage for stage in stages])
    services.activate_policy(actor=MACHINE, policy_id=written.pk)


def ask(by: str = "lucia", subject: str = "directive:X", **more: Any) -> Request:
    values: dict[str, Any] = {"content_digest": "d" * 64, "summary": "x", "reason": "y"} | more
    return services.open_request(actor=act(by), kind=KIND, subject=subject, **values)


def decide(request: Request, *names: str, verdict: str = "approve") -> Outcome:
    for name in names:
        request.refresh_from_db()
        outcome = services.vote(
            actor=act(name), request=request, verdict=verdict, content_digest=request.content_digest
        )
    return outcome


def delegate(principal: str, to: str, *, begins: float = 0, hours: float = 5) -> Delegation:
    moment = now() + timedelta(hours=begins)
    return services.delegate(
        actor=act(principal), to=user(to), starts_at=moment, ends_at=moment + timedelta(hours=hours), reason="away"
    )


def stages(request: Request, *states: StageState) -> list[str]:
    """The names of the stages of the present revision, those in some states or all."""
    request.refresh_from_db()
    found = request.stages.filter(revision=request.revision).order_by("position", "name")
    return [stage.name for stage in found if not states or stage.state in states]
