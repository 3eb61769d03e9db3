"""Requests under policies of a test's own, decided by people made for it."""

from __future__ import annotations

import itertools
from datetime import timedelta
from typing import Any

from django.contrib.auth.models import Group

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.approvals import services
from governance.approvals.models import ApprovalPolicy, Delegation, Request
from governance.approvals.services import Outcome
from governance.approvals.states import StageState
from governance.moments import now
from tests.approvals.policies import first_of_its_kind

_numbers = itertools.count(1)
MACHINE = Actor.machine("cli:test")


def person(name: str, *roles: str) -> User:
    made = User.objects.create_user(name, f"{name}@example.com")
    made.groups.set(Group.objects.filter(name__in=roles))
    return made


def user(name: str) -> User:
    return User.objects.get(username=name)


def act(name: str) -> Actor:
    return Actor.for_user(user(name))


def policy(*stages: dict[str, Any]) -> str:
    """A kind of request that has these stages, each at position 1 unless it says otherwise; ``ask`` asks for the newest kind."""
    found = f"test.{next(_numbers)}"
    first_of_its_kind(found, *[{"position": 1} | stage for stage in stages])
    return found


def _newest() -> str:
    kinds = ApprovalPolicy.objects.filter(kind__startswith="test.").order_by("pk").values_list("kind", flat=True)
    return kinds.last() or "directive.suspension"


def ask(by: str = "lucia", subject: str = "directive:X", **more: Any) -> Request:
    values: dict[str, Any] = {"content_digest": "d" * 64, "summary": "x", "reason": "y"} | more
    return services.open_request(actor=act(by), kind=_newest(), subject=subject, **values)


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
