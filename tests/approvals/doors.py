"""Every door to a decision: the page, the API, the command, a raw INSERT, and the services with their own checks taken out."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import DatabaseError, transaction
from django.test import Client
from django.utils import timezone

from governance.accounts.actor import Actor
from governance.accounts.commands import os_user
from governance.accounts.models import PersonalToken, User
from governance.accounts.services import digest_token
from governance.approvals import eligibility, services
from governance.approvals.eligibility import Standing
from governance.approvals.models import Request, RequestStage, Vote
from governance.approvals.services import common, votes
from governance.approvals.states import StageState
from governance.waivers.models import Waiver
from tests.conftest import PASSWORD

BACKEND = "django.contrib.auth.backends.ModelBackend"


@dataclass
class Attempt:
    """An account tries to approve a request, perhaps for somebody, at a stage, with a digest, from an operating-system user."""

    request: Request
    account: str
    on_behalf_of: str | None = None
    stage: RequestStage | None = None
    digest: str | None = None
    revision: int | None = None
    via: str = ""

    @property
    def user(self) -> User:
        return User.objects.get(username=self.account)

    @property
    def principal(self) -> User | None:
        return User.objects.get(username=self.on_behalf_of) if self.on_behalf_of else None

    def at(self) -> RequestStage:
        stages = self.request.stages.filter(revision=self.request.revision)
        found = self.stage or stages.filter(state=StageState.OPEN).first() or stages.last()
        assert found is not None
        return found

    def of(self) -> dict[str, Any]:
        self.request.refresh_from_db()
        return {
            "content_digest": self.digest or self.request.content_digest,
            "revision": self.request.revision if self.revision is None else self.revision,
        }


def state_of_everything() -> list[Any]:
    """What a decision could change."""
    return [
        list(Vote.objects.order_by("pk").values_list("pk", "verdict")),
        list(Request.objects.order_by("pk").values_list("pk", "state")),
        list(RequestStage.objects.order_by("pk").values_list("pk", "state")),
        list(Waiver.objects.order_by("pk").values_list("pk", "ends_at", "ended_at")),
    ]


def client_of(user: User, **options: Any) -> Client:
    client = Client(**options)
    client.force_login(user, backend=BACKEND)
    return client


def token_of(user: User, reach: str = "act", **changes: Any) -> str:
    """A personal token, written as it lies in the database, so that accounts have one that the service would refuse it to."""
    plain = f"pcp_{user.username}_{PersonalToken.objects.count()}"
    values = {
        "user": user, "name": plain, "digest": digest_token(plain), "reach": reach,
        "expires_at": timezone.now() + timedelta(days=400),
    }  # fmt: skip
    PersonalToken.objects.create(**values | changes)
    return plain


def page(attempt: Attempt, tmp_path: Path) -> bool:
    form = {"verdict": "approve", "comment": "", "seen": attempt.of()["content_digest"]}
    answer = client_of(attempt.user).post(f"/approvals/{attempt.request.pk}/vote", form)
    return answer.status_code in (200, 302) and not answer.headers.get("Location", "").startswith("/sign-in")


def api(attempt: Attempt, tmp_path: Path) -> bool:
    answer = Client().post(
        f"/api/v1/approvals/{attempt.request.pk}/votes",
        {"verdict": "approve", "content_digest": attempt.of()["content_digest"]},
        content_type="application/json",
        headers={"Authorization": f"Bearer {token_of(attempt.user)}"},
    )
    assert answer.status_code == 201 or answer["Content-Type"] == "application/problem+json"
    return answer.status_code == 201


def command(attempt: Attempt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    monkeypatch.setenv("AS_PASSWORD_FILE", str(file))
    what, _, subject = attempt.request.subject.partition(":")
    try:
        call_command(what, "approve", subject, "--as", attempt.account, stdout=io.StringIO(), stderr=io.StringIO())
    except SystemExit as ended:
        return ended.code != 1
    return True


def sql(attempt: Attempt, tmp_path: Path) -> bool:
    try:
        with transaction.atomic():
            Vote.objects.create(
                request=attempt.request, stage=attempt.at(), approver=attempt.user, on_behalf_of=attempt.principal,
                verdict="approve", at=timezone.now(), via=attempt.via, **attempt.of(),
            )  # fmt: skip
    except DatabaseError:
        return False
    return True


def unchecked(attempt: Attempt, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bool:
    """The service as it would be if somebody had taken every check of its own out of it."""
    of = attempt.of()

    def lock(request_id: int) -> Request:
        found = common.lock(request_id)
        found.content_digest, found.revision = of["content_digest"], of["revision"]
        return found

    with monkeypatch.context() as patched:
        patched.setattr(eligibility, "standing", lambda user, asked: Standing(None, attempt.at(), attempt.principal))
        patched.setattr(votes, "lock_open", lock)
        patched.setattr(votes, "account", lambda actor: actor.user)
        patched.setattr(votes, "_same_hands", lambda *given: None)
        try:
            with transaction.atomic():
                services.vote(
                    actor=Actor.for_user(attempt.user, via=attempt.via), request=attempt.request, verdict="approve",
                    content_digest=of["content_digest"],
                )  # fmt: skip
        except DatabaseError:
            return False
    return True


DOORS: dict[str, Callable[..., bool]] = {
    "page": page, "api": api, "command": command, "sql": sql, "unchecked": unchecked,
}  # fmt: skip
__all__ = ["DOORS", "Attempt", "client_of", "os_user", "state_of_everything", "token_of"]
