"""Separation of duties, held by the database itself: a bug or a shell session cannot break it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from governance.accounts.actor import Actor
from governance.accounts.models import User
from governance.approvals import queries, services
from governance.approvals.models import Request, Vote
from governance.approvals.services import ConflictSpec
from governance.errors import Invalid, PermissionRefused, WrongState

pytestmark = pytest.mark.django_db


@pytest.fixture
def asked(act_as: Any) -> Request:
    """A request that benefits Peter's person (p006)."""
    return services.open_request(
        actor=act_as("lucia"), kind="directive.activation", subject="directive:Z", content_digest="d" * 64, summary="x",
        conflicts=[ConflictSpec("It is for you.", person_id="p006")],
    )  # fmt: skip


def raw_vote(request: Request, name: str, **changes: Any) -> None:
    """A vote written past every service."""
    values = {
        "request": request, "stage": request.stages.get(state="open"), "verdict": "approve",
        "approver": User.objects.get(username=name), "content_digest": request.content_digest, "at": timezone.now(),
    } | changes  # fmt: skip
    with transaction.atomic():
        Vote.objects.create(**values)


@pytest.fixture
def plain(act_as: Any) -> Request:
    return services.open_request(
        actor=act_as("idris"), kind="directive.activation", subject="directive:X", content_digest="d" * 64, summary="x",
        conflicts=[ConflictSpec("You wrote it.", user_id=User.objects.get(username="maren").pk)],
    )  # fmt: skip


@pytest.mark.parametrize("name", ["idris", "maren", "lucia", "admin"])
def test_the_database_refuses_votes_of_requester_conflicted_and_outsiders(plain: Request, name: str) -> None:
    with pytest.raises(DatabaseError):
        raw_vote(plain, name)


def test_the_database_takes_the_vote_that_is_right(plain: Request) -> None:
    raw_vote(plain, "peter")


def test_the_database_refuses_other_content_closed_stages_and_deactivated_accounts(plain: Request) -> None:
    with pytest.raises(DatabaseError):
        raw_vote(plain, "peter", content_digest="e" * 64)
    User.objects.filter(username="peter").update(is_active=False)
    with pytest.raises(DatabaseError):
        raw_vote(plain, "peter")
    User.objects.filter(username="peter").update(is_active=True, is_superuser=True)
    plain.requester = User.objects.get(username="peter")
    with pytest.raises(DatabaseError), transaction.atomic():
        plain.save()


def test_votes_are_never_changed_or_removed(plain: Request) -> None:
    raw_vote(plain, "peter")
    for statement in (
        "UPDATE approvals_vote SET verdict = 'reject'",
        "DELETE FROM approvals_vote",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_a_stage_is_not_approved_without_its_votes(plain: Request) -> None:
    with pytest.raises(DatabaseError), transaction.atomic():
        plain.stages.update(state="approved")


def test_a_request_is_not_approved_without_its_stages_nor_begun_decided(plain: Request) -> None:
    with pytest.raises(DatabaseError, match="all of its stages"), transaction.atomic():
        Request.objects.filter(pk=plain.pk).update(state="approved")
    with pytest.raises(DatabaseError, match="begins undecided"), transaction.atomic():
        plain.stages.create(position=2, name="x", groups=["executive"], state="approved")
    with pytest.raises(DatabaseError, match="begins open"), transaction.atomic():
        Request.objects.create(
            kind="x", subject="x", summary="x", content_digest="d", policy=plain.policy, requester=plain.requester,
            opened_at=timezone.now(), state="approved",
        )  # fmt: skip


@pytest.mark.parametrize("table", ["approvalpolicy", "policystage", "request", "requeststage", "conflict", "vote"])
def test_nobody_empties_a_table_of_approvals(table: str) -> None:
    with pytest.raises(DatabaseError, match="kept"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE approvals_{table} CASCADE")


def test_a_beneficiary_is_found_by_e_mail_also_when_the_account_comes_later(asked: Request) -> None:
    with pytest.raises(PermissionRefused, match="It is for you"):
        services.vote(actor=act("peter"), request=asked, verdict="approve", content_digest="d" * 64)
    with pytest.raises(DatabaseError):
        raw_vote(asked, "peter")
    later = User.objects.create_user("peter2", "old@example.com")
    later.groups.set(User.objects.get(username="peter").groups.all())
    User.objects.filter(username="peter").update(email="moved@example.com")
    User.objects.filter(pk=later.pk).update(email="PETER.OSEI@example.com")
    with pytest.raises(DatabaseError):
        raw_vote(asked, "peter2")
    services.vote(actor=act("maren"), request=asked, verdict="approve", content_digest="d" * 64)


def act(name: str) -> Actor:
    return Actor.for_user(User.objects.get(username=name))


def test_nobody_decides_in_two_stages_of_one_request(act_as: Any) -> None:
    idris, peter = User.objects.get(username="idris"), User.objects.get(username="peter")
    idris.groups.add(*peter.groups.all())
    asked = services.open_request(
        actor=act_as("hana"), kind="exception", subject="exception:2", content_digest="d" * 64, summary="x"
    )
    services.vote(actor=act("idris"), request=asked, verdict="approve", content_digest="d" * 64)
    with pytest.raises(PermissionRefused, match="decided in this request already"):
        services.vote(actor=act("idris"), request=asked, verdict="approve", content_digest="d" * 64)
    with pytest.raises(DatabaseError):
        raw_vote(asked, "idris")


def test_a_later_stage_waits_for_its_turn_and_says_so(act_as: Any) -> None:
    asked = services.open_request(
        actor=act_as("hana"), kind="exception", subject="exception:3", content_digest="d" * 64, summary="x"
    )
    assert "turn" in (queries.why_not(User.objects.get(username="peter"), asked) or "")
    assert asked not in queries.inbox(User.objects.get(username="peter"))
    assert asked in queries.inbox(User.objects.get(username="idris"))


def test_a_stage_that_nobody_could_decide_is_refused_at_submission(act_as: Any) -> None:
    User.objects.filter(username="peter").update(is_active=False)
    with pytest.raises(Invalid, match="Export-control counsel"):
        services.open_request(
            actor=act_as("hana"), kind="exception", subject="exception:4", content_digest="d" * 64, summary="x"
        )


def test_one_operating_system_user_cannot_stand_on_both_sides(act_as: Any) -> None:
    User.objects.update(is_demo=False)
    asked = services.open_request(
        actor=Actor.for_user(User.objects.get(username="idris"), via="cli:sam"),
        kind="directive.activation", subject="directive:Y", content_digest="d" * 64, summary="x",
    )  # fmt: skip
    peter = User.objects.get(username="peter")
    with pytest.raises(PermissionRefused, match="cli:sam"):
        services.vote(
            actor=Actor.for_user(peter, via="cli:sam"), request=asked, verdict="approve", content_digest="d" * 64
        )
    services.vote(actor=Actor.for_user(peter, via="cli:kim"), request=asked, verdict="approve", content_digest="d" * 64)


def test_a_decision_on_content_that_changed_is_refused(plain: Request) -> None:
    with pytest.raises(WrongState, match="has changed"):
        services.vote(actor=act("peter"), request=plain, verdict="approve", content_digest="e" * 64)


def test_a_superuser_bypasses_nothing(plain: Request) -> None:
    User.objects.filter(username="auditor").update(is_superuser=True)
    auditor = act("auditor")
    assert not auditor.has("activate_directives")
    with pytest.raises(PermissionRefused, match="not an approver"):
        services.vote(actor=auditor, request=plain, verdict="approve", content_digest="d" * 64)
