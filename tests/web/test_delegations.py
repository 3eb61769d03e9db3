"""Letting somebody decide for oneself: given, held, ended at once, seen by nobody else."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from governance.approvals.models import Delegation
from governance.moments import now
from tests.web.test_approval_page import delegate, words

pytestmark = pytest.mark.django_db
SignIn = Callable[[str], Client]


def give(client: Client, **changes: str) -> Any:
    until = now() + timedelta(days=3)
    fields = {"delegate": "tomas", "ends_at": f"{until:%Y-%m-%dT%H:%M}", "reason": "On leave"} | changes
    return client.post("/delegations", fields)


def test_one_lets_somebody_decide_and_ends_it_at_once(sign_in: SignIn) -> None:
    idris = sign_in("idris")
    assert give(idris).status_code == 302
    assert "for Idris Vale" in words(idris.get("/delegations"))
    assert "for Idris Vale" in words(sign_in("tomas").get("/delegations")), "who holds one sees it"
    found = Delegation.objects.get()
    idris.post(f"/delegations/{found.pk}/revoke")
    found.refresh_from_db()
    assert found.revoked_at is not None
    assert idris.post(f"/delegations/{found.pk}/revoke").status_code == 409


def test_nobody_else_sees_or_ends_it_but_an_administrator(act_as: Any, sign_in: SignIn) -> None:
    delegate(act_as, "idris", "tomas")
    found = Delegation.objects.get()
    peter, admin = sign_in("peter"), sign_in("admin")
    assert "for Idris Vale" not in words(peter.get("/delegations"))
    assert peter.post(f"/delegations/{found.pk}/revoke").status_code == 404
    assert "for Idris Vale" in words(admin.get("/delegations"))
    assert admin.post(f"/delegations/{found.pk}/revoke").status_code == 302


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"delegate": "nobody"}, "Who decides for you must be"),
        ({"delegate": "idris"}, "Who decides for you must be another"),
        ({"ends_at": ""}, "The end must be a day and a time"),
        ({"ends_at": "2020-01-01T00:00"}, "The end must be later"),
        ({"ends_at": "2099-01-01T00:00"}, "The end may be at most 60 days"),
        ({"starts_at": "tomorrow"}, "The beginning must be a day and a time"),
        ({"reason": " "}, "The reason is required"),
    ],
)
def test_what_is_wrong_is_named_and_what_was_typed_is_kept(
    changes: dict[str, str], field: str, sign_in: SignIn
) -> None:
    response = give(sign_in("idris"), **changes)
    assert response.status_code == 422
    assert field in words(response)
    kept = {"delegate": "tomas", "reason": "On leave"} | changes
    assert all(f'value="{kept[name]}"' in response.content.decode() for name in ("delegate", "reason"))
    assert not Delegation.objects.exists()


def test_the_same_twice_is_refused(sign_in: SignIn) -> None:
    idris = sign_in("idris")
    give(idris)
    response = give(idris)
    assert response.status_code == 409
    assert "decides for you in that time already" in words(response)


def test_whoever_decides_nothing_has_no_form(sign_in: SignIn) -> None:
    assert "Let somebody decide for you" not in words(sign_in("wei").get("/delegations"))
    assert "Let somebody decide for you" in words(sign_in("peter").get("/delegations"))
